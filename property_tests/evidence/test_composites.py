"""Evidence of several statistics, tested as a whole."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from synthetic_samples import agreement

from ntval.arrays import rounding_allowance
from ntval.evidence import e_values
from ntval.evidence.verdict import Verdict

STATISTICS = 12


@pytest.fixture
def no_interval(monkeypatch):
    """Decisions whose interval, which costs most and decides nothing, is left out."""
    monkeypatch.setattr(e_values, "interval", lambda *args, **told: (0.0, 0.0))


@pytest.mark.usefixtures("no_interval")
def test_the_evidence_of_twelve_statistics_has_mean_exactly_one_by_enumeration():
    # Two draws of 12 independent statistics, each 1 with probability p and 0 otherwise. Evidence
    # depends on how many statistics were 1 never, once, and twice: 91 cases.
    p, total, refuted = 0.05, 0.0, 0.0
    shares = ((1 - p) ** 2, 2 * p * (1 - p), p**2)
    for once, twice in itertools.product(range(STATISTICS + 1), repeat=2):
        counts = (STATISTICS - once - twice, once, twice)
        if counts[0] < 0:
            continue
        values = np.repeat([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]], counts, axis=1)
        probability = scipy.stats.multinomial.pmf(counts, STATISTICS, shares)
        decision = agreement(
            lambda start, count, values=values: values[start : start + count],
            predicted=p,
            span=1 - p,
            alpha=0.05,
            first=2,
            most=2,
        )
        total += probability * math.exp(decision.log_e)
        refuted += probability * (decision.verdict is Verdict.REFUTED)
    # As in test_e_values: a factor is off by 120 eps, of 2; the mean and the mass by 100 more.
    assert total == pytest.approx(1.0, abs=(120 * 2 + 200) * np.finfo(float).eps)
    assert refuted <= 0.05


@pytest.mark.usefixtures("no_interval")
def test_what_is_compared_with_alpha_is_the_mean_over_statistics():
    values = np.random.default_rng(0).normal(0.0, 1.0, (64, STATISTICS))
    values[:, 3] += 1.0
    settings = {"first": 64, "most": 64, "resolution": 1.0}

    def of(columns, alpha):
        return agreement(lambda i, k: values[i : i + k, columns], alpha=alpha, **settings)

    every = list(range(STATISTICS))
    log_e = of(every, 1e-300).log_e
    each = [of([i], 1e-300).log_e for i in every]
    # Exponents below 40 lose 40 roundings each, their sum 12, two logs and a difference a few.
    expected = math.log(np.mean(np.exp(each)))
    assert log_e == pytest.approx(expected, abs=rounding_allowance(2 * (40 + 12 + 10)))
    assert log_e < max(each)
    for distance, verdict in ((0.1, Verdict.REFUTED), (-0.1, Verdict.INCONCLUSIVE)):
        assert of(every, math.exp(-log_e + distance)).verdict is verdict

"""Samples that are not alike or not independent: equivalents against simulation and each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.errors import InputError
from ntval.theory import wei_hu_steinhardt as theory

FIELDS = {"decay": 1.5, "alignment": 1.8, "noise_std": 0.3}
N, FEATURES = 60, 240


def simulated(mixing, noise, *, ridge, draws=40):
    """Means of risk, train error and shrinkage, by a direct solve, over noise and features."""
    rng = np.random.default_rng(0)
    levels = theory.power_law(FEATURES, FIELDS["decay"])
    shares = np.array(theory.power_law_target(FEATURES, FIELDS["alignment"], 0.0).energies)
    target = np.sqrt(shares / levels)
    found = []
    for _ in range(draws):
        x = mixing @ (rng.standard_normal((mixing.shape[1], FEATURES)) * np.sqrt(levels))
        labels = np.concatenate([x * target, FIELDS["noise_std"] * noise], axis=1)
        inverse = np.linalg.inv(x @ x.T + ridge * np.eye(len(x)))
        gap = x.T @ inverse @ labels
        gap[:, :FEATURES] -= np.diag(target)
        risk = levels @ (gap**2).sum(axis=1) + FIELDS["noise_std"] ** 2
        residual = ridge * inverse @ labels
        found.append([risk, (residual**2).sum() / len(x), ridge * np.trace(inverse) / len(x)])
    return np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(draws)


@pytest.mark.parametrize("ridge", [0.05, 2.0])
@pytest.mark.parametrize("kind", ["spread", "correlated", "copied", "noise of its own"])
def test_equivalents_are_the_means_of_a_simulation(kind, ridge):
    rows = theory.row_variances(N, 0.7)
    mixing, noise = np.diag(np.sqrt(rows)), np.eye(N)
    noises = np.ones(N)
    if kind == "noise of its own":
        noises = np.linspace(0.5, 2.0, N)
        noise = np.diag(np.sqrt(noises))
    elif kind != "spread":
        copies = 2 if kind == "copied" else 1
        factor = np.linalg.cholesky(theory.row_covariance(N, 0.5))
        mixing = noise = np.repeat(factor, copies, axis=0)
        covariance = theory.row_covariance(N, 0.5, copies)
        assert np.abs(mixing @ mixing.T - covariance).max() <= 1e-12
        rows = noises = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    found = theory.rows_equivalent(rows, noises, FEATURES, ridge=ridge, **FIELDS)
    means, errors = simulated(mixing, noise, ridge=ridge)
    predicted = np.array([found.risk, found.train_error, found.shrinkage])
    assert np.all(np.abs(means - predicted) <= 5 * errors + 3 / N * predicted)


@given(st.floats(0.0, 2.5), st.floats(1e-3, 10.0), st.floats(0.0, 1.0))
def test_samples_that_are_alike_give_the_omniscient_risk(decay, ridge, noise_std):
    fields = {"decay": decay, "alignment": 1.8, "ridge": ridge, "noise_std": noise_std}
    found = theory.rows_equivalent(np.ones(50), np.ones(50), 120, **fields)
    risk = theory.omniscient_risk(50, 120, **fields)
    train = theory.train_error(50, 120, **fields)
    # Roots to 2^-50, times condition numbers up to 1e4.
    assert abs(found.risk - risk) <= 1e-9 * risk
    assert abs(found.train_error - train) <= 1e-8 * train
    assert abs(found.gcv - risk) <= 1e-8 * risk


def test_one_sample_more_of_weight_0_changes_no_risk():
    rows = np.append(np.ones(50), 0.0)
    more = theory.rows_equivalent(rows, np.ones(51), 120, ridge=0.1, **FIELDS)
    risk = theory.omniscient_risk(50, 120, ridge=0.1, **FIELDS)
    assert abs(more.risk - risk) <= 1e-9 * risk


@pytest.mark.parametrize("copies", [2, 3])
def test_copied_samples_are_those_with_a_share_of_the_ridge(copies):
    ratio = theory.dependent_rows_gcv_ratio(
        50, 120, ridge=0.1, row_correlation=0.0, copies=copies, **FIELDS
    )
    m = theory.shrinkage(50, 120, decay=FIELDS["decay"], ridge=0.1 / copies)
    assert abs(ratio / (m / (1 - (1 - m) / copies)) ** 2 - 1) <= 1e-8


def test_variances_of_samples_have_mean_1():
    rows = theory.row_variances(60, 0.7)
    assert abs(rows.mean() - 1) <= 1e-14
    assert sorted(set(rows.round(12).tolist())) == [0.3, 7.3]


@pytest.mark.parametrize(
    ("match", "call"),
    [
        ("row_spread needs to be >= 0 and < 1", lambda: theory.row_variances(10, 1.0)),
        (
            "ridge needs to be > 0",
            lambda: theory.rows_equivalent(np.ones(3), np.ones(3), 9, ridge=0.0, **FIELDS),
        ),
        ("n needs to be >= 50", lambda: theory.unlike_rows_gcv_remainder(40)),
    ],
)
def test_bad_arguments_are_named(match, call):
    with pytest.raises(InputError, match=match):
        call()

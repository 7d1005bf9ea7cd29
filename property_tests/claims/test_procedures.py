"""The six procedures: what they hand on, what they refuse."""

import dataclasses
import inspect
import math

import jax
import numpy as np
import pytest

from ntval.arrays import float64, rounding_allowance
from ntval.claims import sampling
from ntval.claims.catalogue import CLAIMS
from ntval.claims.claim import Claim
from ntval.claims.procedures import (
    Bound,
    Identity,
    Means,
    ProbableBound,
    Slopes,
    formulas_of,
    value_of,
)
from ntval.claims.sampling import MEASURED, PILOT, kept, key_for, looped, stream_of
from ntval.errors import InputError
from ntval.evidence.exact import Bracket, Comparison
from ntval.evidence.sequential import Sample, Trials
from ntval.evidence.verdict import Verdict
from ntval.regimes import Regime
from ntval.subjects.subject import GramSubject

KEY = jax.random.key(0)
REGIME = Regime(n=40, d=20, widths=(4,))
SUBJECT = GramSubject(np.eye(2)[None])
SETTINGS = {"alpha": 1e-6, "effort": 1.0}


def normal(key, point, subject, *, stream="measured", shift=0.0):
    seed = int(jax.random.key_data(stream_of(key, stream))[1])

    def draw(start, count):
        return shift + np.random.default_rng([seed, start]).standard_normal((count, 1)) / 100

    return draw


def decided(procedure, **options):
    procedure = procedure.taking(**options) if options else procedure
    examination = procedure.examine(KEY, REGIME, SUBJECT)
    return procedure.decide(examination, **SETTINGS).verdict


def test_a_claim_is_at_most_twelve_fields():
    assert len(dataclasses.fields(Claim)) <= 12


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_claim_is_tested_by_one_of_five_procedures(claim):
    kinds = (Identity, Bound, Means, Slopes, ProbableBound)
    assert type(claim.procedure) in kinds
    assert claim.statistical == (type(claim.procedure) not in (Identity, Bound))


def test_identities_and_bounds_need_no_part_of_alpha():
    without = {n for n, claim in CLAIMS.items() if not claim.statistical}
    assert {
        "montanari_zhong.quadratic_rank",
        "montanari_zhong.symmetrized_initialization",
        "montanari_zhong.ridge_conventions",
        "montanari_zhong.precision",
    } <= without
    assert len(CLAIMS) - len(without) == 66


def test_an_option_that_the_measurement_does_not_have_is_refused():
    for procedure in (
        Means(normal, labels=("x",)),
        ProbableBound(normal, failure=0.1, resolution=0.1),
    ):
        with pytest.raises(InputError, match=r"'shft'.*it has 'shift'"):
            procedure.taking(shft=1.0)
    with pytest.raises(InputError, match="it has none"):
        CLAIMS["kernel_identities.symmetry"].procedure.taking(energies=None)
    with pytest.raises(InputError, match="'stream'"):
        Means(normal, labels=("x",)).taking(stream="other")


def test_an_option_reaches_what_is_measured_and_not_the_pilot():
    means = Means(normal, labels=("x",), wrong=1.0, resolution=0.01)
    assert decided(means) is Verdict.SUPPORTED
    assert decided(means, shift=0.1) is Verdict.REFUTED
    plain, shifted = (p.examine(KEY, REGIME, SUBJECT) for p in (means, means.taking(shift=0.1)))
    assert plain.allowance == shifted.allowance


def test_the_pilot_is_a_stream_of_its_own():
    keys = [jax.random.key_data(stream_of(KEY, name)) for name in ("measured", PILOT, "weights")]
    assert len({tuple(np.asarray(key)) for key in keys}) == 3
    # The first two are numbered, so that seeds replay what they did before streams had names.
    for number, key in enumerate(keys[:2]):
        assert np.array_equal(key, jax.random.key_data(jax.random.fold_in(KEY, number)))


def examined(procedure, point, subject, key=KEY):
    with float64():
        sample = procedure.examine(key, point, subject)
        return sample.allowance, sample.draw(0, 2)


def assert_streams_are_apart(procedure, point, subject, monkeypatch):
    """Another stream in place of the measured one changes the draws, and not the allowance."""
    allowance, draws = examined(procedure, point, subject)
    monkeypatch.setitem(sampling._NUMBERS, MEASURED, 99)
    same_allowance, others = examined(procedure, point, subject)
    for field in ("remainder", "span", "resolution"):
        # To the bit: one program of the same numbers.
        assert np.array_equal(getattr(allowance, field), getattr(same_allowance, field))
    assert not np.array_equal(draws, others)


def is_looped(sampler):
    """Whether `looped` made the sampler: it has the signature of a statistic of one draw."""
    return "draw" in inspect.signature(sampler).parameters


def test_looped_statistics_have_a_stream_for_the_pilot(monkeypatch):
    subject = CLAIMS["montanari_zhong.min_eigenvalue_bound"].subject(REGIME)
    for part in (lambda draw: draw.x, lambda draw: draw.empirical):
        statistic = looped(lambda draw, part=part: [float(part(draw)[0, 1])])
        with monkeypatch.context() as patch:
            procedure = Means(statistic, labels=("x",), pilot=2)
            assert_streams_are_apart(procedure, REGIME, subject, patch)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, claim in CLAIMS.items()
        if isinstance(claim.procedure, Means)
        if name != "gram_matrices.mean" and not is_looped(claim.procedure.sampler)
    ],
)
def test_other_samplers_have_a_stream_for_the_pilot(name, monkeypatch):
    def keys_alone(statistic, chunk):
        """Replicates that are numbers of their key, so that no network is compiled."""

        def run(key, first, *operands):
            (count,) = jax.eval_shape(statistic, key, *operands).shape
            seeds = [*np.asarray(jax.random.key_data(key)).tolist(), first]
            return np.random.default_rng(seeds).random((chunk, count))

        return run

    monkeypatch.setattr(sampling, "_program", keys_alone)
    claim = CLAIMS[name]
    point = min(claim.points["quick"], key=lambda point: point.n)
    procedure = dataclasses.replace(claim.procedure, pilot=2)
    assert_streams_are_apart(procedure, point, claim.subject(point), monkeypatch)


@pytest.mark.parametrize("draws", [2, 9, 1024])
def test_gram_matrices_of_the_pilot_are_not_those_that_are_measured(draws):
    claim = CLAIMS["gram_matrices.mean"]
    # Matrix number i is i everywhere, so that each draw says which it was.
    grams = np.arange(1.0, draws + 1)[:, None, None] * np.ones((2, 2))
    subject = GramSubject(grams, np.ones((2, 2)), 1e-12)
    of_pilot, measured = (
        claim.procedure.sampler(KEY, REGIME, subject, stream=stream)(0, 10**6)[:, 0]
        for stream in (PILOT, MEASURED)
    )
    assert len(of_pilot) == max(2, draws // 4)  # two are the least for a pilot
    steps = np.diff(sorted([*of_pilot, *measured]))  # in the unit of the kernel
    assert len(steps) == draws - 1
    assert np.abs(steps / steps[0] - 1).max() <= rounding_allowance(4 * draws)
    point = Regime(n=2, d=1, activation=None)
    examination = claim.procedure.examine(KEY, point, subject)
    assert np.array_equal(examination.draw(0, 10**6)[:, 0], measured)


def test_a_formula_takes_the_arguments_that_it_names():
    arguments = {"n": 3, "d": 5, "width": 7}
    assert value_of(lambda n, d: n * d, arguments) == 15
    assert value_of(lambda n, *, degree=2: n + degree, arguments) == 5
    assert value_of(-1.0, arguments) == -1.0
    assert value_of((lambda n: n, lambda width: width), arguments).tolist() == [3.0, 7.0]
    with pytest.raises(TypeError, match="ridge"):
        value_of(lambda ridge: ridge, arguments)


def test_a_bound_that_is_trivial_is_vacuous():
    settings = {"failure": 0.1, "resolution": 0.1, "trivial": 0.0, "formula": lambda n: 50 - n}
    bound = ProbableBound(looped(lambda draw: [1.0]), at=lambda r: {"n": r.n}, **settings)
    subject = CLAIMS["montanari_zhong.min_eigenvalue_bound"].subject(REGIME)
    for n, vacuous in ((40, False), (50, True), (60, True)):
        examination = bound.examine(KEY, dataclasses.replace(REGIME, n=n), subject)
        assert examination.vacuous is vacuous
        verdict = Verdict.INCONCLUSIVE if vacuous else Verdict.SUPPORTED
        assert bound.decide(examination, **SETTINGS).verdict is verdict


def test_what_is_examined_has_a_type():
    for name, kind in (
        ("kernel_identities.symmetry", Comparison),
        ("kernel_identities.positive_semidefinite", Bracket),
    ):
        claim = CLAIMS[name]
        point = claim.points["quick"][0]
        found = claim.procedure.examine(KEY, point, claim.subject(point))
        assert isinstance(found, tuple)
        assert all(isinstance(item, kind) for item in found)
    for name, kind in (
        ("montanari_zhong.dead_points", Sample),
        ("montanari_zhong.double_descent", Trials),
    ):
        claim = CLAIMS[name]
        point = claim.points["quick"][0]
        assert isinstance(claim.procedure.examine(KEY, point, claim.subject(point)), kind)


def test_formulas_are_functions_of_theory():
    for name, claim in CLAIMS.items():
        for formula in formulas_of(claim.procedure):
            assert formula.__module__.startswith("ntval.theory."), name


def test_what_is_kept_is_bounded_over_all_functions(monkeypatch):
    monkeypatch.setattr(sampling, "_MOST", 3)
    calls = []

    @kept
    def one(x):
        calls.append(x)
        return object()

    @kept
    def other(x, y=0):
        calls.append((x, y))
        return object()

    first = one(1)
    assert one(1) is first
    assert calls == [1]
    assert other(1) is not first
    other(1, y=2), other(2)  # one(1) is the oldest of four
    assert one(1) is not first
    assert len(sampling._values) == 3


def test_the_level_of_the_claim_is_what_evidence_is_compared_with():
    draws = normal(KEY, REGIME, SUBJECT)(0, 64) + 0.0045
    sample = Sample(
        lambda start, count: draws[start : start + count],
        ("x",),
        np.zeros(1),
        Means(normal, labels=("x",)).examine(KEY, REGIME, SUBJECT).allowance,
    )
    means = Means(normal, labels=("x",), most=64)
    log_e = means.decide(sample, alpha=1e-300, effort=1.0).log_e
    assert means.decide(sample, alpha=math.exp(-log_e + 0.1), effort=1.0).verdict is Verdict.REFUTED
    assert means.decide(sample, alpha=math.exp(-log_e - 0.1), effort=1.0).verdict is not (
        Verdict.REFUTED
    )


@pytest.mark.parametrize(
    "claim",
    [claim for claim in CLAIMS.values() if isinstance(claim.procedure, Means)],
    ids=lambda claim: claim.name,
)
def test_what_cannot_tell_a_theorem_from_the_nearest_wrong_one_is_vacuous(claim):
    if reason := claim.missing_files():
        pytest.skip(reason)
    point = claim.points["quick"][0]
    few = dataclasses.replace(claim.procedure, pilot=min(8, claim.procedure.pilot), first=8, most=8)
    with float64():
        key = key_for(claim.name, point, 0)
        sample = few.examine(key, point, claim.subject(point))
        reach = np.where(np.isfinite(sample.distance), sample.distance, 0.0)
        wide = dataclasses.replace(sample.allowance, remainder=reach - sample.resolution)
        sample = dataclasses.replace(sample, allowance=wide)
        decision = few.decide(sample, **SETTINGS)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.summary.startswith("VACUOUS")


def test_a_remainder_that_is_not_known_is_neither_supported_nor_refuted():
    for shift in (0.0, 10.0):
        means = Means(normal, labels=("x",), remainder=np.inf, wrong=1.0).taking(shift=shift)
        decision = means.decide(means.examine(KEY, REGIME, SUBJECT), **SETTINGS)
        assert decision.verdict is Verdict.INCONCLUSIVE
        assert "not known" in decision.summary

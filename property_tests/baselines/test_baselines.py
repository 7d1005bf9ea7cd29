"""Baselines: nothing drifts by itself, what drifts is found, and so is power that is lost."""

import dataclasses
import json
import math
from dataclasses import dataclass, fields, replace

import jax
import numpy as np
import pytest
import scipy.stats
from synthetic_claims import (
    METHODS,
    NORMALIZATION,
    POSITIVE,
    SEED,
    SETTINGS,
    claims,
    drawn,
    predicted_mean,
)

from ntval import baselines
from ntval.arrays import float64
from ntval.baselines import Baseline, drifts, entries, files
from ntval.baselines.drifts import Pair
from ntval.baselines.entries import Entry
from ntval.baselines.statistics import SUSPICION, counted, frames_of, sized
from ntval.claims.budget import CONFIRMATIONS, fresh_seed
from ntval.claims.procedures import Bound, Identity, Means
from ntval.claims.sampling import MEASURED, forget
from ntval.errors import InputError
from ntval.evidence.exact import Bracket
from ntval.evidence.verdict import Decision, Verdict
from ntval.regimes import Regime
from ntval.reports import documents
from ntval.runs.settings import Settings


def kinds(compared):
    return [finding.kind for finding in compared.findings]


def test_a_baseline_says_what_was_measured_how_surely_and_what_it_sees(frozen):
    (entry,) = frozen.entries
    (statistic,) = entry.statistics
    assert entry.decision.verdict is Verdict.SUPPORTED
    assert statistic.label == "mean of K_N(x, x)"
    predicted = predicted_mean(entry.point)
    assert abs(statistic.estimate - predicted) < 6 * statistic.standard_error
    spread = 0.02 * predicted / math.sqrt(statistic.n * statistic.draws)
    # The relative standard deviation of a standard error of n values is 1 / sqrt(2 (n - 1)).
    five = 5 / math.sqrt(2 * (statistic.n - 1))
    assert statistic.standard_error == pytest.approx(spread, rel=five)
    assert statistic.resolution == 0.005
    # It sees about what the claim does: draws are added until it would.
    assert statistic.smallest_gap < 2 * statistic.resolution
    assert frozen.versions == {**documents.versions(), **frozen.versions}


def test_frames_hold_their_samples():
    # A center that is as uncertain as the sample is wide would leave some column on one end.
    wide = baselines.freeze(
        ["normalization"], SETTINGS, catalogue=claims(sampler=drawn(columns=24), labels=24 * ("x",))
    )
    for statistic in wide.entries[0].statistics:
        assert statistic.draws > 1
        assert max(statistic.counts[0], statistic.counts[-1]) < 0.1 * statistic.n
        assert statistic.smallest_gap < math.inf


def test_nothing_drifts_by_itself(frozen):
    for seed in (None, 1, 2, 3):
        compared = baselines.compare(frozen, seed=seed, catalogue=claims())
        assert not compared.findings
        assert not compared.changes


def test_other_draws_of_the_same_keys_are_no_drift(monkeypatch):
    # As of another version of JAX: every key gives other numbers, of the same law.
    names = ["normalization"]
    old = baselines.freeze(names, SETTINGS)
    monkeypatch.setattr(jax.random, "normal", backwards(jax.random.normal))
    forget()
    assert not baselines.compare(old).findings
    jax.clear_caches()


def backwards(normal):
    def other(key, shape=(), *rest, **options):
        return -normal(jax.random.fold_in(key, 12345), shape, *rest, **options)

    return other


def test_a_baseline_is_compared_on_keys_of_its_own(frozen):
    seen = []

    def measure(key, point, subject, *, stream=MEASURED):
        seen.append(tuple(np.asarray(jax.random.key_data(key)).ravel().tolist()))
        return drawn()(key, point, subject, stream=stream)

    instead = claims(sampler=measure)
    baselines.freeze(["normalization"], SETTINGS, catalogue=instead)
    before = set(seen)
    seen.clear()
    compared = baselines.compare(frozen, catalogue=instead)
    assert compared.seed == fresh_seed(SEED, 0)
    assert not before & set(seen)
    with pytest.raises(InputError, match="another than that of the baseline"):
        baselines.compare(frozen, seed=SEED, catalogue=instead)


@pytest.mark.parametrize("scale", [1.03, 0.97])
def test_a_change_of_scale_by_3_percent_is_found_and_confirmed(frozen, scale):
    compared = baselines.compare(frozen, catalogue=claims(sampler=drawn(scale)))
    assert "drift" in kinds(compared)
    finding = next(f for f in compared.findings if f.kind == "drift")
    assert finding.name == NORMALIZATION.name
    assert "confirmed 3/3 on fresh keys" in finding.evidence


def test_a_gap_that_the_baseline_says_it_sees_is_seen():
    rng = np.random.default_rng(0)
    level, runs = 1e-8, 100

    def pair(shift):
        frames = frames_of(rng.standard_normal((16, 2)))
        old = sized(counted("ab", frames, rng.standard_normal((64, 2))), level)
        gap = np.array([shift * old[0].smallest_gap, 0.0])
        new = [counted("ab", frames, rng.standard_normal((64, 2)) + gap) for _ in range(4)]
        return Pair(entry(old), tuple(entry(statistics) for statistics in new), level)

    pairs = [pair(1.0) for _ in range(runs)]
    seen = sum("drift" in [f.kind for f in p.findings] and first(p).moved for p in pairs)
    # `smallest_gap` promises 1 - 1e-3; at 1 - 1e-2 so few would be seen once in a million.
    assert scipy.stats.binom.cdf(seen, runs, 0.99) > 1e-6
    assert not any(pair(0.0).findings for _ in range(20))


def first(pair):
    return replace(pair, looks=pair.looks[:1])


def entry(statistics=(), detection_limits=None, verdict=Verdict.SUPPORTED, log_e=0.0):
    decision = Decision(verdict, "means", "", 0.0, 0.0, 0.0, log_e=log_e)
    return Entry("a claim", Regime(n=4, d=8), decision, tuple(statistics), detection_limits or {})


def test_a_fluke_is_measured_again_and_is_no_finding(frozen):
    # Only the first look is off, by less than the claim itself allows.
    first_seed = fresh_seed(SEED, 0)

    def measured(order, catalogue):
        scale = 1.004 if order.cell.settings.seed == first_seed else 1.0
        return entries.measured(order, claims(sampler=drawn(scale)))

    compared = compare_with(measured, frozen)
    assert not compared.findings
    assert compared.unconfirmed == (NORMALIZATION.name,)


def compare_with(measured, baseline):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "measured", measured)
        return baselines.compare(baseline)


def loosened(claim, factor):
    """The claim with everything that it allows `factor` times as large."""

    def wider(item):
        if isinstance(item, Bracket):
            return replace(item, bound=factor * item.bound)
        return replace(item, allowance=factor * np.asarray(item.allowance))

    name = "enclose" if isinstance(claim.procedure, Bound) else "compare"
    measure = getattr(claim.procedure, name)

    def loose(*given):
        return [wider(item) for item in measure(*given)]

    return replace(claim, procedure=replace(claim.procedure, **{name: loose}))


@pytest.mark.parametrize("claim", [METHODS, POSITIVE], ids=lambda claim: claim.name)
def test_a_loosened_tolerance_of_a_certificate_is_lost_power(certified, claim):
    only = replace(certified, entries=tuple(e for e in certified.entries if e.name == claim.name))
    with float64():
        compared = baselines.compare(only, catalogue=claims(loosened(claim, 10)))
        same = baselines.compare(only, catalogue=claims(loosened(claim, 1.1)))
    assert kinds(compared) == ["lost power"]
    assert not same.findings  # less than `GROWTH` is not told apart


@pytest.mark.parametrize("part", ["remainder", "resolution"])
def test_a_loosened_allowance_of_a_mean_is_lost_power(frozen, part):
    larger = getattr(NORMALIZATION.procedure, part) + 0.01
    compared = baselines.compare(frozen, catalogue=claims(**{part: larger}))
    assert "lost power" in kinds(compared)
    finding = compared.findings[-1]
    assert finding.what == f"allowance of {NORMALIZATION.procedure.labels[0]}"
    assert "fresh keys" in finding.evidence


def test_a_comparison_that_is_no_longer_made_is_lost_power(certified):
    compare = METHODS.procedure.compare
    short = replace(METHODS, procedure=Identity(lambda *given: compare(*given)[1:]))
    with float64():
        compared = baselines.compare(certified, catalogue=claims(short))
    (finding,) = compared.findings
    assert finding.kind == "lost power"
    assert finding.now == "not examined"


def test_a_claim_that_decides_nothing_any_more_is_lost_power(frozen):
    @dataclass(frozen=True)
    class Undecided(Means):
        def decide(self, examination, *, alpha, effort):
            decision = super().decide(examination, alpha=alpha, effort=effort)
            return replace(decision, verdict=Verdict.INCONCLUSIVE)

    procedure = NORMALIZATION.procedure
    told = {field.name: getattr(procedure, field.name) for field in fields(procedure)}
    compared = baselines.compare(frozen, catalogue=claims(procedure=Undecided(**told)))
    (finding,) = compared.findings
    assert (finding.kind, finding.now) == ("lost power", "INCONCLUSIVE")


def test_a_claim_that_is_undecided_once_in_four_is_not():
    look, undecided = entry(), entry(verdict=Verdict.INCONCLUSIVE)
    assert Pair(look, (undecided,), 1e-8).suspected
    assert not Pair(look, (undecided, look, undecided, undecided), 1e-8).findings
    assert not Pair(undecided, (undecided,), 1e-8).suspected


def test_a_claim_that_is_refuted_now_is_a_finding(frozen):
    compared = baselines.compare(frozen, catalogue=claims(formula=0.3))
    assert kinds(compared) == ["refuted"]
    assert "confirmed 3/3" in compared.findings[0].evidence


def test_a_refutation_by_a_certificate_needs_no_keys():
    refuted = entry(verdict=Verdict.REFUTED, log_e=math.inf)
    (finding,) = Pair(entry(), (refuted,) * 4, 1e-8).findings
    assert (finding.kind, finding.evidence) == ("refuted", "by a certificate")
    assert not Pair(refuted, (refuted,), 1e-8).findings


def test_other_statistics_than_before_are_a_finding(frozen):
    two = baselines.compare(frozen, catalogue=claims(sampler=drawn(columns=2), labels=("x", "y")))
    assert "gone" in kinds(two)


def test_a_claim_or_regime_that_is_no_longer_run_is_a_finding(frozen):
    elsewhere = replace(frozen.entries[0], point=Regime(n=5, d=5))
    compared = baselines.compare(
        replace(frozen, entries=(*frozen.entries, elsewhere)), catalogue=claims()
    )
    (finding,) = compared.findings
    assert (finding.kind, finding.now) == ("gone", "not run")
    less = baselines.compare(replace(frozen, entries=(elsewhere,)), catalogue=claims())
    assert less.new == (NORMALIZATION.name,)


def test_growth_on_every_key_has_the_level_that_is_stated():
    # Of values of one law, six are all above six others in one of 924 orders, and less often still
    # by a factor; then keys are added until that is as rare as the level.
    rng = np.random.default_rng(0)
    alarms = suspected = 0
    runs = 4000
    for _ in range(runs):
        old, new = np.exp(rng.standard_normal((2, 6)))
        pair = Pair(
            entry(detection_limits={"x": tuple(old)}),
            (entry(detection_limits={"x": tuple(new)}),),
            1e-3,
        )
        suspected += pair.grown
        alarms += any(pair.findings)
    assert alarms == 0 or scipy.stats.binom.sf(alarms - 1, runs, 1e-3) > 1e-6
    assert scipy.stats.binom.sf(suspected - 1, runs, 1 / 924) > 1e-6


def test_repetitions_have_as_many_keys_as_the_level_needs(certified):
    with float64():
        compared = baselines.compare(
            replace(certified, entries=certified.entries[:1]),
            catalogue=claims(loosened(METHODS, 2)),
        )
    (pair,) = compared.pairs
    assert len(pair.looks) == 1 + CONFIRMATIONS
    name = next(iter(pair.frozen.detection_limits))
    fewer = len(pair.limits(name)) - CONFIRMATIONS
    assert pair.growth[name] >= -math.log(pair.level)
    short = drifts.two_samples.growth_evidence(np.zeros(6), np.ones(fewer))
    assert short < -math.log(pair.level)


def test_changes_since_are_listed(frozen):
    old = replace(frozen, versions={**frozen.versions, "jax": "0.9.1", "data": "0f3a"})
    compared = baselines.compare(old, catalogue=claims())
    now = frozen.versions["jax"]
    assert compared.changes == (f"jax 0.9.1 -> {now}", "data 0f3a -> none")
    assert not compared.findings


def test_a_selection_that_does_not_apply_is_refused():
    with pytest.raises(InputError, match="a claim that applies"):
        baselines.freeze(["montanari_zhong.normalization"], Settings(data="digits"))


def test_accepting_keeps_the_history_and_needs_a_reason(frozen):
    drifted = baselines.compare(frozen, catalogue=claims(sampler=drawn(1.1)))
    new = baselines.freeze(
        ["normalization"], Settings(seed=9), catalogue=claims(sampler=drawn(1.1))
    )
    accepted = baselines.accepted(new, drifted, " wider weights ")
    (last,) = accepted.history
    assert last["why"] == "wider weights"
    assert last["seed"] == SEED
    assert any("drift" in line for line in last["findings"])
    again = baselines.accepted(new, replace(drifted, baseline=accepted), "once more")
    assert [item["why"] for item in again.history] == ["wider weights", "once more"]
    with pytest.raises(InputError, match="--why needs words"):
        baselines.accepted(new, drifted, "  ")
    assert not baselines.compare(accepted, catalogue=claims(sampler=drawn(1.1))).findings


# The file.


def test_suspicion_is_rarer_than_one_in_twenty_and_far_from_the_level():
    assert math.exp(-SUSPICION) == pytest.approx(1 / 20)


def test_a_file_gives_back_the_baseline(frozen, certified, tmp_path):
    infinite = replace(frozen.entries[0].statistics[0], smallest_gap=math.inf)
    odd = replace(
        frozen.entries[0], statistics=(infinite,), detection_limits={"x": (1.0, math.inf)}
    )
    for number, baseline in enumerate((frozen, certified, replace(frozen, entries=(odd,)))):
        path = tmp_path / f"{number}.json"
        files.write(baseline, path)
        read = files.read(path)
        assert plain(read) == plain(baseline)


def plain(baseline: Baseline):
    """What is written: details of a decision and digits beyond the sixth are not."""
    found = json.loads(json.dumps(dataclasses.asdict(baseline), default=str))
    for item in found["entries"]:
        item["decision"] = {n: item["decision"][n] for n in ("verdict", *files._DECISION)}
        item["detection_limits"] = {
            name: [pytest.approx(value, rel=5e-6) for value in values]
            for name, values in item["detection_limits"].items()
        }
    return found

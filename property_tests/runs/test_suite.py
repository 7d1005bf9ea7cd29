"""A run of the suite: order, prerequisites, repetitions."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ntval.claims.budget import CONFIRMATIONS, fresh_seed, point_alpha
from ntval.claims.catalogue import CLAIMS
from ntval.claims.outcome import Result
from ntval.data import sources
from ntval.data.sets import data_of
from ntval.errors import UnknownNameError
from ntval.evidence.e_values import combined
from ntval.evidence.verdict import Decision, Verdict
from ntval.regimes import Regime
from ntval.runs import applicable, suite
from ntval.runs.settings import Settings

NETWORK = "a network"


@pytest.fixture
def checked(monkeypatch):
    """A run whose cells end as told: {claim: log e-value, or a function of the cell}, 0 for the
    others."""

    def run(evidence, names=None, network=None, profile="quick", words="a word on {}"):
        seen = []

        def run_cell(cell, catalogue):
            seen.append(cell)
            log_e = evidence.get(cell.claim.partition(".")[2], 0.0)
            log_e = log_e(cell) if callable(log_e) else log_e
            refuted = log_e > 0 and (cell.alpha == 0 or log_e >= -math.log(cell.alpha))
            verdict = Verdict.REFUTED if refuted else Verdict.SUPPORTED
            decision = Decision(verdict, "means", "", 0.0, 0.0, 1.0, log_e=log_e)
            return Result(cell.claim, cell.point, cell.settings.seed, decision, 0.0)

        monkeypatch.setattr(suite, "run_cell", run_cell)
        monkeypatch.setattr(suite, "diagnosis", lambda cell, _: words and words.format(cell.claim))
        plan = suite.planned(names, Settings(profile))
        settings = replace(plan.settings, network=network)
        cells = tuple(replace(cell, settings=settings) for cell in plan.cells)
        plan = replace(plan, settings=settings, cells=cells)
        *_, last = run.states = list(suite.states(plan))
        return last, seen

    return run


def verdict(run, word):
    return next(o.verdict for n, o in run.outcomes.items() if n.endswith(f".{word}"))


def test_every_claim_is_run_once_a_regime(checked):
    run, seen = checked({})
    assert len(seen) == len(run.cells) == len(run.results)
    assert {o.verdict for o in run.outcomes.values()} == {Verdict.SUPPORTED}
    assert run.spent == pytest.approx(run.settings.alpha)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_no_profile_has_a_point_twice(claim):
    # A point's key is a hash of it: its evidence would be multiplied by itself.
    for profile, points in claim.points.items():
        assert len(set(points)) == len(points), profile


def test_claims_about_files_that_are_not_here_are_not_run_and_say_how_to_get_them(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sources, "_installed", lambda source: None)
    name = "wei_hu_steinhardt.pretrained_network"
    found = applicable.claims_for(claims={name: CLAIMS[name]})
    assert [item.claim for item in found] == [name]
    command = "ntval fetch mnist efficientnet_lite0 vader minilm"
    assert found[0].reason.endswith(f"are not here; get them, 105.9 MB: {command}")
    run = suite.at([name], str(CLAIMS[name].points["quick"][0]), Settings())
    assert not run.cells
    assert run.not_run == tuple(found)
    assert not suite.run_of(found, Settings()).outcomes


def test_no_claim_about_labelled_data_is_built_for_data_of_a_user(monkeypatch):
    claim = CLAIMS["wei_hu_steinhardt.pretrained_network"]
    unbuilt = replace(claim, subject=lambda point: pytest.fail("its kernel was asked for"))
    source = data_of("x", np.random.default_rng(0).standard_normal((6, 5)))
    (found,) = applicable.claims_for(None, source, claims={claim.name: unbuilt})
    assert found.reason == "it is not about a network at inputs"


def test_points_that_data_make_equal_are_one_point():
    claim = CLAIMS["kernel_identities.symmetry"]
    points = [Regime(n=4, d=d, widths=(8,), activation="erf") for d in (3, 8, 20)]
    source = data_of("x", np.random.default_rng(0).standard_normal((6, 5)))
    apart = replace(claim, points={"quick": (*points, replace(points[0], n=5))})
    found = applicable.claims_for(None, source, claims={claim.name: apart})
    assert [point for _, point in found] == [replace(points[0], d=5, n=n) for n in (4, 5)]


def test_an_outcome_counts_the_points_that_were_planned_and_not_yet_seen():
    plan = suite.planned(["kernel_identities.unbiased_kernel"], Settings("standard"))
    cell = plan.cells[0]
    decision = Decision(Verdict.SUPPORTED, "means", "", 0.0, 0.0, 1.0, log_e=3.0)
    run = replace(plan, results=(Result(cell.claim, cell.point, 0, decision, 0.0),))
    (outcome,) = run.outcomes.values()
    assert (len(outcome.results), outcome.planned) == (1, 4)
    assert outcome.log_e == combined([3.0], 4)  # the same function of the same numbers
    assert run.finished == {}


def test_a_refuted_claim_is_repeated_on_fresh_keys(checked):
    run, seen = checked({"normalization": 40.0})
    again = [cell for cell in seen if cell.claim.endswith("normalization")]
    assert len(again) == 1 + CONFIRMATIONS
    assert len({cell.settings.seed for cell in again}) == len(again)
    assert verdict(run, "normalization") is Verdict.REFUTED


def test_a_fluke_is_not_called_a_refutation(checked):
    run, _ = checked({"normalization": lambda cell: -3.0 if cell.settings.seed else 20.0})
    assert verdict(run, "normalization") is Verdict.INCONCLUSIVE


def test_a_broken_prerequisite_of_a_users_network_stops_the_rest(checked):
    run, seen = checked({"batch_independence": math.inf}, network=NETWORK)
    assert {cell.claim for cell in seen} == {"kernel_identities.batch_independence"}
    assert run.broken_prerequisite.claim == "kernel_identities.batch_independence"
    reasons = {item.claim: item.reason for item in run.not_run}
    assert "batch_independence is refuted" in reasons["kernel_identities.mean_kernel"]


def test_prerequisites_of_our_own_networks_are_claims_like_others(checked):
    run, _ = checked({"batch_independence": math.inf})
    assert run.broken_prerequisite is None
    assert len(run.results) == len(run.cells)


def test_prerequisites_of_a_users_network_come_first_claim_by_claim():
    plan = suite.planned()
    backwards = replace(plan, cells=plan.cells[::-1])
    assert suite._stages(backwards) == [list(backwards.cells)]
    users = replace(backwards, settings=replace(plan.settings, network=NETWORK))
    *first, rest = suite._stages(users)
    assert first
    assert all(len({cell.claim for cell in stage}) == 1 for stage in first)
    assert all(CLAIMS[cell.claim].prerequisite for stage in first for cell in stage)
    assert not any(CLAIMS[cell.claim].prerequisite for cell in rest)
    assert len(rest) + sum(map(len, first)) == len(plan.cells)


def test_a_refutation_that_was_expected_is_none_and_one_that_stays_away_is_stale(checked):
    run, _ = checked({"normalization": math.inf, "symmetry": math.inf})
    expected = {"montanari_zhong.normalization": "known", "kernel_identities.mean_kernel": "known"}
    run = replace(run, expected=expected)
    assert list(run.refuted) == ["kernel_identities.symmetry"]
    assert list(run.stale) == ["kernel_identities.mean_kernel"]


def test_a_plan_has_the_note_of_the_first_subject_that_is_examined_where_it_is_a_users():
    claim = CLAIMS["kernel_identities.symmetry"]
    noted = replace(claim, subject=lambda point: SimpleNamespace(note=f"takes {point.n} minutes"))
    found = [
        applicable.NotRun("kernel_identities.normalization", "no reason"),
        *((noted, Regime(n=n, d=3, widths=(8,), activation="erf")) for n in (4, 5)),
    ]
    users = replace(Settings(), network=NETWORK)
    assert suite.run_of(found, users).note == "takes 4 minutes"
    assert suite.run_of(found, Settings()).note == ""
    assert suite.run_of(found[:1], users).note == ""


def test_a_run_is_never_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        suite.planned(["kernel_identities.symmetry"]).note = "another"


def test_unknown_claims_and_profiles_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean"):
        suite.planned(["min_eigenvalu"])
    with pytest.raises(UnknownNameError, match="quick"):
        Settings(profile="quik")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    code = (
        "from ntval.runs.engine import engine\n"
        "import os, time\n"
        "def sleep(cell):\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    with engine(2, sleep) as results:\n"
        "        list(results([1, 2]))\n"
    )
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], start_new_session=True)
    try:
        wait_for(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text())
        worker = int((tmp_path / "pid").read_text())
        parent.kill()
        parent.wait()
        wait_for(lambda: not alive(worker))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)


def alive(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "State:\tZ" not in status


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_refuted_claim_is_diagnosed_once(checked):
    run, _ = checked({"symmetry": math.inf})
    assert run.diagnoses == {"kernel_identities.symmetry": "a word on kernel_identities.symmetry"}


def test_a_refuted_claim_without_words_has_no_diagnosis(checked):
    run, _ = checked({"symmetry": math.inf}, words=None)
    assert verdict(run, "symmetry") is Verdict.REFUTED
    assert run.diagnoses == {}


def test_points_that_refute_alone_are_the_ones_repeated(checked):
    name = "kernel_identities.unbiased_kernel"
    points = CLAIMS[name].points["standard"]
    evidence = {"unbiased_kernel": lambda cell: 60.0 if cell.point == points[1] else -1.0}
    run, seen = checked(evidence, [name, "symmetry"], profile="standard")
    again = seen[len(run.cells) :]
    assert [cell.point for cell in again] == [points[1]] * CONFIRMATIONS
    assert {cell.claim for cell in again} == {name}
    seeds = [fresh_seed(0, repetition) for repetition in range(1, CONFIRMATIONS + 1)]
    assert [cell.settings.seed for cell in again] == seeds
    assert list(run.repetitions) == [name]
    assert [[result.seed for result in part] for part in run.repetitions[name]] == [
        [seed] for seed in seeds
    ]


def test_a_state_is_given_after_every_check_repetition_and_diagnosis(checked):
    names = ["normalization", "symmetry"]
    run, seen = checked({"normalization": 40.0}, names)
    states = checked.states
    results = len(run.cells)
    counted = [
        (len(state.results), sum(map(len, state.repetitions.values())), len(state.diagnoses))
        for state in states
    ]
    assert counted == [
        *((done, 0, 0) for done in range(1, results + 1)),
        *((results, again, 0) for again in range(1, CONFIRMATIONS + 1)),
        (results, CONFIRMATIONS, 1),
    ]
    assert len(seen) == results + CONFIRMATIONS
    assert suite.planned(names).spent == 0
    # Certificates spend nothing, the one claim of chance all of it.
    assert {state.spent for state in states} <= {0, run.settings.alpha}
    assert run.spent == run.settings.alpha


def test_claims_after_a_broken_prerequisite_are_not_run_each_for_one_reason(checked):
    run, _ = checked({"batch_independence": math.inf}, network=NETWORK)
    assert {cell.claim for cell in run.cells} == {"kernel_identities.batch_independence"}
    plan = suite.planned()  # without files of real data some claims are not run for that reason
    planned = {cell.claim for cell in plan.cells} | {item.claim for item in plan.not_run}
    names = [item.claim for item in run.not_run]
    assert sorted(names) == sorted(planned - {"kernel_identities.batch_independence"})
    assert list(run.finished) == ["kernel_identities.batch_independence"]


def test_a_plan_splits_alpha_over_the_claims_that_are_chosen():
    settings = Settings("standard", alpha=1e-3, seed=3)
    names = ["normalization", "kernel_identities.unbiased_kernel", "symmetry"]
    plan = suite.planned(names, settings)
    assert plan.shares == {
        "montanari_zhong.normalization": 1e-3 / 2,
        "kernel_identities.unbiased_kernel": 1e-3 / 2,
        "kernel_identities.symmetry": 0.0,
    }
    assert {cell.settings for cell in plan.cells} == {settings}
    for name, share in plan.shares.items():
        points = CLAIMS[name].points["standard"]
        cells = [cell for cell in plan.cells if cell.claim == name]
        assert [cell.point for cell in cells] == list(points)
        assert {cell.alpha for cell in cells} == {point_alpha(share, len(points))}
    assert (plan.results, plan.not_run, plan.note) == ((), (), "")
    assert list(plan.outcomes) == [name for name in CLAIMS if name in plan.shares]


def test_a_plan_says_of_the_claims_that_are_chosen_why_they_do_not_apply(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).standard_normal((6, 5)))
    settings = Settings(data=str(tmp_path / "a.npz"))
    every = suite.planned(settings=settings)
    excluded = every.not_run[0]
    plan = suite.planned([excluded.claim, "symmetry"], settings)
    assert plan.not_run == (excluded,)
    assert {cell.claim for cell in plan.cells} == {"kernel_identities.symmetry"}
    assert {cell.claim for cell in every.cells} | {item.claim for item in every.not_run} == set(
        CLAIMS
    )

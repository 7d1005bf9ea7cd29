"""The pytest plugin as a host meets it: in processes of its own, alone and under pytest-xdist."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from host_sessions import HOST, KNOWN, NETS, SHARING, host_session

from ntval.front.pytest import report


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """HOST run once by itself, with a JSON report, and once by two strict workers, with a page.

    The workers have the tests of two networks besides, which go by their ids, and know of some
    refutations.
    """

    def session(*options):
        folder = tmp_path_factory.mktemp("host")
        (folder / "nets.py").write_text(NETS)
        (folder / "test_host.py").write_text(HOST)
        (folder / "known.txt").write_text(KNOWN)
        done = host_session(folder, "--ntval-seed=5", "--junitxml=out.xml", *options)
        assert (folder / "out.xml").exists(), done.output
        done.tests, done.networks = {}, {}
        for case in ET.parse(folder / "out.xml").iter("testcase"):
            where, name = case.get("classname"), case.get("name")
            if where == "test_host":
                done.tests[name] = case
            else:
                done.networks[f"{where}::{name}"] = case
        done.sharing = SHARING + len(done.networks)
        return done

    return {
        "alone": session("--ntval-report=out.json"),
        "workers": session(
            *("--ntval-report=out.html", "--ntval-strict", "--ntval-expected=known.txt"),
            *("--ntval-network=nets:fixed", "--ntval-network=nets:batchy", "-v", "-n", "2"),
        ),
    }


@pytest.fixture(scope="module")
def alone(sessions):
    return sessions["alone"]


@pytest.fixture(scope="module")
def workers(sessions):
    return sessions["workers"]


@pytest.fixture(scope="module")
def document(alone):
    return json.loads((alone.folder / "out.json").read_text())


def outcome(case):
    return next((part.tag for part in case if part.tag in ("failure", "error", "skipped")), "pass")


def properties(case):
    return [(p.get("name"), p.get("value")) for p in case.iter("property")]


def said(case):
    return "\n".join((part.get("message") or "") + (part.text or "") for part in case)


def failed(session):
    return {name for name, case in session.tests.items() if outcome(case) in ("failure", "error")}


UNUSABLE = {"test_marked_wrongly", "test_three", "test_by_another_way"}


# What a host sees.


def test_only_what_is_refuted_or_unusable_fails(alone):
    assert failed(alone) == {"test_refuted", "test_refuted_by_chance"} | UNUSABLE, alone.output
    assert alone.status == 1


def test_an_inconclusive_check_fails_when_strict(workers):
    assert failed(workers) == {"test_refuted", "test_open"} | UNUSABLE, workers.output
    assert "INCONCLUSIVE, and --ntval-strict is given: made up" in said(workers.tests["test_open"])


def test_a_refutation_says_what_why_and_how_to_repeat_it(alone):
    text = said(alone.tests["test_refuted"])
    for part in (
        "kernel_identities.batch_independence is REFUTED for mine",
        "claimed:",
        "measured:",
        "confirmed 3/3 on fresh keys",
        "pytest test_host.py::test_refuted --ntval-seed=5 --ntval-alpha=",
    ):
        assert part in text
    assert "checks.py" not in text
    assert "REFUTED\n  claimed:" in said(alone.tests["test_refuted_by_chance"])
    assert "point:    Regime(n=3, d=2, widths=(4,)" in said(alone.tests["test_refuted_by_chance"])


def test_what_was_not_run_is_skipped_with_its_reason(alone):
    assert "not run, because the network has no kernel_fn" in said(alone.tests["test_no_twin"])
    assert "because kernel_identities.batch_independence is refuted" in said(
        alone.tests["test_broken"]
    )


def test_an_unusable_argument_is_told_with_the_way_out(alone):
    assert "needs a Check, the name of a claim and a model" in said(alone.tests["test_three"])
    assert "add the argument" in said(alone.tests["test_by_another_way"])
    assert "got 3; leave it out" in said(alone.tests["test_marked_wrongly"])


def test_jax_flags_and_hypothesis_profiles_are_left_alone(alone, workers):
    assert outcome(alone.tests["test_zero"]) == outcome(workers.tests["test_zero"]) == "pass"


def test_a_key_is_a_tests_own_and_the_same_in_every_process(alone, workers):
    keys = [properties(s.tests[f"test_key[{i}]"]) for s in (alone, workers) for i in (1, 2)]
    assert keys[0] == keys[2] != keys[1] == keys[3]


def test_workers_find_what_one_process_finds(alone, workers):
    def found(session, name):
        return {k: v for k, v in properties(session.tests[name]) if k != "ntval.alpha"}

    assert alone.tests.keys() == workers.tests.keys()
    for name in alone.tests:
        assert found(alone, name) == found(workers, name), name


def test_workers_know_all_parts_of_alpha(workers):
    (alpha,) = [v for k, v in properties(workers.tests["test_claim"]) if k == "ntval.alpha"]
    assert float(alpha) == pytest.approx(1e-6 / workers.sharing / 2)


def test_junit_properties_name_claim_verdict_evidence_alpha_and_seed(alone):
    found = dict(properties(alone.tests["test_claim"]))
    assert found["ntval.claim"] == "kernel_identities.mean_kernel"
    assert found["ntval.verdict"] == "SUPPORTED"
    assert float(found["ntval.log_e"]) == 12
    assert float(found["ntval.alpha"]) == pytest.approx(1e-6 / alone.sharing / 2)
    assert found["ntval.seed"] == "5"


# The budget.


def alphas(document, test):
    return [c["alpha"] for c in document["checks"] if c["test"].endswith(f"::{test}")]


def test_tests_share_the_sessions_alpha_evenly(alone, document):
    part = 1e-6 / alone.sharing
    assert alphas(document, "test_claim") == pytest.approx([part / 2])
    assert sum(c["alpha"] for c in document["checks"] if c["seed"] == 5) < 1e-6


def test_calls_of_one_test_never_spend_more_than_its_part(alone, document):
    part = 1e-6 / alone.sharing
    expected = [part / (k * (k + 1)) for k in range(1, 6)]
    assert alphas(document, "test_many_calls") == pytest.approx(expected)
    assert alphas(document, "test_given") == pytest.approx(expected[:4])


def test_a_marked_test_has_a_budget_and_a_seed_of_its_own(document):
    (check,) = [c for c in document["checks"] if c["test"].endswith("::test_marked")]
    assert check["alpha"] == pytest.approx(1e-3 / 2)
    assert check["seed"] == 7
    assert document["alpha"] == pytest.approx(1e-6 + 1e-3)


def test_the_sum_of_what_was_spent_stays_below_alpha(document):
    spent = [c["spent"] for c in document["checks"]]
    assert sum(spent) == pytest.approx(document["spent"])
    assert 0 < document["spent"] < document["alpha"]


# What is written.


def test_the_json_report_has_every_check(document):
    assert document["schema"] == report.SCHEMA
    assert document["versions"]["ntval"]
    verdicts = [c["verdict"] for c in document["checks"]]
    assert verdicts.count("REFUTED") == 3
    assert verdicts.count("NOT RUN") == 2
    expected = [c["test"] for c in document["checks"] if c["expected"]]
    assert expected == ["test_host.py::test_ntk[batchy-batch_independence]"]
    assert all(c["results"] or c["not_run"] for c in document["checks"])


def test_the_page_merges_all_workers(workers):
    page = (workers.folder / "out.html").read_text()
    assert "test_host.py::test_ntk[fixed-batch_independence]" in page
    assert "test_host.py::test_many_calls" in page
    assert "<svg" in page
    assert "because the network has no kernel_fn" in page


@pytest.mark.parametrize(
    ("which", "counts", "words"),
    [
        ("alone", "2 REFUTED, 1 REFUTED as expected, 1 INCONCLUSIVE, ", "TEST --ntval-seed=5"),
        (
            "workers",
            "1 REFUTED, 3 REFUTED as expected, 1 INCONCLUSIVE, ",
            "-k TEST --ntval-network=nets:fixed --ntval-network=nets:batchy --ntval-seed=5",
        ),
    ],
)
def test_the_summary_counts_verdicts_and_says_how_to_repeat(sessions, which, counts, words):
    session = sessions[which]
    _, _, summary = session.output.partition("= ntval =")
    assert counts in summary
    closest = "closest to a refutation: test_host.py::test_claim, e = 1.6e+05, where "
    assert f"{closest}{2e6 * session.sharing:.1e} refutes" in summary
    assert f"of alpha = 0.001001 was spent ({session.sharing + 1} tests)" in summary
    assert f"replay a test: pytest {words} --ntval-alpha=" in summary
    assert f"wrote {session.folder}" in summary


def test_a_line_that_a_worker_matched_is_not_stale(workers):
    assert "XFAIL test_host.py::test_refuted_by_chance - made up" in workers.output
    assert re.findall(r"FAILED known.txt, line (\d)", workers.output) == ["4"]


# Expected refutations.


def test_expected_refutations_of_networks_in_workers(workers):
    verdicts = {name: outcome(case) for name, case in workers.networks.items()}
    assert len(verdicts) >= 12
    assert set(verdicts.values()) == {"pass", "skipped", "failure"}
    assert [name for name, verdict in verdicts.items() if verdict == "failure"] == [
        "nets:fixed::symmetry"
    ]
    assert "PASSED nets:fixed::batch_independence" in workers.output
    assert "XFAIL nets:batchy::batch_independence - known since May" in workers.output
    skipped = list(verdicts.values()).count("skipped") - 1  # besides what was expected
    assert f"SKIPPED [{skipped}] nets:batchy: not run, because" in workers.output
    assert (
        "kernel_identities.symmetry was expected to be refuted (a guess), but is SUPPORTED: "
        "take line 3 out of known.txt" in workers.output
    )
    assert (
        "FAILED known.txt, line 4: no check that was collected is called "
        "'kernel_identities.simmetry' (a slip); did you mean 'kernel_identities.symmetry'?"
    ) in workers.output

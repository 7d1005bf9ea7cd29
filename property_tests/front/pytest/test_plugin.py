"""The pytest plugin as a host meets it: in processes of its own, alone and under pytest-xdist."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

# A session of pytester in this process gives up what it imports, and JAX loads but once.
import ntval.front.checks
import ntval.front.pytest.hooks
import ntval.front.pytest.session  # noqa: F401
from ntval.front.pytest import report

pytest_plugins = ["pytester"]

# One worker, so that what the module sets up is set up once.
pytestmark = pytest.mark.xdist_group("plugin")

CACHE = Path(__file__).parents[3] / ".cache" / "jax"
# jaxtyping's own plugin loads NumPy, and no host of these tests needs it.
ALONE = ("-p", "no:cacheprovider", "-p", "no:jaxtyping")
BARE = (*ALONE, "-p", "no:hypothesispytest")  # half a second less for sessions that draw nothing

NETS = """
import jax.numpy as jnp

def apply_fn(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]

def batchy_fn(params, x):
    return apply_fn(params, x) - x.mean()

params = {"w": jnp.eye(4), "v": jnp.ones((4, 1))}
fixed, batchy = (apply_fn, params), (batchy_fn, params)
"""

HOST = """
from dataclasses import replace
from types import SimpleNamespace

import hypothesis
import jax
import nets
import ntval
import pytest
from hypothesis import strategies
from ntval.evidence.verdict import Decision, Verdict

FLAGS = {name: getattr(jax.config, name) for name in (
    "jax_enable_x64", "jax_compilation_cache_dir", "jax_default_prng_impl"
)}
PROFILE = hypothesis.settings.get_current_profile_name(), repr(hypothesis.settings.default)
REGIME = ntval.Regime(n=3, d=2, widths=(4,))

def decided(verdict, log_e=0.0):
    decision = Decision(verdict, "means", "made up", 0.0, 1.0, 1.0, log_e=log_e)
    return replace(
        ntval.CLAIMS["kernel_identities.mean_kernel"],
        subject=lambda point: None,
        procedure=SimpleNamespace(
            statistical=True, examine=lambda *_: None, decide=lambda *_, **__: decision
        ),
        diagnose=None,
    )

@ntval.parametrize_with_claims(
    {"fixed": nets.fixed, "batchy": nets.batchy},
    claims=["batch_independence"],
    expected_refutations={"batchy-batch_independence": "planted"},
)
def test_ntk(check, check_claim):
    check_claim(check)

def test_refuted(check_claim):
    check_claim("batch_independence", *nets.batchy, name="mine")

def test_no_twin(check_claim):
    check_claim("mean_kernel", nets.fixed)

def test_broken(check_claim):
    check_claim("symmetry", nets.batchy)

def test_claim(check_claim):
    run = check_claim(decided(Verdict.SUPPORTED, 12.0), REGIME)
    assert run.settings.network is None
    assert [result.point for result in run.results] == [REGIME]

def test_open(check_claim):
    check_claim(decided(Verdict.INCONCLUSIVE), REGIME)

def test_refuted_by_chance(check_claim):
    check_claim(decided(Verdict.REFUTED, 40.0), REGIME)

def test_many_calls(check_claim):
    for _ in range(5):
        check_claim(decided(Verdict.SUPPORTED), REGIME)

@hypothesis.settings(deadline=None, max_examples=4)
@hypothesis.given(strategies.integers())
def test_given(check_claim, number):
    check_claim(decided(Verdict.SUPPORTED), REGIME)

@pytest.mark.ntval(alpha=1e-3, seed=7)
def test_marked(check_claim):
    check_claim(decided(Verdict.SUPPORTED), REGIME)

@pytest.mark.ntval(alpha=3)
def test_marked_wrongly(check_claim):
    check_claim(decided(Verdict.SUPPORTED), REGIME)

def test_three(check_claim):
    check_claim(3)

def test_by_another_way(request):
    request.getfixturevalue("check_claim")("symmetry", nets.fixed)

@pytest.mark.parametrize("which", [1, 2])
def test_key(ntval_key, request, which):
    request.node.user_properties.append(("key", jax.random.key_data(ntval_key).tolist()))

def test_zero(check_claim):
    check_claim("symmetry", nets.fixed)
    assert not jax.config.jax_enable_x64
    assert FLAGS == {name: getattr(jax.config, name) for name in FLAGS}
    assert PROFILE == (
        hypothesis.settings.get_current_profile_name(), repr(hypothesis.settings.default)
    )
"""
# Of both networks: expected, expected wrongly, and two lines that no check answers to.
KNOWN = """test_refuted_by_chance: made up
nets:batchy::batch_independence: known since May
nets:fixed-symmetry: a guess
kernel_identities.simmetry: a slip
"""
SHARING = 12  # tests of HOST that split the session's alpha


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name, value in environment_of_a_host().items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)


def environment_of_a_host():
    return {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(CACHE),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "COLUMNS": "200",
    }


def host_session(folder, *options):
    """A session of pytest in a process and directory of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-ra", *ALONE, *options],
        cwd=folder,
        env={**clean, **environment_of_a_host()},
        capture_output=True,
        text=True,
        check=False,
    )
    return SimpleNamespace(status=done.returncode, output=done.stdout + done.stderr, folder=folder)


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
    assert f"repeat a test: pytest {words} --ntval-alpha=" in summary
    assert f"wrote {session.folder}" in summary


def test_a_line_that_a_worker_matched_is_not_stale(workers):
    assert "XFAIL test_host.py::test_refuted_by_chance - made up" in workers.output
    assert re.findall(r"FAILED known.txt, line (\d)", workers.output) == ["4"]


# Hosts that do not use it.


def test_a_host_that_does_not_use_ntval_imports_nothing_and_sees_nothing(pytester):
    pytester.makepyfile(
        "import sys\n"
        "def test_host():\n"
        "    loaded = [n for n in ('jax', 'numpy', 'ntval', 'scipy') if n in sys.modules]\n"
        "    assert loaded == []\n"
        "    assert '_ntval_pytest_plugin' in sys.modules\n"
    )
    result = pytester.runpytest_subprocess("-W", "error", *BARE)
    result.assert_outcomes(passed=1)
    assert "ntval 0" not in result.stdout.str()
    assert "= ntval =" not in result.stdout.str()


# Options.


@pytest.mark.parametrize(
    ("option", "part"),
    [
        ("--ntval-alpha=2", "a probability between 0 and 1, got '2'; the default"),
        ("--ntval-seed=x", "a whole number from 0 to 2^63 - 1 or 'commit', got 'x'; the default"),
        ("--ntval-seed=٣", "a whole number from 0 to 2^63 - 1 or 'commit', got '٣'; the default"),
        ("--ntval-seed=commit", "a git checkout here, got 'commit'; pass a number"),
        ("--ntval-profile=fast", "quick, standard or thorough, got 'fast'; the default"),
        ("--ntval-network=nets", "the form MODULE:ATTR, got 'nets'; for example"),
        ("--ntval-report=a.txt", "a file that ends in .html or .json, got 'a.txt'; name it so"),
        ("--ntval-report=no/a.json", "an existing directory, got 'no/a.json'; create it"),
        ("--ntval-expected=no", "a readable text file (No such file or directory), got 'no'"),
        ("--ntval-expected=bad.txt", "lines 'claim-or-test-id: reason', got 'symmetry'; give"),
    ],
)
def test_an_unusable_option_is_told_in_one_line(pytester, monkeypatch, option, part):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(pytester.path.parent))
    pytester.path.joinpath("bad.txt").write_text("# known\nsymmetry\n")
    with pytest.raises(pytest.UsageError) as refused:
        pytester.parseconfigure(option, "-p", "no:cacheprovider")
    (line,) = refused.value.args
    assert line.startswith(f"{option.partition('=')[0]} needs {part}")
    assert "\n" not in line


def test_a_network_that_cannot_be_read_is_one_line_under_xdist_too(pytester):
    pytester.makepyfile(nets=NETS)
    result = pytester.runpytest_inprocess("--ntval-network=nets:fixd", "-n", "2", *BARE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        "ERROR: --ntval-network: network needs an attribute of 'nets', got 'fixd'; "
        "did you mean 'fixed'?"
    ]


# Generated tests and expected refutations.


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


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """A worker's session with options, a seed and a stale line, of tests that check nothing."""
    folder = tmp_path_factory.mktemp("idle")
    (folder / "test_host.py").write_text(
        "import sys\n"
        "def test_host():\n"
        "    assert [n for n in ('jax', 'numpy', 'scipy') if n in sys.modules] == []\n"
        "    assert 'ntval' in sys.modules\n"
    )
    (folder / "known.txt").write_text("test_gone.py::test_ntk: repaired\n")
    for words in (
        ("init", "-q"),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "a"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return host_session(
        folder, *BARE, "--ntval-seed=commit", "--ntval-expected=known.txt", "-n", "1"
    )


def test_options_alone_import_no_jax(idle):
    assert "1 passed" in idle.output, idle.output


def test_a_stale_line_fails_a_session_by_itself(idle):
    assert idle.status == pytest.ExitCode.TESTS_FAILED
    assert idle.output.count("FAILED known.txt, line 1") == 1


def test_seed_commit_is_that_of_head(idle):
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=idle.folder
    )
    assert f"seed {int(head.stdout[:8], 16)}" in idle.output


def test_a_run_of_some_tests_calls_no_line_stale(pytester):
    pytester.makepyfile(nets=NETS, test_other="def test_other(): pass")
    pytester.path.joinpath("known.txt").write_text(
        "symmetry: not selected\ntest_other.py::test_gone: but this file was collected\n"
    )
    result = pytester.runpytest_inprocess("test_other.py", "--ntval-expected=known.txt", *BARE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "line 2: no check" in result.stdout.str()
    assert "line 1" not in result.stdout.str()

"""Options of the pytest plugin, and hosts that do not use it."""

import os
import subprocess

import pytest
from host_sessions import BARE, NETS, environment_of_a_host, host_session

# A session of pytester in this process gives up what it imports, and JAX loads but once.
import ntval.front.checks
import ntval.front.pytest.hooks
import ntval.front.pytest.session  # noqa: F401

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name, value in environment_of_a_host().items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)


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


# A session by itself.


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

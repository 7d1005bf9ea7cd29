"""Sessions of pytest as a host of the plugin runs them, and the tests that the host has."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

CACHE = Path(__file__).parents[1] / ".cache" / "jax"
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

"""What a gap looks like: each cause is named where it is there, and no other."""

import re

import jax
import numpy as np
import pytest

from ntval import Network, stax
from ntval.arrays import float64
from ntval.claims.gram_matrices import equals_reference
from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.causes import named
from ntval.claims.kernel_identities.means import nngp_kernel
from ntval.claims.kernel_identities.words import Fit, gap_words
from ntval.regimes import Regime
from ntval.subjects.arguments import subject_of

N = 12
rows = np.random.default_rng(0).standard_normal((N, 40))
K = rows @ rows.T / 40
COVARIANCE = K + 0.1 * np.outer(rows[:, 0], rows[:, 0])


def changed(where, factor):
    gram = K.copy()
    gram[where] *= factor
    return gram


def rows_changed(chosen, factor):
    scale = np.ones(N)
    scale[chosen] = factor
    return K * scale[:, None] * scale


CAUSES = {
    "scale": (1.03 * K, "3.0% too large throughout: a wrong scale"),
    "small scale": (0.7 * K, "30.0% too small throughout: a wrong scale"),
    "smaller scale": (K / 64, "64 times too small throughout: a wrong scale"),
    "sum over outputs": (10 * K, "10 times too large throughout: the sum over 10 outputs"),
    "off diagonal": (K + 0.1 * (K - np.diag(np.diag(K))), "10.0% too large away from the diagonal"),
    "diagonal": (K + 0.05 * np.diag(np.diag(K)), "5.0% too large on the diagonal"),
    "jitter": (K + 0.05 * np.eye(N), "on the diagonal, and right elsewhere, by +0.05 each: jitter"),
    "entry": (
        changed(([2, 9], [9, 2]), 1.15),
        "entry [2, 9] of it is 15.0% too large, and no other",
    ),
    "rows": (rows_changed([3, 4], 2.0), "rows [3, 4] of it are off, the others are not"),
    "constant": (K + 0.3, "off by a constant, +0.3"),
    "nngp": (COVARIANCE, "the NNGP kernel in place of the NTK"),
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_cause_is_named_where_it_is_there_and_no_other(cause, noise):
    kernel, said = CAUSES[cause]
    size = min(np.linalg.norm(kernel - K), np.linalg.norm(K))
    chance = np.random.default_rng(1).standard_normal((N, N))
    chance = noise * size * (chance + chance.T) / np.linalg.norm(chance + chance.T)
    left = float(np.linalg.norm(kernel - COVARIANCE))
    nngp = Fit(causes.NNGP, causes.NNGP(name="it"), left, noise=0.0, exact=True)
    words = gap_words("it", kernel, K + chance, noise=noise * size, more=[nngp], outputs=10)
    true = named(gap_words("it", kernel, K, more=[nngp], outputs=10))
    assert len(true) == 1
    assert named(words) == true
    if not noise:
        assert said in words


OFF = K - np.diag(np.diag(K))


@pytest.mark.parametrize("pattern", [K, OFF, np.diag(np.diag(K)), np.ones_like(K)])
@pytest.mark.parametrize("deviates", [-1.9, 0.7, 1.9])
def test_a_size_is_told_with_two_standard_errors_where_chance_has_a_part(pattern, deviates):
    # All of the noise lies along the cause, as that of a mean kernel nearly does.
    error = 0.01
    words = gap_words(
        "it",
        K + 0.2 * pattern,
        K + deviates * error * pattern,
        noise=error * float(np.linalg.norm(pattern)),
    )
    size, within = (float(found) for found in re.findall(r"(\d+\.?\d*)%?(?= \(| by)", words))
    unit = 100 if "%" in words else 1
    assert abs(size - 0.2 * unit) <= within <= 2.5 * error * unit


def test_what_no_cause_explains_is_not_called_another_architecture():
    other = np.random.default_rng(2).standard_normal((N, 40))
    words = gap_words("it", other @ other.T / 40, K)
    assert "by no single cause; looked for, and not found: " in words
    assert not named(words)


def test_of_causes_that_explain_a_gap_as_well_none_is_named():
    words = gap_words("it", 1.1 * np.ones((4, 4)), np.ones((4, 4)))
    assert words.startswith("not told apart: ")
    assert {causes.SCALE, causes.CONSTANT} == set(named(words))


def test_one_number_at_all_inputs_is_called_that_and_no_other_parametrization():
    words = gap_words("it", 1.1 * np.ones_like(K), K, noise=0.01)
    assert words == "it is 1.1 at all pairs of inputs: it does not depend on them"


def test_a_gap_that_is_all_chance_has_no_cause():
    noise = np.random.default_rng(3).standard_normal((N, N)) / 100
    words = gap_words("it", K + noise + noise.T, K, noise=float(np.linalg.norm(noise + noise.T)))
    assert not named(words)


def test_a_kernel_that_is_nearly_the_same_at_all_inputs_tells_no_causes_apart():
    # As of an image network that averages over all places: a wrong theory that is off by less than
    # the kernel varies looks like a scale.
    near = 1 + 0.02 * K
    assert named(gap_words("it", 1.1 * near, near)) == (causes.SCALE,)
    assert not named(gap_words("it", 1.1 + 0.02 * COVARIANCE[::-1, ::-1], near))


def test_a_draw_is_called_one_where_it_is_as_far_as_one_may_be():
    noise = np.random.default_rng(3).standard_normal((N, N))
    near = K + 0.03 * (noise + noise.T)
    assert "as far as one draw of a finite network may be" in gap_words("it", near, K, draws=1)
    assert "draw" not in gap_words("it", near, K)
    assert "draw" not in gap_words("it", 1.03 * K, K, draws=1)


@pytest.mark.parametrize("kernel", [np.nan * K, np.inf * K])
def test_what_is_not_finite_is_called_so(kernel):
    assert gap_words("it", kernel, K) == "it is not finite"


@pytest.mark.parametrize("drawn", [False, True])
def test_the_nngp_kernel_as_a_gram_matrix_is_called_so(drawn):
    x = np.random.default_rng(0).standard_normal((6, 5))
    kernel_fn = stax.serial(stax.Dense(1, 1.4, 0.3), stax.Relu(), stax.Dense(1, 1.4, 0.3))[2]
    with float64():
        gram = np.asarray(kernel_fn(x, None, "nngp"))
    noise = np.random.default_rng(1).standard_normal((400, 6, 6)) / 100
    given = gram + noise + noise.transpose(0, 2, 1) if drawn else gram
    subject = subject_of(given, x=x, kernel_fn=kernel_fn)
    words = equals_reference.diagnose(jax.random.key(0), Regime(n=6, d=5), subject)
    assert named(words) == (causes.NNGP,)


def nngp_words(kernel_fn, init_fn, apply_fn):
    subject = subject_of(Network(init_fn, apply_fn, kernel_fn, input_shape=(5,)))
    return nngp_kernel.diagnose(jax.random.key(0), Regime(n=6, d=5), subject)


def test_what_a_twin_gives_as_its_nngp_kernel_is_looked_at():
    init_fn, apply_fn, kernel_fn = stax.serial(stax.Dense(64), stax.Relu(), stax.Dense(1))

    def twice(x1, x2=None, get="ntk"):
        return (2.0 if get == "nngp" else 1.0) * kernel_fn(x1, x2, get)

    def ignores(x1, x2=None, get="ntk"):
        return kernel_fn(x1, x2, "ntk")

    assert named(nngp_words(ignores, init_fn, apply_fn)) == (causes.GET,)
    assert named(nngp_words(twice, init_fn, apply_fn)) == (causes.SCALE,)


def test_a_twin_without_an_nngp_kernel_is_not_asked_for_one():
    x = np.random.default_rng(0).standard_normal((6, 5))
    subject = subject_of(1.1 * x @ x.T, x=x, kernel_fn=lambda x1, x2: x1 @ x2.T)
    assert subject.nngp() is None
    words = equals_reference.diagnose(jax.random.key(0), Regime(n=6, d=5), subject)
    assert named(words) == (causes.SCALE,)

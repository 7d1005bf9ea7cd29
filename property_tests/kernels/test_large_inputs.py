"""Twins of activations without a closed form, at inputs as large as people bring them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntval.arrays import float64
from ntval.errors import InputError
from ntval.kernels import analytic, quadrature_oracle
from ntval.networks.mlp import Mlp

D = 6
X1 = np.random.default_rng(1).standard_normal((5, D))
X2 = np.random.default_rng(2).standard_normal((3, D))
SMOOTH = ("silu", "softplus", "sigmoid", "tanh")


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("size", [0.5, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("jitted", [False, True])
def test_large_pre_activations_are_integrated_as_finely_as_they_need(name, size, jitted):
    # The largest standard deviation of a pre-activation is `size`: one for each rule.
    ours = Mlp(D, (4,), name, w_std=1.0, b_std=0.0)
    x1, x2 = (size * np.sqrt(D / (x**2).sum(axis=1).max()) * x for x in (X1, X2))
    twin = analytic.kernel_fn(ours)
    with float64():
        found = np.asarray((jax.jit(twin) if jitted else twin)(jnp.asarray(x1), jnp.asarray(x2)))
    expected = np.asarray(quadrature_oracle.ntk(ours, x1, x2))
    diagonals = [np.diag(quadrature_oracle.ntk(ours, x)) for x in (x1, x2)]
    scale = np.sqrt(np.outer(*diagonals))
    allowed = (analytic.ACCURACY + quadrature_oracle.ACCURACY) * scale
    assert (np.abs(found - expected) <= allowed).all()


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("rows", ["x1", "x2"])
def test_pre_activations_beyond_every_rule_are_refused(name, rows):
    ours, large = Mlp(D, (4,), name, w_std=1.0, b_std=0.0), 1.01 * analytic.LARGEST_STD
    beyond = large * np.sqrt(D) * np.eye(D)[:2]
    given = (beyond, X2) if rows == "x1" else (X2, beyond)
    with pytest.raises(InputError, match=r"scale the inputs, .* deviation up to 17\.6"):
        analytic.ntk(ours, *given)

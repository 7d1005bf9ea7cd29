"""Every method of the empirical kernel at inputs made to break it: duplicates, opposite and zero
rows, scales from 1e-8 to 1e8, fewer dimensions than rows, one of everything."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.kernels.methods import METHODS, PUBLIC, methods_of
from ntval.networks.mlp import Mlp, init, network_of

NETWORKS = [
    Mlp(1, (1,), "relu", b_std=0.0),
    Mlp(2, (1, 3), "tanh", outputs=2),
    Mlp(3, (4,), "cubic", outputs=2, b_std=0.0),
    Mlp(2, (3,), "erf", parametrization="montanari_zhong"),
    Mlp(1, (3, 1, 2), "leaky_relu", parametrization="standard"),
]
IDS = [f"{mlp.activation}-{mlp.sizes}" for mlp in NETWORKS]


@st.composite
def adversarial(draw, d, n=(1, 3)):
    """n rows of d entries: of a small pool, each times a scale, a sign, or 0."""
    count = draw(st.sampled_from(n))
    entries = st.floats(-2.0, 2.0, allow_subnormal=False, width=32)
    pool = draw(st.lists(st.lists(entries, min_size=d, max_size=d), min_size=1, max_size=2))
    scales = st.sampled_from((1.0, -1.0, 0.0, 1e-8, 1e-3, 1e3, 1e8))
    rows = [np.array(draw(st.sampled_from(pool))) * draw(scales) for _ in range(count)]
    return np.array(rows)


@functools.cache
def params_of(mlp):
    return init(mlp, jax.random.key(1))


@functools.cache
def rows_of(mlp):
    apply_fn = network_of(mlp).apply_fn
    return jax.jit(jax.jacrev(lambda params, x: apply_fn(params, x)))


def jacobian(mlp, x):
    """The Jacobian as JAX has it, (n, outputs, parameters)."""
    leaves = jax.tree.leaves(rows_of(mlp)(params_of(mlp), jnp.asarray(x)))
    return np.concatenate([np.asarray(j).reshape(len(x), mlp.outputs, -1) for j in leaves], axis=2)


@functools.cache
def program(mlp, name):
    return jax.jit(functools.partial(METHODS[name], network_of(mlp)))


def assert_is_product(mlp, gram, rows1, rows2):
    product = np.einsum("iop,jop->ij", rows1, rows2) / mlp.outputs
    sizes = [np.sqrt((rows**2).sum(axis=(1, 2)) / mlp.outputs) for rows in (rows1, rows2)]
    # Each entry passes through sum(sizes) products and sums; 64 covers the factor
    # |h sigma''(h) / sigma'(h)| by which an activation magnifies the rounding of h.
    allowed = rounding_allowance(64 * (sum(mlp.sizes) + 4)) * np.outer(*sizes)
    assert (np.abs(np.asarray(gram) - product) <= allowed).all()


@pytest.mark.parametrize("mlp", NETWORKS, ids=IDS)
@given(data=st.data())
def test_every_method_is_the_product_of_the_jacobian(mlp, data):
    x1 = data.draw(adversarial(mlp.d))
    x2 = data.draw(st.none() | adversarial(mlp.d, n=(2,)))
    rows1 = jacobian(mlp, x1)
    rows2 = rows1 if x2 is None else jacobian(mlp, x2)
    for name in methods_of(network_of(mlp)):
        gram = program(mlp, name)(params_of(mlp), x1, x2)
        assert_is_product(mlp, gram, rows1, rows2)


@pytest.mark.parametrize("mlp", NETWORKS, ids=IDS)
@pytest.mark.parametrize(
    "x",
    [
        lambda d: np.zeros((3, d)),
        lambda d: np.tile(np.linspace(-1, 1, d), (3, 1)),
        lambda d: np.outer([1.0, -1.0, 1e8], np.linspace(0.5, 1, d)),
        lambda d: np.full((1, d), 1e-8),
    ],
    ids=["zeros", "duplicates", "opposite and large", "one small"],
)
def test_so_is_every_public_one(mlp, x):
    x = x(mlp.d)
    for name in methods_of(network_of(mlp)):
        gram = PUBLIC[name](network_of(mlp), params_of(mlp), x, None)
        assert_is_product(mlp, gram, jacobian(mlp, x), jacobian(mlp, x))

"""The operator multiplies by the outer product of the Jacobian of the whole batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.errors import InputError, NetworkError
from ntval.front.strategies import inputs
from ntval.kernels import jacobian, operator

N1, N2, D, WIDTH, OUTPUTS = 7, 5, 4, 6, 3
NUM_PARAMS = D * WIDTH + WIDTH + WIDTH * OUTPUTS
X1, X2 = (np.random.default_rng(seed).standard_normal((n, D)) for seed, n in ((1, N1), (2, N2)))
# Each entry passes through a product and a sum a parameter and a sample; 32 covers the factor
# by which the network magnifies the rounding of its pre-activations.
ALLOWANCE = rounding_allowance(32 * (NUM_PARAMS + N1))


def _network(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["out"]


def _normalized(params, x):
    """A network that couples the samples of a batch."""
    h = x @ params["w"] + params["b"]
    return jnp.tanh((h - h.mean(axis=0)) / jnp.sqrt(h.var(axis=0) + 1.0)) @ params["out"]


_rng = np.random.default_rng(0)
PARAMS = {
    "w": _rng.standard_normal((D, WIDTH)),
    "b": _rng.standard_normal(WIDTH),
    "out": _rng.standard_normal((WIDTH, OUTPUTS)),
}


def _rows(network, x):
    leaves = jax.tree.leaves(jax.jit(jax.jacrev(lambda params: network(params, x)))(PARAMS))
    return np.concatenate([np.asarray(leaf).reshape(len(x), OUTPUTS, -1) for leaf in leaves], -1)


def _expected(network, x1, x2, outputs):
    """The matrix, and the size that its entries' errors are relative to."""
    rows1, rows2 = _rows(network, x1), _rows(network, x2)
    if outputs == "full":
        rows1, rows2 = rows1.reshape(-1, NUM_PARAMS), rows2.reshape(-1, NUM_PARAMS)
    elif outputs == "trace":
        rows1, rows2 = (rows.reshape(len(rows), -1) / np.sqrt(OUTPUTS) for rows in (rows1, rows2))
    else:
        rows1, rows2 = rows1[:, outputs], rows2[:, outputs]
    scale = np.linalg.norm(rows1, axis=1).max() * np.linalg.norm(rows2, axis=1).max()
    return rows1 @ rows2.T, scale


@pytest.mark.parametrize("network", [_network, _normalized])
@pytest.mark.parametrize("outputs", ["trace", 1, "full"])
@pytest.mark.parametrize("x2", [None, X2])
def test_products_with_the_identity_are_the_outer_product_of_the_jacobian(network, outputs, x2):
    matrix, scale = _expected(network, X1, X1 if x2 is None else x2, outputs)
    product = operator.ntk(network, PARAMS, X1, x2, outputs=outputs)
    assert product.shape == matrix.shape
    dense = np.asarray(product(np.eye(matrix.shape[1])))
    assert (np.abs(dense - matrix) <= ALLOWANCE * scale).all()


@pytest.mark.parametrize("batch_size", [2, 64])
@pytest.mark.parametrize("outputs", ["trace", 1, "full"])
@pytest.mark.parametrize("x2", [None, X2])
def test_gram_is_the_matrix_of_the_operator(batch_size, outputs, x2):
    matrix, scale = _expected(_normalized, X1, X1 if x2 is None else x2, outputs)
    gram = jax.jit(
        lambda params: operator.gram(
            _normalized, params, X1, x2, outputs=outputs, batch_size=batch_size
        )
    )(PARAMS)
    gram = np.asarray(gram)
    assert (np.abs(gram - matrix) <= ALLOWANCE * scale).all()
    if x2 is None:  # to the bit: the lower triangle is read from the upper one
        assert (gram == gram.T).all()


@given(x=inputs(N1, D), v=st.lists(st.floats(-1, 1), min_size=N1, max_size=N1))
def test_product_is_that_of_the_dense_kernel_where_samples_are_apart(x, v):
    kernel = np.asarray(jacobian.ntk(_network, PARAMS, x))
    image = np.asarray(operator.ntk(_network, PARAMS, x)(np.array(v)))
    scale = np.sqrt(np.outer(np.diag(kernel), np.diag(kernel))) @ np.abs(v)
    # The tiniest products underflow: one smallest number each.
    floor = N1 * NUM_PARAMS * np.finfo(float).tiny
    assert (np.abs(image - kernel @ np.array(v)) <= ALLOWANCE * scale + floor).all()


def test_a_network_that_couples_its_samples_differs_from_the_same_one_sample_at_a_time():
    whole = np.asarray(operator.gram(_normalized, PARAMS, X1))
    apart = np.asarray(jacobian.ntk(_normalized, PARAMS, X1))
    # In the first half of the digits: far beyond what rounding could do.
    assert np.abs(whole - apart).max() > np.sqrt(ALLOWANCE) * np.abs(whole).max()


def test_columns_are_multiplied_one_by_one():
    product = operator.ntk(_network, PARAMS, X1, X2)
    block = np.random.default_rng(3).standard_normal((N2, 2))
    images = np.asarray(product(block))
    assert images.shape == (N1, 2)
    # To the bit: the same compiled program makes each column.
    assert (images[:, 1] == np.asarray(product(block[:, 1]))).all()


def test_float64_inputs_lose_nothing_without_the_flag():
    v = np.linspace(-1, 1, N1)
    expected = np.asarray(operator.ntk(_network, PARAMS, X1)(v))
    with jax.enable_x64(False):
        image = operator.ntk(_network, PARAMS, X1)(v)
        assert not jax.config.jax_enable_x64
    assert image.dtype == np.float64
    # To the bit: one compiled program, which computes in float64 whatever the flag.
    assert (np.asarray(image) == expected).all()


class _Unhashable:
    """A network by a callable that no cache can keep."""

    __hash__ = None

    def __call__(self, params, x):
        return _network(params, x)


@pytest.mark.parametrize("outputs", ["trace", 1])
def test_a_callable_without_a_hash_has_the_kernel_of_its_function(outputs):
    v = np.linspace(-1, 1, N1)
    product = operator.ntk(_Unhashable(), PARAMS, X1, outputs=outputs)
    matrix, scale = _expected(_network, X1, X1, outputs)
    assert (np.abs(np.asarray(product(v)) - matrix @ v) <= ALLOWANCE * scale * N1).all()
    kernel = np.asarray(jacobian.ntk(_Unhashable(), PARAMS, X1, outputs=outputs))
    assert (np.abs(kernel - matrix) <= ALLOWANCE * scale).all()


@jax.custom_vjp
def _reverse_alone(x):
    return x * x


_reverse_alone.defvjp(lambda x: (x * x, x), lambda x, ct: (2 * x * ct,))


def test_what_cannot_be_multiplied_is_refused_with_a_way_out():
    product = operator.ntk(_network, PARAMS, X1)
    with pytest.raises(InputError, match=r"v needs shape \(7,\) or \(7, k\), got \(5,\)"):
        product(np.ones(N2))
    with pytest.raises(InputError, match=r"v needs shape \(5,\) or \(5, k\), got \(7,\)"):
        operator.ntk(_network, PARAMS, X1, X2)(np.ones(N1))
    with pytest.raises(InputError, match=r"index in \[0, 3\), got -1"):
        operator.ntk(_network, PARAMS, X1, outputs=-1)
    with pytest.raises(NetworkError, match=r"to outputs of shape \(7, outputs\)"):
        operator.ntk(lambda p, x: x @ p["missing"], PARAMS, X1)
    with pytest.raises(NetworkError, match=r"finite values, got others at x\[0\]"):
        operator.ntk(lambda p, x: _network(p, x) / 0.0, PARAMS, X1)
    with pytest.raises(NetworkError, match="finite derivatives, got others in a product"):
        operator.ntk(lambda p, x: jnp.sqrt(0.0 * p["b"].sum()) + _network(p, x), PARAMS, X1)(
            np.ones(N1)
        )
    with pytest.raises(NetworkError, match=r"(?s)forward-mode derivatives.*use jacobian"):
        operator.ntk(lambda p, x: _reverse_alone(_network(p, x)), PARAMS, X1)

"""The closed-form kernel of one hidden layer is the outer product of the Jacobian."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.activations import ACTIVATIONS
from ntval.arrays import rounding_allowance
from ntval.errors import InputError, NetworkError
from ntval.front.strategies import inputs
from ntval.kernels import deep_mlp, two_layer
from ntval.networks.mlp import Mlp, apply, init

PARAMETRIZATIONS = ("ntk", "standard", "montanari_zhong")
X1, X2 = (np.random.default_rng(seed).standard_normal((n, 5)) for seed, n in ((1, 6), (2, 4)))


def _mlp(activation="tanh", parametrization="ntk", **options):
    return Mlp(5, (7,), activation, parametrization=parametrization, **options)


def _params(mlp):
    return init(mlp, jax.random.key(0))


@functools.partial(jax.jit, static_argnums=0)
def _jacobian(mlp, params, x):
    return jax.jacrev(lambda params: apply(mlp, params, x))(params)


def _rows(mlp, params, x):
    """The Jacobian as JAX has it, layer by layer: (n, outputs, parameters of the layer)."""
    return [
        np.concatenate(
            [np.asarray(leaf).reshape(len(x), mlp.outputs, -1) for leaf in layer.values()], axis=-1
        )
        for layer in _jacobian(mlp, params, x)
    ]


def _products(rows1, rows2):
    return np.einsum("iop,jop->ij", rows1, rows2) / rows1.shape[1]


def _tolerance(mlp, kernel_diagonals):
    """Both methods pass each entry through sum(sizes) products and sums; 64 covers the factor
    |h sigma''(h) / sigma'(h)| by which an activation magnifies the rounding of h."""
    first, second = kernel_diagonals
    return rounding_allowance(64 * sum(mlp.sizes)) * np.sqrt(np.outer(first, second))


def _assert_equal(mlp, kernel, rows1, rows2):
    diagonals = [(rows**2).sum(axis=(1, 2)) / rows.shape[1] for rows in (rows1, rows2)]
    error = np.abs(np.asarray(kernel) - _products(rows1, rows2))
    assert (error <= _tolerance(mlp, diagonals)).all(), error.max()


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_kernel_is_the_outer_product_of_the_jacobian(activation, parametrization):
    mlp = _mlp(activation, parametrization)
    params = _params(mlp)
    rows = np.concatenate(_rows(mlp, params, np.concatenate([X1, X2])), axis=-1)
    rows1, rows2 = rows[: len(X1)], rows[len(X1) :]
    _assert_equal(mlp, two_layer.ntk(mlp, params, X1), rows1, rows1)
    _assert_equal(mlp, two_layer.ntk(mlp, params, X1, X2), rows1, rows2)


@given(x=inputs(4, 5), outputs=st.sampled_from((1, 3)), b_std=st.sampled_from((0.0, 0.5)))
def test_each_layer_has_its_block_of_the_jacobian_at_any_inputs(x, outputs, b_std):
    mlp = _mlp(outputs=outputs, b_std=b_std)
    params = _params(mlp)
    for layers, rows in zip(("first", "second"), _rows(mlp, params, x), strict=True):
        _assert_equal(mlp, two_layer.ntk(mlp, params, x, layers=layers), rows, rows)


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
def test_both_layers_are_the_sum_of_first_and_second(parametrization):
    mlp = _mlp(parametrization=parametrization)
    first, second, both = (
        np.asarray(two_layer.ntk(mlp, _params(mlp), X1, X2, layers=layers))
        for layers in ("first", "second", "both")
    )
    # One addition more: one rounding of the result.
    allowance = rounding_allowance(2) * (np.abs(first) + np.abs(second))
    assert (np.abs(first + second - both) <= allowance).all()


def test_montanari_zhong_trains_the_first_layer_alone():
    mlp = _mlp(parametrization="montanari_zhong")
    first, both = (two_layer.ntk(mlp, _params(mlp), X1, layers=name) for name in ("first", "both"))
    # To the bit: "both" is another name for the same program.
    assert (first == both).all()


def test_second_layer_of_montanari_zhong_is_the_gram_of_its_features():
    mlp = _mlp(parametrization="montanari_zhong")
    params = _params(mlp)
    features = np.tanh(X1 @ np.asarray(params[0]["w"])) / np.sqrt(7 * 5)
    kernel = np.asarray(two_layer.ntk(mlp, params, X1, layers="second"))
    diagonals = [np.einsum("ik,ik->i", features, features)] * 2
    assert (np.abs(kernel - features @ features.T) <= _tolerance(mlp, diagonals)).all()


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@given(x=inputs(8, 5))
def test_kernel_of_one_set_of_inputs_is_bitwise_symmetric(parametrization, x):
    # By construction: the lower triangle is read from the upper one.
    mlp = _mlp("gelu", parametrization)
    kernel = np.asarray(two_layer.ntk(mlp, _params(mlp), x))
    assert (kernel == kernel.T).all()


def test_float32_inputs_and_flags_leave_a_float64_kernel():
    mlp = _mlp()
    with jax.enable_x64(False):
        params = _params(mlp)
        kernel = two_layer.ntk(mlp, params, X1.astype(np.float32))
        assert not jax.config.jax_enable_x64
    assert kernel.dtype == np.float64
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    same = two_layer.ntk(mlp, wide, X1.astype(np.float32).astype(np.float64))
    # To the bit: widening is exact, and what follows is one compiled program.
    assert (np.asarray(kernel) == np.asarray(same)).all()


def test_float64_inputs_lose_nothing_without_the_flag():
    mlp = _mlp()
    params = jax.tree.map(np.asarray, _params(mlp))
    expected = np.asarray(two_layer.ntk(mlp, params, X1))
    with jax.enable_x64(False):
        kernel = np.asarray(two_layer.ntk(mlp, params, X1))
    # To the bit: one compiled program, which computes in float64 whatever the flag.
    assert (kernel == expected).all()


def test_gram_maps_over_draws_of_the_parameters():
    mlp = _mlp()
    keys = jax.random.split(jax.random.key(1), 3)
    draws = jax.vmap(lambda key: init(mlp, key))(keys)
    grams = jax.jit(jax.vmap(lambda params: two_layer.gram(mlp, params, jnp.asarray(X1))))(draws)
    for index, gram in enumerate(np.asarray(grams)):
        params = jax.tree.map(lambda leaf, index=index: leaf[index], draws)
        expected = np.asarray(two_layer.ntk(mlp, params, X1))
        diagonal = np.diag(expected)
        assert (np.abs(gram - expected) <= _tolerance(mlp, (diagonal, diagonal))).all()


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
def test_two_layer_agrees_with_deep_mlp(parametrization):
    mlp = _mlp("silu", parametrization, outputs=2)
    params = _params(mlp)
    left, right = (np.asarray(method.ntk(mlp, params, X1)) for method in (two_layer, deep_mlp))
    assert (np.abs(left - right) <= _tolerance(mlp, (np.diag(left), np.diag(left)))).all()


def test_what_is_no_two_layer_network_is_refused_with_a_way_out():
    mlp = _mlp()
    params = _params(mlp)
    with pytest.raises(InputError, match=r"one hidden layer.*use deep_mlp"):
        two_layer.ntk(Mlp(5, (7, 7)), params, X1)
    with pytest.raises(InputError, match=r"one hidden layer, got widths=\(\)"):
        two_layer.ntk(Mlp(5, ()), params[1:], X1)
    with pytest.raises(InputError, match="'first', 'second' or 'both', got 'third'"):
        two_layer.ntk(mlp, params, X1, layers="third")
    with pytest.raises(InputError, match=r"x1 needs rows of shape \(5,\).*got \(4,\)"):
        two_layer.ntk(mlp, params, X1[:, :4])
    with pytest.raises(NetworkError, match=r"list of 2 layers.*got 1 of them"):
        two_layer.ntk(mlp, params[:1], X1)
    with pytest.raises(NetworkError, match=r"params\[1\]\['w'\] needs shape \(7, 1\)"):
        two_layer.ntk(mlp, [params[0], params[0]], X1)
    with pytest.raises(NetworkError, match=r"params\[0\]\['.'\] needs finite entries, got nan"):
        two_layer.ntk(mlp, jax.tree.map(lambda leaf: leaf * np.nan, params), X1)
    with pytest.raises(NetworkError, match=r"the entries 'w' and possibly 'b', got \['kernel'\]"):
        two_layer.ntk(mlp, [{"kernel": 1.0}, params[1]], X1)

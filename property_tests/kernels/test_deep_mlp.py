"""One contraction a layer gives the kernel of a network of any depth, and each layer's share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.activations import ACTIVATIONS, Activation
from ntval.arrays import float64, rounding_allowance
from ntval.errors import InputError, NetworkError
from ntval.front.strategies import inputs
from ntval.kernels import deep_mlp
from ntval.networks.mlp import UNSCALED_LAST_LAYER, Mlp, apply, init

WIDTHS = ((), (6,), (6, 4), (6, 4, 5))
X1, X2 = (np.random.default_rng(seed).standard_normal((n, 5)) for seed, n in ((1, 6), (2, 4)))


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


def _assert_equal(mlp, kernel, rows1, rows2):
    """Both methods pass each entry through sum(sizes) products and sums a layer; 64 covers the
    factor |h sigma''(h) / sigma'(h)| by which an activation magnifies the rounding of h."""
    operations = 64 * sum(mlp.sizes) * (len(mlp.widths) + 1)
    expected = np.einsum("iop,jop->ij", rows1, rows2) / mlp.outputs
    diagonals = [(rows**2).sum(axis=(1, 2)) / mlp.outputs for rows in (rows1, rows2)]
    error = np.abs(np.asarray(kernel) - expected)
    assert (error <= rounding_allowance(operations) * np.sqrt(np.outer(*diagonals))).all()


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_kernel_is_the_outer_product_of_the_jacobian(activation, parametrization):
    mlp = Mlp(5, (6, 4), activation, outputs=2, parametrization=parametrization)
    params = _params(mlp)
    rows = np.concatenate(_rows(mlp, params, np.concatenate([X1, X2])), axis=-1)
    rows1, rows2 = rows[: len(X1)], rows[len(X1) :]
    _assert_equal(mlp, deep_mlp.ntk(mlp, params, X1), rows1, rows1)
    _assert_equal(mlp, deep_mlp.ntk(mlp, params, X1, X2), rows1, rows2)


@pytest.mark.parametrize("widths", WIDTHS)
@given(x=inputs(4, 5), outputs=st.sampled_from((1, 3)), b_std=st.sampled_from((0.0, 0.5)))
def test_each_layer_has_its_block_of_the_jacobian_at_any_depth(widths, x, outputs, b_std):
    mlp = Mlp(5, widths, "tanh", outputs=outputs, b_std=b_std)
    params = _params(mlp)
    kernels = deep_mlp.ntk(mlp, params, x, per_layer=True)
    assert kernels.shape == (len(widths) + 1, 4, 4)
    for kernel, rows in zip(kernels, _rows(mlp, params, x), strict=True):
        _assert_equal(mlp, kernel, rows, rows)


def test_kernel_is_the_sum_of_its_layers():
    mlp = Mlp(5, (6, 4), "gelu", outputs=2)
    params = _params(mlp)
    kernels = np.asarray(deep_mlp.ntk(mlp, params, X1, X2, per_layer=True))
    kernel = np.asarray(deep_mlp.ntk(mlp, params, X1, X2))
    # Two additions in another order, at most.
    allowance = rounding_allowance(4) * np.abs(kernels).sum(axis=0)
    assert (np.abs(kernels.sum(axis=0) - kernel) <= allowance).all()


@pytest.mark.parametrize("per_layer", [False, True])
@given(x=inputs(8, 5))
def test_kernel_of_one_set_of_inputs_is_bitwise_symmetric(per_layer, x):
    # By construction: the lower triangle is read from the upper one.
    mlp = Mlp(5, (6, 4), "silu", outputs=2)
    kernel = np.asarray(deep_mlp.ntk(mlp, _params(mlp), x, per_layer=per_layer))
    assert (kernel == kernel.swapaxes(-1, -2)).all()


def test_an_activation_of_ones_own_is_differentiated_as_it_says():
    square = Activation("square", lambda t: t * t, lambda t: 2 * t)
    mlp = Mlp(5, (6,), square)
    params = _params(mlp)
    rows = np.concatenate(_rows(mlp, params, X1), axis=-1)
    _assert_equal(mlp, deep_mlp.ntk(mlp, params, X1), rows, rows)


def test_float64_inputs_lose_nothing_without_the_flag():
    mlp = Mlp(5, (6, 4), "tanh")
    params = jax.tree.map(np.asarray, _params(mlp))
    expected = np.asarray(deep_mlp.ntk(mlp, params, X1))
    with jax.enable_x64(False):
        kernel = deep_mlp.ntk(mlp, params, X1)
        assert not jax.config.jax_enable_x64
    assert kernel.dtype == np.float64
    # To the bit: one compiled program, which computes in float64 whatever the flag.
    assert (np.asarray(kernel) == expected).all()


def test_gram_maps_over_draws_of_the_parameters():
    mlp = Mlp(5, (6, 4), "tanh")
    keys = jax.random.split(jax.random.key(1), 3)
    draws = jax.vmap(lambda key: init(mlp, key))(keys)
    grams = jax.jit(jax.vmap(lambda params: deep_mlp.gram(mlp, params, jnp.asarray(X1))))(draws)
    for index, gram in enumerate(grams):
        params = jax.tree.map(lambda leaf, index=index: leaf[index], draws)
        rows = np.concatenate(_rows(mlp, params, X1), axis=-1)
        _assert_equal(mlp, gram, rows, rows)


def test_what_does_not_fit_the_network_is_refused_with_a_way_out():
    mlp = Mlp(5, (6,))
    params = _params(mlp)
    signed = Mlp(5, (6,), parametrization="montanari_zhong")
    with pytest.raises(InputError, match="got 'montanari_zhong'; use two_layer"):
        deep_mlp.ntk(signed, _params(signed), X1)
    with pytest.raises(InputError, match="flatten the inputs"):
        deep_mlp.ntk(mlp, params, X1[:, :, None])
    with pytest.raises(NetworkError, match=r"list of 2 layers.*dict"):
        deep_mlp.ntk(mlp, {"w": 1.0}, X1)


@pytest.mark.parametrize("parametrization", ["ntk", "standard", UNSCALED_LAST_LAYER])
@pytest.mark.parametrize("widths", WIDTHS[1:])
def test_factors_are_those_of_each_layer_s_share(widths, parametrization):
    mlp = Mlp(5, widths, "tanh", b_std=0.0, parametrization=parametrization)
    with float64():
        params = _params(mlp)
        products = deep_mlp.factors(mlp, params, jnp.asarray(X1))
        shares = deep_mlp.gram(mlp, params, jnp.asarray(X1), per_layer=True)
    # The same two factors, multiplied in another place: one rounding each.
    for (features, signals), share in zip(products, shares, strict=True):
        np.testing.assert_allclose(features * signals, share, rtol=rounding_allowance(4))
    features = deep_mlp.features(mlp, params, X1)
    assert np.array_equal(features[0], X1)
    assert [z.shape[1] for z in features] == [5, *widths]


@pytest.mark.parametrize("changes", [{"b_std": 0.5}, {"b_std": 0.0, "outputs": 2}])
def test_factors_are_of_one_output_without_biases(changes):
    mlp = Mlp(5, (6,), **changes)
    with pytest.raises(InputError, match="per_layer=True"):
        deep_mlp.factors(mlp, _params(mlp), X1)

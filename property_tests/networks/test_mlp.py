"""Parametrizations are records: others than ours can be written, and every method follows."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntval.arrays import float64, rounding_allowance
from ntval.errors import InputError, UnknownNameError
from ntval.kernels import analytic, deep_mlp, jacobian, operator, quadrature_oracle, two_layer
from ntval.kernels.methods import methods_of
from ntval.networks import mlp
from ntval.networks.mlp import NTK, PARAMETRIZATIONS, Mlp, Parametrization, network_of
from ntval.regimes import Regime

X = np.random.default_rng(0).standard_normal((5, 4))


def _unscaled_head(signs):
    """Hidden layers N(0, w_std^2 / fan_in); a last layer that is not divided by its fan-in."""

    def init(network, key):
        *hidden, last = mlp.STANDARD.init(network, key)
        fan_in = network.widths[-1]
        head = last["w"] * math.sqrt(fan_in)
        return [*hidden, {**last, "w": jnp.sign(head) if signs else head}]

    return Parametrization("unscaled head", init=init, scales=mlp.STANDARD.scales)


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("widths", [(6,), (6, 5)])
def test_a_parametrization_of_another_paper_has_one_kernel_by_every_method(widths, signs):
    network = Mlp(4, widths, "tanh", b_std=0.0, parametrization=_unscaled_head(signs))
    with float64():
        params = mlp.init(network, jax.random.key(0))
        if signs:
            assert set(np.unique(params[-1]["w"])) <= {-1.0, 1.0}
        triple = network_of(network)
        exact = np.asarray(jacobian.ntk(triple.apply_fn, params, X))
        found = [deep_mlp.ntk(network, params, X), operator.gram(triple.apply_fn, params, X)]
        if len(widths) == 1:
            found.append(two_layer.ntk(network, params, X))
    scale = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
    for gram in found:  # P products and sums, twice
        allowed = rounding_allowance(4 * sum(w["w"].size for w in params)) * scale
        assert (np.abs(np.asarray(gram) - exact) <= allowed).all()
    assert methods_of(triple)[-2:] == ("jacobian", "operator")


@pytest.mark.parametrize("kernel", [analytic.ntk, quadrature_oracle.ntk])
def test_a_closed_form_refuses_a_parametrization_that_it_does_not_know(kernel):
    network = Mlp(4, (6,), "erf", parametrization=_unscaled_head(False))
    with pytest.raises(InputError, match="parametrization of ntval's own, got 'unscaled head'"):
        kernel(network, X)


def test_a_parametrization_is_found_by_its_name_and_a_record_passes_through():
    assert mlp.parametrization("ntk") is NTK
    assert mlp.parametrization(NTK) is NTK
    assert all(name == known.name for name, known in PARAMETRIZATIONS.items())
    with pytest.raises(UnknownNameError, match="did you mean 'standard'"):
        Mlp(4, (6,), parametrization="standart")
    with pytest.raises(InputError, match="one hidden layer"):
        Mlp(4, (6, 6), parametrization="montanari_zhong")


@pytest.mark.parametrize("name", ["ntk", "standard"])
def test_both_parametrizations_are_one_function_of_rescaled_weights(name):
    network = mlp.mlp_of(Regime(n=5, d=4, widths=(6, 5), activation="gelu"), parametrization=name)
    with float64():
        params = mlp.init(network, jax.random.key(0))
        other = Mlp(4, (6, 5), "gelu", parametrization="standard" if name == "ntk" else "ntk")
        moved = []
        for layer in params:
            fan_in = layer["w"].shape[0]
            here, there = mlp.scales(network, fan_in), mlp.scales(other, fan_in)
            factors = dict(
                zip("wb", (a / b for a, b in zip(here, there, strict=True)), strict=True)
            )
            moved.append({part: factors[part] * leaf for part, leaf in layer.items()})
        left, right = mlp.apply(network, params, X), mlp.apply(other, moved, X)
        # A dozen roundings a layer on terms of the size of their sums.
        assert np.abs(left - right).max() <= rounding_allowance(200) * np.abs(left).max() * 10


def test_last_layers_that_nothing_divides():
    shape = {"activation": "tanh", "w_std": 1.5, "b_std": 0.0}
    for record in (mlp.UNSCALED_LAST_LAYER, mlp.SIGNED_LAST_LAYER):
        network = Mlp(40, (50, 2000), parametrization=record, **shape)
        *hidden, last = (np.asarray(layer["w"]) for layer in mlp.init(network, jax.random.key(0)))
        for weights in hidden:
            # Five standard errors, of a standard deviation and of a mean square of k normals.
            spread = 5 / np.sqrt(2 * weights.size)
            assert weights.std() * np.sqrt(len(weights)) == pytest.approx(1.5, rel=spread)
        assert last.shape == (2000, 1)
        assert (last**2).mean() == pytest.approx(1.0, rel=5 * np.sqrt(2 / 2000))
        assert abs(last.mean()) < 5 / np.sqrt(2000)
    assert set(last.ravel()) == {-1.0, 1.0}

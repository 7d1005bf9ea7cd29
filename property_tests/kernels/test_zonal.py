"""Kernels on one sphere against the quadrature of every pair."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import float64
from ntval.data import spheres
from ntval.errors import InputError
from ntval.kernels import quadrature_oracle, zonal
from ntval.networks.mlp import mlp_of
from ntval.regimes import Regime

SMOOTH = ("tanh", "erf", "erf_sqrt2", "gelu", "silu", "softplus", "sigmoid", "sin", "cos", "cubic")


def mlp(activation, d):
    regime = Regime(n=4, d=d, widths=(8,), activation=activation)
    return mlp_of(regime, parametrization="montanari_zhong")


@given(activation=st.sampled_from(SMOOTH), d=st.sampled_from((3, 8, 60)))
def test_interpolated_kernel_is_the_quadrature_s(activation, d):
    with float64():
        x = spheres.sphere(jax.random.key(d), 6, d)
        exact = np.asarray(quadrature_oracle.ntk(mlp(activation, d), x))
        gap = np.abs(zonal.ntk(mlp(activation, d), x) - exact).max()
    assert gap <= 2 * quadrature_oracle.ACCURACY * exact.max()


def test_inputs_off_the_sphere_are_left_to_the_quadrature():
    with float64():
        x = 0.5 * spheres.sphere(jax.random.key(0), 3, 8)
        exact = np.asarray(quadrature_oracle.ntk(mlp("tanh", 8), x))
        # To the bit: it is the same function of the same inputs that answers.
        assert np.array_equal(zonal.ntk(mlp("tanh", 8), x), exact)


def test_a_kinked_activation_is_refused():
    with float64(), pytest.raises(InputError, match="smooth activation"):
        zonal.ntk(mlp("relu", 8), spheres.sphere(jax.random.key(0), 3, 8))

"""Activations: the one thing that theory and measurement share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntval.activations import ACTIVATIONS, activation
from ntval.arrays import rounding_allowance
from ntval.errors import UnknownNameError

T = np.linspace(-4.0, 4.0, 81) + 0.0137  # no breakpoint among them
# Of two values of one function: NumPy's vector functions are off by up to 4 units in the last
# place (numpy#19478), 8 roundings; a quotient is one more.
TWO_VALUES = rounding_allowance(2 * (8 + 1))


def are_equal(found, expected):
    """Whether values agree up to rounding: the bits of x**3 and of (-x)**3 need not."""
    return bool((np.abs(found - expected) <= TWO_VALUES * np.abs(expected)).all())


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_derivative_is_that_of_automatic_differentiation(name):
    fact = activation(name)
    autodiff = np.asarray(jax.vmap(jax.grad(fact.fn))(jnp.asarray(T)))
    # A dozen operations, each on values no larger than t^3.
    assert np.abs(autodiff - fact.derivative(T)).max() <= rounding_allowance(12) * 4.1**3


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_numpy_and_jax_agree(name):
    fact = activation(name)
    gap = np.asarray(fact.fn(jnp.asarray(T))) - fact.fn(T)
    assert np.abs(gap).max() <= rounding_allowance(12) * 4.1**3
    assert isinstance(fact.fn(T), np.ndarray)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_parity_is_as_stated(name):
    fact = activation(name)
    assert (fact.parity == 1) == are_equal(fact.fn(-T), fact.fn(T))
    assert (fact.parity == -1) == are_equal(fact.fn(-T), -fact.fn(T))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_homogeneity_is_as_stated(name):
    fact = activation(name)
    degrees = [k for k in (0, 1, 2, 3) if are_equal(fact.fn(2 * T), 2.0**k * fact.fn(T))]
    assert degrees == ([] if fact.homogeneity is None else [fact.homogeneity])


def test_unknown_activation_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'gelu'"):
        activation("gellu")

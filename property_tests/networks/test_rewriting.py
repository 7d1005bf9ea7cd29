"""Functions without custom rules, stop_gradient or rounding: what is left is differentiated."""

import jax
import jax.numpy as jnp
import pytest

from ntval.arrays import float64, rounding_allowance
from ntval.networks.rewriting import rewritten, without_rounding, without_rules, without_stops

X = jnp.array([0.3, -1.2, 2.0])


@jax.custom_jvp
def forward_rule(x):
    return jnp.sin(x)


forward_rule.defjvp(lambda primals, tangents: (jnp.sin(*primals), 3.0 * tangents[0]))


@jax.custom_vjp
def reverse_rule(x):
    return jnp.sin(x)


reverse_rule.defvjp(lambda x: (jnp.sin(x), None), lambda residuals, cotangent: (5.0 * cotangent,))


def stopped(x):
    return jax.jit(lambda x: x * jax.lax.stop_gradient(x))(x)


def rounded(x):
    return jnp.round(1e6 * x).astype(int).astype(float) / 1e6


@pytest.mark.parametrize(
    ("function", "change", "slope"),
    [
        (forward_rule, without_rules, jnp.cos),
        (reverse_rule, without_rules, jnp.cos),
        (forward_rule, without_stops, lambda x: 3.0 + 0 * x),
        (lambda x: jax.jit(reverse_rule)(x), without_rules, jnp.cos),
        (stopped, without_stops, lambda x: 2 * x),
        (stopped, without_rules, lambda x: x),
        (rounded, without_rounding, jnp.ones_like),
        (rounded, without_rules, jnp.zeros_like),
        (lambda x: jax.nn.relu(x) + x @ jnp.eye(3), without_rules, lambda x: 1.0 + (x > 0)),
    ],
)
def test_the_derivative_is_that_of_the_operations_that_are_left(function, change, slope):
    with float64():
        x = X.astype(float)
        changed = rewritten(function, change)
        found = jnp.diag(jax.jacrev(changed)(x))
        # A few operations on numbers of order 1.
        assert jnp.abs(found - slope(x)).max() <= rounding_allowance(64)
        if change is not without_rounding:
            assert jnp.abs(changed(x) - function(x)).max() <= rounding_allowance(64)

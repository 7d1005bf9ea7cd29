"""Bounds of a smallest eigenvalue, on data and networks of many kinds: none is contradicted."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import ntval
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.kernels import analytic
from ntval.networks.mlp import SIGNED_LAST_LAYER, UNSCALED_LAST_LAYER, init
from ntval.runs.bounds import EMPIRICAL, INFINITE


def assert_none_is_contradicted(found, n, size):
    """No bound passes the computed eigenvalue by more than rounding; a certificate lies below.

    Each entry is a chain of contractions over `size` weights, and an eigenvalue is off by n
    roundings of the norm, which the trace bounds. Between coincident or collinear inputs the kernel
    of infinite width has the square root of a rounding, by its arccos.
    """
    shares = {EMPIRICAL: rounding_allowance(64 * (size + n))}
    shares[INFINITE] = shares[EMPIRICAL] + analytic.COINCIDENT_ACCURACY
    trace = {row.of: n * row.value for row in found.rows if row.name == "mean of the diagonal"}
    for row in found.rows:
        truth, slack = found.measured[row.of], shares[row.of] * trace[row.of]
        if row.value is not None and row.side == "lower":
            assert row.value <= truth + slack, row
        if row.value is not None and row.side == "upper":
            assert row.value >= truth - slack, row
        assert (row.value is None) == bool(row.why_not), row
    for of, certified in found.certified.items():
        assert certified is None or certified <= found.measured[of] + shares[of] * trace[of]


@pytest.mark.parametrize("widths", [(400,), (200, 300)])
def test_digits_have_bounds_on_both_sides_that_say_something(widths):
    x = load_digits().data[:200] / 16
    x = x / np.linalg.norm(x, axis=1)[:, None] * 8
    network = ntval.Mlp(64, widths, "relu", b_std=0.0)
    found = ntval.bounds(x, network)
    assert_none_is_contradicted(found, 200, 64 * sum(widths) + 200 * 300)
    said = [row for row in found.rows if row.value is not None and not row.vacuous]
    for side in ("lower", "upper"):
        assert len([row for row in said if row.side == side and row.of == EMPIRICAL]) >= 5
    assert {row.of for row in found.rows} == {EMPIRICAL, INFINITE}
    assert json.loads(json.dumps(found.document()))["schema"] == "ntval.bounds/1"
    for row in found.rows:
        ratio = found.ratio(row)
        assert ratio is None or (ratio <= 1 + 1e-6 if row.side == "lower" else ratio >= 1 - 1e-6)


PARAMETRIZATIONS = ("ntk", "standard", UNSCALED_LAST_LAYER, SIGNED_LAST_LAYER)


@given(
    n=st.integers(1, 12),
    d=st.integers(1, 6),
    widths=st.lists(st.sampled_from((1, 3, 8, 30)), min_size=0, max_size=3),
    name=st.sampled_from(("relu", "tanh", "erf", "gelu", "quadratic", "linear")),
    kind=st.sampled_from(("plain", "repeated", "opposite", "zero row", "large", "small")),
    parametrization=st.sampled_from(PARAMETRIZATIONS),
    b_std=st.sampled_from((0.0, 0.0, 0.5)),
    seed=st.integers(0, 10**6),
)
def test_no_bound_is_contradicted_on_small_cases(
    n, d, widths, name, kind, parametrization, b_std, seed
):
    x = np.random.default_rng(seed).standard_normal((n, d))
    x[-1] = {"repeated": x[0], "opposite": -x[0], "zero row": 0 * x[0]}.get(kind, x[-1])
    x *= {"large": 1e3, "small": 1e-3}.get(kind, 1.0)
    network = ntval.Mlp(d, tuple(widths), name, b_std=b_std, parametrization=parametrization)
    found = ntval.bounds(x, network, seed=seed)
    assert_none_is_contradicted(found, n, (d + sum(widths) + 1) ** 2)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "leaky_relu"])
@pytest.mark.parametrize("kind", ["zero row", "all zero", "large", "huge", "near"])
@pytest.mark.parametrize("n", [1, 4])
def test_inputs_of_every_kind_have_a_row_or_a_reason(name, kind, n):
    x = np.random.default_rng(0).standard_normal((n, 3))
    x *= {"all zero": 0.0, "large": 10.0, "huge": 1e3}.get(kind, 1.0)
    x[-1] = {"zero row": 0 * x[0], "near": x[0] + 1e-7}.get(kind, x[-1])
    for widths in ((), (8,), (30, 8)):
        network = ntval.Mlp(3, widths, name, b_std=0.0)
        assert_none_is_contradicted(ntval.bounds(x, network), n, 500)


def test_chernoff_s_bound_needs_weights_that_were_drawn():
    x = np.random.default_rng(0).standard_normal((30, 40))
    network = ntval.Mlp(40, (60, 30000), "erf", w_std=1.0, b_std=0.0, parametrization="ntk")
    found = ntval.bounds(x, network)
    (row,) = [row for row in found.rows if "Chernoff" in row.name]
    assert 0 < row.value < found.measured[EMPIRICAL]
    assert row.failure == 1e-6
    small = ntval.Mlp(4, (6, 5), "erf", b_std=0.0)
    params = init(small, jax.random.key(0))
    given_weights = ntval.bounds(x[:3, :4], small, params)
    (row,) = [row for row in given_weights.rows if "Chernoff" in row.name]
    assert row.value is None
    assert "given, not drawn" in row.why_not


def test_a_network_of_a_user_s_has_the_bounds_of_any_gram_matrix():
    params = {"w": jax.random.normal(jax.random.key(0), (5, 8)), "v": jnp.ones(8)}
    network = ntval.Network(
        None, lambda p, x: jnp.tanh(x @ p["w"]) @ p["v"][:, None], params=params, name="mine"
    )
    found = ntval.bounds(np.random.default_rng(0).standard_normal((6, 5)), network)
    assert_none_is_contradicted(found, 6, 48)
    assert {row.name for row in found.rows if row.side == "upper"} == {
        "the first 3 inputs",
        "distance from the other inputs",
        "closest pair",
        "harmonic mean of the eigenvalues",
        "smallest diagonal entry",
        "mean of the diagonal",
    }
    assert all("ntval's" in row.why_not for row in found.rows if row.value is None)


def test_bad_arguments_are_refused():
    network = ntval.Mlp(4, (6,), b_std=0.0)
    with pytest.raises(InputError, match="failure needs to be between 0 and 1"):
        ntval.bounds(np.ones((2, 4)), network, failure=0.0)
    with pytest.raises(InputError, match="pass params"):
        ntval.bounds(np.ones((2, 4)), ntval.Network(None, lambda p, x: x @ p["w"], name="bare"))
    assert math.isfinite(ntval.bounds(np.ones((1, 4)), network).measured[EMPIRICAL])

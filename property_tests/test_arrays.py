"""Arrays: precision without flags, rounding allowances, and inputs that are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval import arrays
from ntval.errors import InputError
from ntval.kernels import analytic, deep_mlp, jacobian, quadrature_oracle, two_layer
from ntval.networks.mlp import Mlp, init, network_of

MLP = Mlp(3, (8,), "erf")
PARAMS = init(MLP, jax.random.key(0))
APPLY = network_of(MLP).apply_fn
KERNELS = {
    "analytic": lambda x1, x2=None: analytic.ntk(MLP, x1, x2),
    "arc_cosine": lambda x1, x2=None: quadrature_oracle.ntk(MLP, x1, x2),
    "two_layer": lambda x1, x2=None: two_layer.ntk(MLP, PARAMS, x1, x2),
    "deep_mlp": lambda x1, x2=None: deep_mlp.ntk(MLP, PARAMS, x1, x2),
    "jacobian": lambda x1, x2=None: jacobian.ntk(APPLY, PARAMS, x1, x2),
}
X = np.random.default_rng(0).standard_normal((4, 3))


def test_float64_gives_the_flag_back():
    before = jax.config.jax_enable_x64
    with arrays.float64():
        assert jnp.ones(()).dtype == jnp.float64
    with pytest.raises(ZeroDivisionError), arrays.float64():
        _ = 1 // 0
    assert jax.config.jax_enable_x64 == before


@given(operations=st.integers(1, 10**6))
def test_rounding_allowance_is_at_least_operations_times_the_unit(operations):
    unit = arrays.UNIT_ROUNDOFF
    assert operations * unit <= arrays.rounding_allowance(operations) <= 2 * operations * unit


@given(values=st.lists(st.floats(-1, 1), min_size=2, max_size=50))
def test_rounding_allowance_covers_a_sum(values):
    from fractions import Fraction

    exact = sum(map(Fraction, values))
    total = 0.0
    for value in values:
        total += value
    allowed = arrays.rounding_allowance(len(values)) * sum(map(abs, values))
    assert abs(Fraction(total) - exact) <= Fraction(allowed)


def test_rounding_allowance_that_says_nothing_is_refused():
    with pytest.raises(InputError, match="use a wider dtype"):
        arrays.rounding_allowance(1e8, dtype=np.float32)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("x1", "x2", "message"),
    [
        (np.full((4, 3), np.nan), None, "x1 needs finite entries, got nan at index"),
        (np.full((4, 3), np.inf), None, "x1 needs finite entries, got inf"),
        (X[0], None, r"x1 needs shape \(n, d\), got \(3,\)"),
        (X[:0], None, "x1 needs n >= 1"),
        (np.ones((4, 3), int), None, "x1 needs floating-point entries, got dtype int64"),
        (X, X[:, :2], "rows of one shape"),
        (X, X.astype(np.float32), "need one dtype, got float64 and float32"),
        (X, np.full((2, 3), np.nan), "x2 needs finite entries"),
        ([["a", "b", "c"]], None, "x1 needs"),
        (X + 1j, None, "complex128"),
    ],
    ids=["nan", "inf", "rank", "empty", "integers", "shapes", "dtypes", "x2", "text", "complex"],
)
def test_every_kernel_refuses_bad_inputs_by_name(kernel, x1, x2, message):
    with pytest.raises(InputError, match=message):
        KERNELS[kernel](x1, x2)


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_is_symmetric_float64_whatever_comes_in(kernel):
    gram = np.asarray(KERNELS[kernel](X.astype(np.float32)))
    assert gram.dtype == np.float64
    # To the bit: one triangle is a copy of the other, or K is the mean of itself and K^T.
    assert np.array_equal(gram, gram.T)


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_takes_duplicates_and_opposite_rows(kernel):
    gram = np.asarray(KERNELS[kernel](np.concatenate([X, X[:1], -X[:1]])))
    assert np.isfinite(gram).all()
    # Rows 0 and 4 are one input: their kernel is singular, and no number hides it.
    allowed = (analytic.COINCIDENT_ACCURACY + arrays.rounding_allowance(64)) * np.trace(gram)
    assert np.linalg.eigvalsh(gram)[0] <= allowed

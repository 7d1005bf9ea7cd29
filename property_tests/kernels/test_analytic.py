"""Infinite-width kernels agree with closed forms written here, with draws, and in every form."""

import dataclasses
import math
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ntval
from ntval import arrays
from ntval.activations import ACTIVATIONS, LEAKY_SLOPE
from ntval.errors import InputError, NetworkError
from ntval.kernels import analytic
from ntval.networks import mlp
from ntval.networks.mlp import Mlp
from ntval.networks.network import Network
from ntval.regimes import Regime

D = 6
X1 = np.random.default_rng(1).standard_normal((5, D))
X2 = np.random.default_rng(2).standard_normal((3, D))
SMOOTH = ("silu", "softplus", "sigmoid", "tanh")


# CLOSED FORMS OF OUR OWN: E f(u) f(v) OF A GAUSSIAN PAIR, FROM ITS COVARIANCES


def _relu(c, v, w):
    """Cho & Saul (2009), degree 1."""
    s = np.sqrt(np.outer(v, w))
    angle = np.arccos(np.clip(c / s, -1, 1))
    return s * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)


def _step(c, v, w):
    """Cho & Saul (2009), degree 0."""
    return (np.pi - np.arccos(np.clip(c / np.sqrt(np.outer(v, w)), -1, 1))) / (2 * np.pi)


def _leaky(c, v, w):
    # f = (1 + a)/2 u + (1 - a)/2 |u|, and u has no covariance with |v|; |u| = 2 relu(u) - u.
    a = LEAKY_SLOPE
    return (1 + a) ** 2 / 4 * c + (1 - a) ** 2 / 4 * (4 * _relu(c, v, w) - c)


def _leaky_derivative(c, v, w):
    # f' = (1 + a)/2 + (1 - a)/2 sign(u), and sign = 2 step - 1.
    a = LEAKY_SLOPE
    return (1 + a) ** 2 / 4 + (1 - a) ** 2 / 4 * (4 * _step(c, v, w) - 1)


def _erf(c, v, w):
    """Williams (1997)."""
    return 2 / np.pi * np.arcsin(2 * c / np.sqrt(np.outer(1 + 2 * v, 1 + 2 * w)))


def _erf_derivative(c, v, w):
    return 4 / np.pi / np.sqrt(np.outer(1 + 2 * v, 1 + 2 * w) - 4 * c**2)


def _sin(c, v, w):
    return np.exp(-np.add.outer(v, w) / 2) * np.sinh(c)


def _cos(c, v, w):
    return np.exp(-np.add.outer(v, w) / 2) * np.cosh(c)


CLOSED_FORMS = {
    "relu": (_relu, _step),
    "leaky_relu": (_leaky, _leaky_derivative),
    "erf": (_erf, _erf_derivative),
    "erf_sqrt2": (
        lambda c, v, w: _erf(c / 2, v / 2, w / 2),
        lambda c, v, w: _erf_derivative(c / 2, v / 2, w / 2) / 2,
    ),
    "sin": (_sin, _cos),
    "cos": (_cos, _sin),
    "quadratic": (lambda c, v, w: (np.outer(v, w) + 2 * c**2) / 4, lambda c, v, w: c),
    "cubic": (
        lambda c, v, w: np.outer(v, w) * c + 2 * c**3 / 3,
        lambda c, v, w: np.outer(v, w) + 2 * c**2,
    ),
    "linear": (lambda c, v, w: c, lambda c, v, w: np.ones_like(c)),
}


def _by_quadrature(fn):
    """E f(u) f(v) by the trapezoidal rule, at less than half the step that analytic takes."""
    z = np.arange(-9.0, 9.0, 0.05)
    p = 0.05 * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    def expectation(c, v, w):
        out = np.empty(c.shape)
        for i, j in np.ndindex(*c.shape):
            slope = c[i, j] / math.sqrt(v[i])
            rest = math.sqrt(max(w[j] - slope**2, 0.0))
            u, other = math.sqrt(v[i]) * z, slope * z[:, None] + rest * z[None, :]
            out[i, j] = (p * fn(u)) @ fn(other) @ p
        return out

    return expectation


def _expectations(name):
    if name in CLOSED_FORMS:
        return CLOSED_FORMS[name]
    sigma = ACTIVATIONS[name]
    return _by_quadrature(sigma.fn), _by_quadrature(sigma.derivative)


def _kernels(name, depth, x1, x2, *, w_std=2**0.5, b_std=0.5):
    """NTK and NNGP of the ntk parametrization: the recursion over layers, in NumPy."""
    second, derivative = _expectations(name)

    def affine(a):
        return w_std**2 * a + b_std**2

    rows1, rows2 = (x1**2).sum(1) / D, (x2**2).sum(1) / D
    c, v, w = affine(x1 @ x2.T / D), affine(rows1), affine(rows2)
    ntk = c
    for _ in range(depth):
        slopes = derivative(c, v, w)

        def variance(q):
            return np.array(
                [second(np.array([[a]]), np.array([a]), np.array([a]))[0, 0] for a in q]
            )

        c, v, w = affine(second(c, v, w)), affine(variance(v)), affine(variance(w))
        ntk = c + w_std**2 * ntk * slopes
    return ntk, c


def _gap(found, expected):
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_kernels_of_an_mlp_are_the_recursion_over_its_layers(name, depth):
    mlp = Mlp(D, (4,) * depth, name)
    ntk, nngp = _kernels(name, depth, X1, X2)
    assert _gap(analytic.ntk(mlp, X1, X2), ntk) <= analytic.ACCURACY
    assert _gap(analytic.nngp(mlp, X1, X2), nngp) <= analytic.ACCURACY


def test_every_activation_is_checked_by_one_of_two_roads():
    assert set(CLOSED_FORMS) | set(SMOOTH) | {"gelu"} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ["relu", "erf", "tanh", "cubic"])
def test_kernel_without_biases_is_the_recursion_too(name):
    ntk, _ = _kernels(name, 1, X1, X2, w_std=1.3, b_std=0.0)
    assert (
        _gap(analytic.ntk(Mlp(D, (4,), name, w_std=1.3, b_std=0.0), X1, X2), ntk)
        <= analytic.ACCURACY
    )


@pytest.mark.parametrize("name", ["relu", "erf", "tanh"])
def test_kernel_of_equal_inputs_is_symmetric_and_that_of_the_pair(name):
    mlp = Mlp(D, (4, 4), name)
    gram = np.asarray(analytic.ntk(mlp, X1))
    np.testing.assert_array_equal(gram, gram.T)  # K + K^T is, to the bit
    off_diagonal = ~np.eye(len(X1), dtype=bool)
    cross = np.asarray(analytic.ntk(mlp, X1, X1 + 0.0))
    assert _gap(gram[off_diagonal], cross[off_diagonal]) <= analytic.ACCURACY


@pytest.mark.parametrize("shape", [(100, 300), (400, 50)])
def test_diagonal_is_exact_at_sizes_where_products_and_norms_round_apart(shape):
    x = np.random.default_rng(3).standard_normal(shape)
    mlp = Mlp(shape[1], (4, 4), "relu", b_std=0.4)
    h1 = 2 * (x**2).sum(1) / shape[1] + 0.16
    h2 = h1 + 0.16
    h3 = h2 + 0.16
    diagonal = h3 + (h2 + h1)  # each step function contributes w_std^2 / 2 = 1
    allowance = arrays.rounding_allowance(shape[1] + 30)
    assert _gap(np.diag(analytic.ntk(mlp, x)), diagonal) <= allowance
    assert _gap(np.diag(analytic.nngp(mlp, x)), h3) <= allowance
    first_layer = Mlp(shape[1], (4,), "relu", parametrization="montanari_zhong")
    half = (x**2).sum(1) / shape[1] / 2
    assert _gap(np.diag(analytic.ntk(first_layer, x)), half) <= allowance


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_rows_of_zeros_and_repeated_rows_are_fine_without_biases(name):
    x = np.concatenate([np.zeros((1, D)), X1, X1[:1]])
    mlp = Mlp(D, (4, 4), name, b_std=0.0)
    gram = np.asarray(analytic.ntk(mlp, x))
    assert np.isfinite(gram).all()
    # The repeated row has the entries of the row; arccos leaves half the digits between the two.
    kinked = bool(ACTIVATIONS[name].breakpoints)
    at_pair = (2 * arrays.rounding_allowance(100)) ** 0.5 if kinked else analytic.ACCURACY
    assert _gap(gram[1, -1], gram[1, 1]) <= at_pair
    assert _gap(gram[-1, 2:-1], gram[1, 2:-1]) <= analytic.ACCURACY
    assert np.isfinite(np.asarray(analytic.ntk(mlp, x, X2))).all()


def test_a_row_of_zeros_without_biases_has_the_mean_output_of_the_other_row():
    # softplus: not 0 at 0, and its mean depends on the variance, unlike that of the sigmoid.
    mlp, zeros = Mlp(D, (4,), "softplus", b_std=0.0), np.zeros((1, D))
    x = np.concatenate([X2, 0.2 * X2])
    rows = 2 * (x**2).sum(1) / D  # w_std^2 = 2
    assert rows.min() < 1 < rows.max()
    mean, _ = _expectations("softplus")
    expected = 2 * mean(np.zeros((len(x), 1)), rows, np.zeros(1))
    assert _gap(analytic.nngp(mlp, x, zeros), expected) <= analytic.ACCURACY
    assert _gap(analytic.nngp(mlp, zeros, x), expected.T) <= analytic.ACCURACY


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_montanari_zhong_is_the_first_layer_alone(name):
    second, derivative = _expectations(name)
    del second
    c, v, w = X1 @ X2.T / D, (X1**2).sum(1) / D, (X2**2).sum(1) / D
    mlp = Mlp(D, (4,), name, parametrization="montanari_zhong")
    assert _gap(analytic.ntk(mlp, X1, X2), c * derivative(c, v, w)) <= analytic.ACCURACY


def test_montanari_zhong_refuses_an_activation_that_the_sphere_changes():
    mlp = Mlp(D, (4,), "tanh", parametrization="montanari_zhong")
    with pytest.raises(InputError, match=r"got 'tanh'; quadrature_oracle\.ntk has"):
        analytic.ntk(mlp, X1)


# Means over draws, of width 1024 and 48 keys: within five standard errors, and what 1 / width adds.
@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
def test_mean_of_empirical_kernels_is_the_kernel_of_the_same_widths(parametrization):
    ours = Mlp(D, (1024,), "relu", w_std=1.2, b_std=0.3, parametrization=parametrization)
    x = X1[:3]

    @jax.jit
    def empirical(key):
        params = mlp.init(ours, key)
        jacobian = jax.jacobian(lambda p: mlp.apply(ours, p, x)[:, 0])(params)
        rows = jnp.concatenate(
            [leaf.reshape(len(x), -1) for leaf in jax.tree_util.tree_leaves(jacobian)], axis=1
        )
        return rows @ rows.T

    with arrays.float64():
        draws = np.stack([empirical(k) for k in jax.random.split(jax.random.key(0), 48)])
    expected = np.asarray(analytic.ntk(ours, x))
    error = draws.std(0, ddof=1) / math.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - expected) <= 5 * error).all()


def test_accuracy_is_that_of_closed_forms_where_all_layers_are_known():
    ours = Mlp(D, (4,), "relu")
    known = (Regime(n=5, d=D, widths=(4,), activation="relu"), ours, mlp.network_of(ours))
    assert {analytic.accuracy(architecture) for architecture in known} == {analytic.ACCURACY}
    s = ntval.stax
    unknown = _stax_network(s.Dense(4), s.Relu(), s.Dense(1))
    assert analytic.accuracy(unknown) == analytic.COINCIDENT_ACCURACY


@pytest.mark.parametrize("parametrization", ["ntk", "montanari_zhong"])
def test_twin_gives_the_ntk_unless_told_otherwise(parametrization):
    twin = analytic.kernel_fn(Mlp(D, (4,), "relu", parametrization=parametrization))
    for inputs in ((X1, None), (X1, X2)):
        np.testing.assert_array_equal(twin(*inputs), twin(*inputs, "ntk"))  # the same call
    np.testing.assert_array_equal(twin(X1), twin(X1, None, "ntk"))


def test_twin_of_a_trained_first_layer_has_no_other_kernel():
    twin = analytic.kernel_fn(Mlp(D, (4,), "relu", parametrization="montanari_zhong"))
    with pytest.raises(InputError, match="has get='ntk', got 'nngp'"):
        twin(X1, None, "nngp")


def test_a_parametrization_that_is_not_ours_is_refused():
    mine = dataclasses.replace(mlp.NTK, name="mine")
    with pytest.raises(InputError, match="a parametrization of ntval's own, got 'mine'"):
        analytic.ntk(Mlp(D, (4,), "erf", parametrization=mine), X1)


def test_regime_mlp_and_network_have_one_kernel():
    regime = Regime(n=5, d=D, widths=(8, 8), activation="gelu")
    architecture = mlp.mlp_of(regime)
    twin = Network(None, lambda params, x: x, analytic.kernel_fn(architecture), mlp=architecture)
    for kernel in (analytic.ntk, analytic.nngp):
        # To the bit: the same functions are called in the same order, each compiled by itself.
        expected = np.asarray(kernel(regime, X1, X2))
        np.testing.assert_array_equal(kernel(architecture, X1, X2), expected)
        np.testing.assert_array_equal(kernel(twin, X1, X2), expected)


def _stax_network(*layers):
    init_fn, apply_fn, kernel_fn = ntval.stax.serial(*layers)
    return Network(init_fn, apply_fn, kernel_fn)


def test_stax_network_with_convolution_and_pooling_has_its_kernel():
    s = ntval.stax
    net = _stax_network(
        s.Conv(8, (3, 3), padding="SAME"), s.Relu(), s.AvgPool((2, 2)), s.Flatten(), s.Dense(1)
    )
    images = np.random.default_rng(4).standard_normal((3, 4, 4, 2))
    gram, cross = analytic.ntk(net, images), analytic.ntk(net, images, images[:2] * 0.5)
    assert gram.shape == (3, 3)
    assert cross.shape == (3, 2)
    direct = net.kernel_fn(jnp.asarray(images), None, "ntk")
    np.testing.assert_array_equal(gram, direct)  # the same call
    # A network without biases is homogeneous: half the input, half the kernel.
    assert _gap(cross, np.asarray(gram)[:, :2] / 2) <= analytic.COINCIDENT_ACCURACY * 10


def test_network_without_kernel_fn_is_refused_with_a_way_out():
    with pytest.raises(NetworkError, match=r"needs a kernel_fn .* got None; build it"):
        analytic.ntk(mlp.network_of(Mlp(D, (4,))), X1)


def _network(kernel_fn):
    return Network(None, lambda params, x: x, kernel_fn, name="mine")


@pytest.mark.parametrize(
    ("kernel_fn", "sentence"),
    [
        (lambda x1, x2, get: x1, r"'mine' needs .* array of shape \(5, 3\) .*got \(5, 6\); return"),
        (lambda x1, x2, get: None, r"array of shape \(5, 3\) .*got NoneType; return"),
        (lambda x1, x2, get: x1[:, :, None] * 0, r"got \(5, 6, 1\); return"),
        (lambda x1, x2: x1, r"got TypeError: .*; call it by hand"),
        (lambda x1, x2, get: 1 / 0, r"got ZeroDivisionError: .*; call it by hand"),
        (lambda x1, x2, get: x1 @ x2.T * np.nan, r"kernel_fn of network 'mine' .*finite.*nan"),
        (lambda x1, x2, get: (x1 @ x2.T).astype(int), r"floating-point .*int"),
    ],
    ids=["shape", "none", "rank", "signature", "raises", "nan", "integers"],
)
def test_bad_kernel_fn_is_named_with_what_it_returned(kernel_fn, sentence):
    with pytest.raises((NetworkError, InputError), match=sentence):
        analytic.ntk(_network(kernel_fn), X1, X2)


@pytest.mark.parametrize("x", [X1[0], X1 * np.nan, X1.astype(int)], ids=["row", "nan", "integers"])
def test_malformed_inputs_are_refused(x):
    with pytest.raises(InputError, match="x1 needs"):
        analytic.ntk(Mlp(D, (4,)), x)


def test_asymmetry_of_a_users_kernel_is_left_for_claims_to_see():
    gram = analytic.ntk(_network(lambda x1, x2, get: x1 @ jnp.diag(jnp.arange(5.0), 1) @ x1.T), X1)
    assert not np.array_equal(gram, np.asarray(gram).T)


def test_unknown_kinked_activation_is_sent_to_the_quadrature_that_splits():
    sigma = dataclasses.replace(ACTIVATIONS["relu"], name="hat", breakpoints=(-1.0, 1.0))
    with pytest.raises(InputError, match=r"got 'hat' with .*; use quadrature_oracle\.ntk"):
        analytic.ntk(Mlp(D, (4,), sigma), X1)


def test_results_are_float64_and_flags_stay_as_they_were():
    code = """
    import jax
    import numpy as np

    flags = dict(jax.config.values)
    assert not jax.config.jax_enable_x64
    from ntval.kernels import analytic
    from ntval.networks.mlp import Mlp

    x = np.random.default_rng(0).standard_normal((4, 3))
    for inputs in (x, x.astype(np.float32)):
        for name in ("relu", "tanh", "quadratic"):
            gram = analytic.ntk(Mlp(3, (4,), name), inputs)
            assert gram.dtype == np.float64, gram.dtype
            wider = analytic.ntk(Mlp(3, (4,), name), inputs.astype(np.float64))
            assert np.array_equal(gram, wider)  # widening is exact, what follows is the same
    assert flags == dict(jax.config.values)
    assert jax.numpy.ones(1).dtype == np.float32
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("widths", [(4,), (4, 5, 3)])
@pytest.mark.parametrize("activation", ["relu", "erf", "tanh"])
@pytest.mark.parametrize("get", ["ntk", "nngp"])
def test_a_compiled_twin_is_the_twin_at_equal_inputs_too(widths, activation, get):
    mlp = Mlp(6, widths, activation=activation)
    rng = np.random.default_rng(0)
    x1, x2 = rng.standard_normal((7, 6)), rng.standard_normal((4, 6))
    plain, compiled = analytic.kernel_fn(mlp), analytic.compiled_kernel_fn(mlp)
    with arrays.float64():
        for other in (None, x2):
            expected = np.asarray(plain(x1, other, get))
            # As accurate as the twin: contracted products would leave 1e-8 on relu's diagonal.
            allowed = 2 * analytic.ACCURACY * np.abs(expected).max()
            assert np.abs(np.asarray(compiled(x1, other, get)) - expected).max() <= allowed

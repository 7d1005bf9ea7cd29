"""The quadrature gives closed forms, and thirty-digit values, to the accuracy it states."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gamma, jv

from ntval.activations import ACTIVATIONS, Activation, activation
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.front.strategies import inputs
from ntval.kernels import analytic, arc_cosine, quadrature_oracle
from ntval.networks.mlp import Mlp

variances = st.floats(0.1, 10.0)
correlations = st.floats(-0.999, 0.999) | st.sampled_from((-1.0, 0.0, 1.0))
dimensions = st.sampled_from((2, 3, 4, 20, 300))


def _allowance(fn, k11, k22, k12, **options):
    """The accuracy that `expectation` states, for one pair of pre-activations."""
    squares = [float(quadrature_oracle.expectation(fn, k, k, k, **options)) for k in (k11, k22)]
    sine = math.sqrt(max(1 - k12**2 / (k11 * k22), 0.0))
    steepness = 1 + 1 / sine if sine > 0 else 1.0
    return quadrature_oracle.ACCURACY * steepness * math.sqrt(squares[0] * squares[1])


def _assert_expectation(expected, fn, k11, k22, k12, **options):
    value = float(quadrature_oracle.expectation(fn, k11, k22, k12, **options))
    assert abs(value - expected) <= _allowance(fn, k11, k22, k12, **options)


def _covariance(k11, k22, correlation):
    k12 = correlation * math.sqrt(k11 * k22)
    # Correlations of one are coincident and opposite pairs: no digits are lost to their angle.
    return (k11, k11, correlation * k11) if abs(correlation) == 1 else (k11, k22, k12)


def _angle(k11, k22, k12):
    return math.atan2(math.sqrt(max(k11 * k22 - k12**2, 0.0)), k12)


# THE ROUNDING OF AN ANGLE


@given(angle=st.floats(1e-6, math.pi - 1e-6))
def test_steepness_is_that_of_arccos(angle):
    cosine = np.array([math.cos(angle)])
    with mpmath.workdps(30):
        slope = float(abs(mpmath.diff(mpmath.acos, mpmath.mpf(float(cosine[0])))))
    # 1 - c^2 is known to eps, relative to sin(angle)^2; its root to half of that.
    allowed = slope * rounding_allowance(8) * (1 + slope**2)
    assert abs(quadrature_oracle.steepness(cosine)[0] - 1 - slope) <= allowed


def test_steepness_of_coincident_and_opposite_points_is_bounded_by_what_rounding_tells_apart():
    unit = rounding_allowance(1)
    cosines = np.array([1.0, -1.0, 1 + 2 * unit, 1 - unit])
    found = quadrature_oracle.steepness(cosines)
    # A cosine that is one rounding from 1 is as steep as 1 itself: no factor between them is known.
    assert found.max() == found[0] == found[1] == 1 + 1 / math.sqrt(np.finfo(float).eps)
    assert found.min() >= found[0] * (1 - math.sqrt(unit))
    assert quadrature_oracle.steepness(np.array([0.0]))[0] == 2


# THE GAUSSIAN LAW


GAUSSIAN = {
    "erf": lambda a, b, c: 2 / np.pi * math.asin(2 * c / math.sqrt((1 + 2 * a) * (1 + 2 * b))),
    "erf_sqrt2": lambda a, b, c: 2 / np.pi * math.asin(c / math.sqrt((1 + a) * (1 + b))),
    "sin": lambda a, b, c: (math.exp(c - (a + b) / 2) - math.exp(-c - (a + b) / 2)) / 2,
    "cos": lambda a, b, c: (math.exp(c - (a + b) / 2) + math.exp(-c - (a + b) / 2)) / 2,
    "quadratic": lambda a, b, c: (a * b + 2 * c**2) / 4,
    "cubic": lambda a, b, c: (9 * a * b * c + 6 * c**3) / 9,
    "linear": lambda a, b, c: c,
    "relu": lambda a, b, c: (
        math.sqrt(a * b)
        * (math.sin(_angle(a, b, c)) + (np.pi - _angle(a, b, c)) * math.cos(_angle(a, b, c)))
        / (2 * np.pi)
    ),
}


@pytest.mark.parametrize("name", sorted(GAUSSIAN))
@given(k11=variances, k22=variances, correlation=correlations)
def test_gaussian_expectation_has_its_closed_form(name, k11, k22, correlation):
    sigma = activation(name)
    covariance = _covariance(k11, k22, correlation)
    _assert_expectation(
        GAUSSIAN[name](*covariance), sigma.fn, *covariance, breakpoints=sigma.breakpoints
    )


@given(k11=variances, k22=variances, correlation=correlations)
def test_gaussian_expectation_of_steps_is_the_share_of_the_angle(k11, k22, correlation):
    covariance = _covariance(k11, k22, correlation)
    expected = (np.pi - _angle(*covariance)) / (2 * np.pi)
    step = activation("relu").derivative
    _assert_expectation(expected, step, *covariance, breakpoints=(0.0,))


_MP = {
    "tanh": (mpmath.tanh, math.pi / 2),
    "sigmoid": (lambda t: 1 / (1 + mpmath.exp(-t)), math.pi),
    "softplus": (lambda t: mpmath.log1p(mpmath.exp(t)), math.pi),
    "silu": (lambda t: t / (1 + mpmath.exp(-t)), math.pi),
    "gelu": (lambda t: t * mpmath.ncdf(t), math.inf),
}


def _by_trapezoids(fn, pole, k11, k22, correlation):
    r"""$E f(u) f(v)$ by the trapezoidal rule on the plane, in thirty digits.

    With u = a s, v = b (c s + sqrt(1 - c^2) t) the rule of step h errs by exp(-2 pi y / h), y the
    distance from the real plane to the nearest pole in s or t; an entire f leaves the Gaussian's
    exp(-2 (pi / h)^2). Beyond |s| = 9 lies less than exp(-40).
    """
    largest = math.sqrt(max(k11, k22))
    # exp(-2 pi y / h) = exp(-34), and of the Gaussian exp(-2 (pi / h)^2) = exp(-79) at h = 0.5.
    step = min(0.5, 2 * math.pi * pole / largest / 34)
    count = math.ceil(9 / step)
    with mpmath.workdps(30):
        a, b, c = mpmath.sqrt(k11), mpmath.sqrt(k22), mpmath.mpf(correlation)
        rest = mpmath.sqrt(1 - c * c)
        nodes = [mpmath.mpf(step) * i for i in range(-count, count + 1)]
        weights = [mpmath.npdf(s) * step for s in nodes]
        return float(
            mpmath.fsum(
                w_s
                * fn(a * s)
                * mpmath.fsum(
                    w_t * fn(b * (c * s + rest * t)) for t, w_t in zip(nodes, weights, strict=True)
                )
                for s, w_s in zip(nodes, weights, strict=True)
            )
        )


@pytest.mark.parametrize("name", sorted(_MP))
@pytest.mark.parametrize("point", [(1.0, 1.0, 0.5), (0.1, 2.0, -0.8)])
def test_gaussian_expectation_agrees_with_thirty_digits(name, point):
    k11, k22, correlation = point
    expected = _by_trapezoids(*_MP[name], *point)
    k12 = correlation * math.sqrt(k11 * k22)
    _assert_expectation(expected, activation(name).fn, k11, k22, k12)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_expectation_does_not_move_when_the_nodes_are_doubled(name, monkeypatch):
    sigma = activation(name)
    grid = np.meshgrid([0.1, 10.0], [10.0], [-0.9, 0.3, 0.99], indexing="ij")
    k11, k22, correlation = (values.ravel() for values in grid)
    laws = [({}, 1), ({"law": "sphere", "d": 3}, 3), ({"law": "sphere", "d": 30}, 30)]

    def values(fn, law, scale):
        covariance = (scale * k11, scale * k22, scale * correlation * np.sqrt(k11 * k22))
        options = law | {"breakpoints": sigma.breakpoints}
        squares = [quadrature_oracle.expectation(fn, k, k, k, **options) for k in covariance[:2]]
        return quadrature_oracle.expectation(fn, *covariance, **options) / np.sqrt(
            squares[0] * squares[1]
        )

    cases = [(fn, *law) for fn in (sigma.fn, sigma.derivative) for law in laws]
    coarse = [values(*case) for case in cases]
    monkeypatch.setattr(quadrature_oracle, "_ANGULAR_NODES", 2 * quadrature_oracle._ANGULAR_NODES)
    monkeypatch.setattr(quadrature_oracle, "_RADIAL_NODES", 2 * quadrature_oracle._RADIAL_NODES)
    fine = [values(*case) for case in cases]
    assert np.abs(np.array(coarse) - np.array(fine)).max() <= quadrature_oracle.ACCURACY


# THE SPHERE


def _characteristic(square, d):
    """E cos <w, x> for |x|^2 = square: a Bessel function."""
    s, nu = math.sqrt(max(square, 0.0)), d / 2 - 1
    return 1.0 if s < 1e-150 else gamma(d / 2) * (2 / s) ** nu * jv(nu, s)


@given(d=st.sampled_from((2, 3, 4, 20)), k11=variances, k22=variances, correlation=correlations)
def test_sphere_expectation_of_cosines_is_the_characteristic_function(d, k11, k22, correlation):
    k11, k22, k12 = (d * k for k in _covariance(k11, k22, correlation))
    expected = sum(_characteristic(k11 + k22 + sign * 2 * k12, d) for sign in (1, -1)) / 2
    options = {"law": "sphere", "d": d}
    value = float(quadrature_oracle.expectation(np.cos, k11, k22, k12, **options))
    # |cos| <= 1, so 1 bounds the size; SciPy's Bessel functions have their own last digits.
    sine = math.sqrt(max(1 - k12**2 / (k11 * k22), 0.0))
    steepness = 1 + 1 / sine if sine > 0 else 1.0
    assert abs(value - expected) <= quadrature_oracle.ACCURACY * steepness


@given(d=dimensions, k11=variances, k22=variances, correlation=correlations)
def test_sphere_expectation_of_polynomials_is_exact_in_every_dimension(d, k11, k22, correlation):
    a, b, c = (d * k for k in _covariance(k11, k22, correlation))
    options = {"law": "sphere", "d": d}
    _assert_expectation(c / d, lambda t: t, a, b, c, **options)
    quadratic = (a * b + 2 * c**2) / (d * (d + 2))
    _assert_expectation(quadratic, lambda t: t * t, a, b, c, **options)


@given(d=dimensions, k11=variances, k22=variances, correlation=correlations)
def test_sphere_expectation_of_steps_is_that_of_the_gaussian(d, k11, k22, correlation):
    covariance = tuple(d * k for k in _covariance(k11, k22, correlation))
    expected = (np.pi - _angle(*covariance)) / (2 * np.pi)
    step = activation("relu").derivative
    _assert_expectation(expected, step, *covariance, breakpoints=(0.0,), law="sphere", d=d)


@pytest.mark.parametrize("d", [2, 3, 5, 40])
def test_sphere_variance_is_the_integral_over_one_coordinate(d):
    # t = cos(angle) has density proportional to sin(angle)^(d - 2) in the angle.
    def density(angle):
        return mpmath.sin(angle) ** (d - 2)

    panels = mpmath.linspace(0, mpmath.pi, 17)
    square = mpmath.quad(
        lambda angle: density(angle) * mpmath.tanh(mpmath.sqrt(d) * mpmath.cos(angle)) ** 2, panels
    )
    expected = float(square / mpmath.quad(density, panels))
    _assert_expectation(expected, np.tanh, d, d, d, law="sphere", d=d)


def test_in_one_dimension_the_sphere_is_two_points():
    value = quadrature_oracle.expectation(np.exp, 4.0, 1.0, -2.0, law="sphere", d=1)
    # u = 2 and v = -1, or u = -2 and v = 1.
    assert abs(float(value) - math.cosh(1.0)) <= rounding_allowance(16) * math.cosh(1.0)


# THE CLOSED FORMS


@given(x1=inputs(4, 5).filter(lambda x: (np.abs(x).sum(axis=1) > 0).all()))
def test_arc_cosine_is_the_expectation_of_steps_and_ramps(x1):
    gram, norms = x1 @ x1.T, np.linalg.norm(x1, axis=1)
    for order, fn in ((0, activation("relu").derivative), (1, activation("relu").fn)):
        kernel = np.asarray(arc_cosine.arc_cosine(x1, order=order))
        # Two entries of the accuracy that is stated: d + 20 roundings.
        allowed = rounding_allowance(2 * (5 + 20)) * np.outer(norms, norms) ** order
        assert (np.abs(kernel - kernel.T) <= allowed).all()
        for i in range(4):
            for j in range(4):
                if i == j or abs(gram[i, j]) ** 2 < gram[i, i] * gram[j, j] * (1 - 1e-6):
                    _assert_expectation(
                        kernel[i, j] / 2, fn, gram[i, i], gram[j, j], gram[i, j], breakpoints=(0.0,)
                    )


@pytest.mark.parametrize("angle", [1e-12, 1e-9, 1e-6, 1e-3, math.pi - 1e-6])
def test_arc_cosine_keeps_its_digits_near_coincident_and_opposite_points(angle):
    x1, x2 = np.array([[3.0, 0.0]]), 2 * np.array([[math.cos(angle), math.sin(angle)]])
    with mpmath.workdps(50):
        theta = mpmath.atan2(mpmath.mpf(x2[0, 1]), mpmath.mpf(x2[0, 0]))
        zero = float(1 - theta / mpmath.pi)
        one = float(6 * (mpmath.sin(theta) + (mpmath.pi - theta) * mpmath.cos(theta)) / mpmath.pi)
    unit = rounding_allowance(2 + 20)  # d + 20 roundings, as stated
    assert abs(float(arc_cosine.arc_cosine(x1, x2, order=0)[0, 0]) - zero) <= unit
    assert abs(float(arc_cosine.arc_cosine(x1, x2, order=1)[0, 0]) - one) <= 6 * unit


# KERNELS OF NETWORKS


X1, X2 = (np.random.default_rng(seed).standard_normal((n, 6)) for seed, n in ((1, 5), (2, 3)))


def _assert_kernels_agree(left, right, first, second, layers, accuracy):
    """Within `accuracy` a layer of sqrt(K_ii K_jj); inputs in general position, far from
    coincident, so that the angles' steepness 1 + 1 / sin(theta) is below 10."""
    scale = np.sqrt(np.outer(np.diag(first), np.diag(second)))
    assert (np.abs(np.asarray(left) - np.asarray(right)) <= 10 * layers * accuracy * scale).all()


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize(
    ("name", "widths"),
    [
        # Layers of squares leave the variances that accuracy is stated for: one alone.
        ("quadratic", (16,)),
        *((name, (16,)) for name in ("relu", "leaky_relu", "erf", "gelu", "sin")),
        *((name, (16, 8, 4)) for name in ("relu", "leaky_relu", "erf", "gelu", "sin")),
    ],
)
def test_kernels_agree_with_neural_tangents(name, widths, parametrization):
    mlp = Mlp(6, widths, name, b_std=0.3, parametrization=parametrization)
    for method in ("ntk", "nngp"):
        ours, theirs = getattr(quadrature_oracle, method), getattr(analytic, method)
        diagonals = [np.asarray(ours(mlp, x)) for x in (X1, X2)]
        accuracy = quadrature_oracle.ACCURACY + analytic.ACCURACY
        depth = len(widths)
        _assert_kernels_agree(
            diagonals[0], theirs(mlp, X1), diagonals[0], diagonals[0], depth, accuracy
        )
        _assert_kernels_agree(ours(mlp, X1, X2), theirs(mlp, X1, X2), *diagonals, depth, accuracy)


def test_montanari_zhong_relu_is_the_arc_cosine_kernel_at_every_dimension():
    mlp = Mlp(6, (16,), "relu", parametrization="montanari_zhong")
    kernel = np.asarray(quadrature_oracle.ntk(mlp, X1))
    expected = X1 @ X1.T / 6 * np.asarray(arc_cosine.arc_cosine(X1, order=0)) / 2
    _assert_kernels_agree(kernel, expected, kernel, kernel, 1, quadrature_oracle.ACCURACY)
    features = np.asarray(quadrature_oracle.nngp(mlp, X1))
    # E |w|^2 has shrunk the ramps by d against weights of law N(0, I).
    expected = np.asarray(arc_cosine.arc_cosine(X1, order=1)) / 2 / 6 / 6
    _assert_kernels_agree(features, expected, features, features, 1, quadrature_oracle.ACCURACY)


@pytest.mark.parametrize("parametrization", ["ntk", "standard", "montanari_zhong"])
@given(x=inputs(4, 6))
def test_kernels_of_one_set_of_inputs_are_bitwise_symmetric(parametrization, x):
    # By construction: each pair is computed once, and put in both places.
    mlp = Mlp(6, (16,), "relu", parametrization=parametrization)
    for kernel in (quadrature_oracle.ntk(mlp, x), quadrature_oracle.nngp(mlp, x)):
        assert (np.asarray(kernel) == np.asarray(kernel).T).all()


@pytest.mark.parametrize("parametrization", ["ntk", "montanari_zhong"])
def test_rows_that_coincide_lose_nothing(parametrization):
    mlp = Mlp(6, (16,), "relu", parametrization=parametrization)
    alone = np.diag(np.asarray(quadrature_oracle.ntk(mlp, X1)))
    between = np.diag(np.asarray(quadrature_oracle.ntk(mlp, X1, X1[:, :].copy())))
    assert (np.abs(alone - between) <= rounding_allowance(16) * alone).all()


def test_an_activation_of_ones_own_has_a_kernel():
    clip = Activation(
        "clip",
        lambda t: np.clip(t, -1.0, 1.0),
        lambda t: np.where(np.abs(t) < 1, 1.0, 0.0),
        breakpoints=(-1.0, 1.0),
    )
    kernel = np.asarray(quadrature_oracle.ntk(Mlp(6, (16,), clip), X1[:2]))
    assert (np.linalg.eigvalsh(kernel) > 0).all()


def test_what_is_no_covariance_is_refused():
    for arguments, message in (
        ((1.0, 1.0, 1.1), r"\|k12\| <= sqrt"),
        ((-1.0, 1.0, 0.0), "variances >= 0"),
        ((1.0, np.nan, 0.0), "finite k11, k22 and k12"),
    ):
        with pytest.raises(InputError, match=message):
            quadrature_oracle.expectation(np.tanh, *arguments)
    with pytest.raises(InputError, match="needs a dimension d >= 1"):
        quadrature_oracle.expectation(np.tanh, 1.0, 1.0, 0.0, law="sphere")
    with pytest.raises(InputError, match="'gaussian' or 'sphere', got 'uniform'"):
        quadrature_oracle.expectation(np.tanh, 1.0, 1.0, 0.0, law="uniform")
    with pytest.raises(InputError, match="order 0 or 1, got order=2"):
        arc_cosine.arc_cosine(X1, order=2)
    with pytest.raises(InputError, match=r"zero row x1\[1\]"):
        arc_cosine.arc_cosine(X1 * np.array([[1], [0], [1], [1], [1]]), order=1)

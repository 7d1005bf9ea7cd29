"""Kernels beyond the sizes of a tile, a chunk or a batch, and at inputs that nearly coincide."""

import math

import jax
import mpmath as mp
import numpy as np
import pytest

from ntval.arrays import rounding_allowance
from ntval.kernels import (
    analytic,
    deep_mlp,
    jacobian,
    operator,
    quadrature_oracle,
    two_layer,
    zonal,
)
from ntval.networks.mlp import Mlp, apply, init

# More rows than a tile of 256, and no multiple of 2, 16 or 256; x2 of another size.
N1, N2, D, WIDTH = 301, 37, 2, 3
X1, X2 = (np.random.default_rng(seed).standard_normal((n, D)) for seed, n in ((1, N1), (2, N2)))
DEEP = Mlp(D, (WIDTH, WIDTH), "tanh", b_std=0.3)
SHALLOW = Mlp(D, (WIDTH,), "tanh", b_std=0.3)


def params_of(mlp):
    return jax.tree.map(np.asarray, init(mlp, jax.random.key(0)))


def rows_of(mlp, x):
    """The Jacobian, a row an input, from derivatives of single outputs at single inputs."""
    row = jax.grad(lambda params, x: apply(mlp, params, x[None])[0, 0])
    leaves = jax.tree.leaves(jax.jit(jax.vmap(row, (None, 0)))(params_of(mlp), x))
    return np.concatenate([np.asarray(leaf).reshape(len(x), -1) for leaf in leaves], axis=1)


def assert_products(mlp, kernel, x1, x2):
    """Entries are products of rows, up to rounding in units of the rows' lengths: sum(sizes)
    products and sums a layer, of which 64 times as many cover what tanh magnifies."""
    rows1, rows2 = rows_of(mlp, x1), rows_of(mlp, x2)
    operations = 64 * sum(mlp.sizes) * (len(mlp.widths) + 1)
    scale = np.outer(*(np.linalg.norm(rows, axis=1) for rows in (rows1, rows2)))
    error = np.abs(np.asarray(kernel) - rows1 @ rows2.T)
    assert (error <= rounding_allowance(operations) * scale).all()


def tiled(mlp, tile):
    """`jacobian.ntk` in tiles of a given number of samples."""

    def ntk(x1, x2=None):
        apply_fn = APPLY[mlp]
        params = params_of(mlp)
        theta, held, structure = jacobian.partition(params)
        sizes = (tile, max(1, tile // jacobian._TALLNESS), 1)
        specs = tuple(
            tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
            for leaves in (theta, held)
        )
        plan = jacobian._block_program(apply_fn, structure, specs, (D,), 1, sizes, False)
        return jacobian._tiled(plan, theta, held, x1, x2, 1, "trace")

    return ntk


APPLY = {mlp: (lambda params, x, mlp=mlp: apply(mlp, params, x)) for mlp in (DEEP, SHALLOW)}
_operator = jax.jit(lambda params, *x: operator.gram(APPLY[DEEP], params, *x))
EMPIRICAL = {
    "two_layer": (SHALLOW, lambda *x: two_layer.ntk(SHALLOW, params_of(SHALLOW), *x)),
    "deep_mlp": (DEEP, lambda *x: deep_mlp.ntk(DEEP, params_of(DEEP), *x)),
    "jacobian": (DEEP, lambda *x: jacobian.ntk(APPLY[DEEP], params_of(DEEP), *x)),
    "jacobian, little memory": (
        DEEP,
        lambda *x: jacobian.ntk(APPLY[DEEP], params_of(DEEP), *x, memory=2**15),
    ),
    "jacobian, tiles of 16": (DEEP, tiled(DEEP, 16)),
    "jacobian, tiles of 256": (DEEP, tiled(DEEP, 256)),
    "operator": (DEEP, lambda *x: _operator(params_of(DEEP), *x)),
}


@pytest.mark.parametrize("second", [None, X2], ids=["square", "rectangular"])
@pytest.mark.parametrize("name", EMPIRICAL)
def test_empirical_kernels_of_many_inputs_are_products_of_rows(name, second):
    mlp, kernel = EMPIRICAL[name]
    given = (X1,) if second is None else (X1, second)
    assert_products(mlp, kernel(*given), X1, X1 if second is None else second)
    if second is not None:
        assert_products(mlp, kernel(second, X1), second, X1)


def near(distance):
    """Inputs and others so far from them, in a direction of each."""
    x = np.random.default_rng(3).standard_normal((6, D))
    away = np.random.default_rng(4).standard_normal((6, D))
    return x, x + distance * away / np.linalg.norm(away, axis=1, keepdims=True)


DISTANCES = [1e-2, 1e-4, 1e-6, 1e-8, 1e-12]


@pytest.mark.parametrize("name", EMPIRICAL)
def test_empirical_kernels_of_inputs_that_nearly_coincide_are_products_of_rows(name):
    mlp, kernel = EMPIRICAL[name]
    x = np.concatenate([part for distance in DISTANCES for part in near(distance)])
    assert_products(mlp, kernel(x), x, x)
    assert_products(mlp, kernel(x, X2), x, X2)


def erf_recursion(mlp, x1, x2):
    """The kernel of erf in NumPy, Williams (1997), in the ntk parametrization."""

    def affine(a):
        return mlp.w_std**2 * a + mlp.b_std**2

    def mean(c, v, w):
        return 2 / np.pi * np.arcsin(2 * c / np.sqrt(np.multiply.outer(1 + 2 * v, 1 + 2 * w)))

    def slope(c, v, w):
        return 4 / np.pi / np.sqrt(np.multiply.outer(1 + 2 * v, 1 + 2 * w) - 4 * c**2)

    def variance(v):
        return 2 / np.pi * np.arcsin(2 * v / (1 + 2 * v))

    v, w = (affine((x**2).sum(1) / mlp.d) for x in (x1, x2))
    c = ntk = affine(x1 @ x2.T / mlp.d)
    for _ in mlp.widths:
        slopes = slope(c, v, w)
        c, v, w = affine(mean(c, v, w)), affine(variance(v)), affine(variance(w))
        ntk = c + mlp.w_std**2 * ntk * slopes
    return ntk


@pytest.mark.parametrize("depth", [1, 3, 4])
@pytest.mark.parametrize("second", [None, X2], ids=["square", "rectangular"])
def test_infinite_kernels_of_many_inputs_and_layers_are_the_recursion(depth, second):
    mlp = Mlp(D, (4,) * depth, "erf", w_std=1.3, b_std=0.7)
    expected = erf_recursion(mlp, X1, X1 if second is None else second)
    found = np.asarray(analytic.ntk(mlp, X1, second))
    assert np.abs(found - expected).max() <= analytic.ACCURACY * np.abs(expected).max()


@pytest.mark.parametrize("depth", [3, 4])
def test_the_quadrature_of_many_layers_is_the_recursion(depth):
    mlp = Mlp(D, (4,) * depth, "erf", w_std=1.3, b_std=0.7)
    x, z = X1[:5], X2[:3]
    error = np.abs(np.asarray(quadrature_oracle.ntk(mlp, x, z)) - erf_recursion(mlp, x, z))
    # `quadrature_oracle.ACCURACY` a layer times the steepness of angles above 1/10.
    assert error.max() <= 10 * depth * quadrature_oracle.ACCURACY * erf_recursion(mlp, x, x).max()


def exact_relu(mlp, x1, x2):
    """The kernel of ReLU and one hidden layer in 60 digits; Cho & Saul (2009)."""
    x1, x2 = ([[mp.mpf(float(t)) for t in row] for row in x] for x in (x1, x2))
    w, b = (mp.mpf(float(std)) ** 2 for std in (mlp.w_std, mlp.b_std))

    def entry(x, z):
        c, v, u = (
            w * mp.fsum(s * t for s, t in zip(a, e, strict=True)) / mlp.d + b
            for a, e in ((x, z), (x, x), (z, z))
        )
        root = mp.sqrt(v * u)
        angle = mp.acos(c / root)
        step = (mp.pi - angle) / (2 * mp.pi)
        return w * (root * mp.sin(angle) / (2 * mp.pi) + c * step) + b + w * c * step

    with mp.workdps(60):
        return np.array([[float(entry(x, z)) for z in x2] for x in x1])


@pytest.mark.parametrize("method", [analytic.ntk, quadrature_oracle.ntk])
@pytest.mark.parametrize("distance", DISTANCES)
def test_infinite_kernels_of_inputs_that_nearly_coincide_are_those_of_theory(distance, method):
    x, z = near(distance)
    for mlp, exact in (
        (Mlp(D, (4,), "erf", w_std=1.3, b_std=0.7), erf_recursion),
        (Mlp(D, (4,), "relu", w_std=1.3, b_std=0.7), exact_relu),
    ):
        expected = exact(mlp, x, z)
        # The least angle of two inputs, bias included, is no less than a tenth of their distance:
        # arccos loses the inverse of it, but no more than half of the digits.
        steep = 10 / max(distance, 10 * 2**-26) if mlp.activation == "relu" else 1.0
        allowed = 2 * analytic.ACCURACY + rounding_allowance(100) * steep
        assert np.abs(np.asarray(method(mlp, x, z)) - expected).max() <= allowed * expected.max()


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_zonal_kernel_of_inputs_that_nearly_coincide_is_that_of_theory(distance):
    x, z = near(distance)
    x, z = (part * math.sqrt(D) / np.linalg.norm(part, axis=1)[:, None] for part in (x, z))
    mlp = Mlp(D, (4,), "cubic", parametrization="montanari_zhong")
    # The derivative is t^2, and of a unit vector w E <w, x>^2 <w, z>^2 is a fourth moment.
    cosine = x @ z.T / D
    expected = cosine * D * (1 + 2 * cosine**2) / (D + 2)
    found = zonal.ntk(mlp, x, z)
    assert np.abs(found - expected).max() <= 2 * quadrature_oracle.ACCURACY * expected.max()


@pytest.mark.parametrize("second", [None, X2[:9]], ids=["square", "rectangular"])
@pytest.mark.parametrize("parametrization", ["ntk", "montanari_zhong"])
def test_the_quadrature_of_many_pairs_is_that_of_each_pair(parametrization, second):
    # 16 inputs are 136 pairs, more than one chunk of 16 MiB holds.
    mlp = Mlp(D, (4,), "tanh", parametrization=parametrization)
    x = X1[:16]
    found = np.asarray(quadrature_oracle.ntk(mlp, x, second))
    columns = x if second is None else second
    for i in range(len(x)):
        for j in (0, len(columns) // 2, len(columns) - 1):
            alone = np.asarray(quadrature_oracle.ntk(mlp, x[i : i + 1], columns[j : j + 1]))[0, 0]
            assert abs(found[i, j] - alone) <= 2 * quadrature_oracle.ACCURACY * found.max()

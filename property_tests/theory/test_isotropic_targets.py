"""Risk and train error given the inputs, against regressions on drawn targets and noise."""

import math

import numpy as np
import pytest
from simulation import interval, relu_kernel, sphere, width_kernel

from ntval.activations import activation
from ntval.errors import InputError
from ntval.theory import gegenbauer, isotropic_targets
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

D, N = 6, 40
TARGET = Target(energies=(0.2, 0.5, 0.3, 0.1), noise_std=0.4)


def harmonics(x, z=None, degree=10):
    return gegenbauer.polynomials(x.shape[1], degree, x @ (x if z is None else z).T / x.shape[1])


def tanh_kernel(x, z=None):
    """K_N of tanh at width 4, singular: N d < n."""
    return width_kernel("tanh", x, 4, z)


def drawn_targets(x, target, draws, seed=1):
    """Isotropic random targets at the rows of x, a column each: Gaussian of covariance F_k P_k."""
    covariance = np.tensordot(target.energies, harmonics(x, degree=len(target.energies) - 1), 1)
    w, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(seed).standard_normal((len(x), draws))
    return vectors * np.sqrt(np.maximum(w, 0)) @ normal


@pytest.mark.parametrize(
    ("kernel", "ridge"), [(relu_kernel, 0.1), (relu_kernel, 0.0), (tanh_kernel, 0.3)]
)
def test_risk_and_train_error_are_means_over_targets_and_noise(kernel, ridge):
    x, fresh, draws = sphere(N, D), sphere(300, D, seed=2), 4000
    targets = drawn_targets(np.vstack([x, fresh]), TARGET, draws)
    noise = TARGET.noise_std * np.random.default_rng(3).standard_normal((N, draws))
    labels = targets[:N] + noise
    solution = np.linalg.solve(kernel(x) + ridge * np.eye(N), labels)
    risks = ((kernel(fresh, x) @ solution - targets[N:]) ** 2).mean(axis=0)
    train_errors = ((labels - kernel(x) @ solution) ** 2).mean(axis=0)

    moments = isotropic_targets.sampled_moments(kernel(fresh, x), harmonics(fresh, x, degree=3))
    given = (kernel(x), harmonics(x, degree=3))
    mean, allowed = interval(risks)
    assert abs(isotropic_targets.risk(*given, moments, TARGET, ridge=ridge) - mean) <= allowed
    mean, allowed = interval(train_errors)
    exact = isotropic_targets.train_error(*given, TARGET, ridge=ridge)
    assert abs(exact - mean) <= allowed + 1e-20


def test_kernel_moments_are_means_over_fresh_inputs():
    x, fresh = sphere(5, D), sphere(20000, D, seed=4)
    # K^p of degree 3 is a kernel whose energies stop: nothing is left out.
    energies = theory.energies(activation("relu"), D, 3)
    polynomials = harmonics(fresh, x, degree=3)
    rows = np.tensordot(energies, polynomials, 1)
    exact = isotropic_targets.kernel_moments(energies, D, harmonics(x, degree=3))
    squares = rows[:, :, None] * rows[:, None, :]
    assert (np.abs(squares.mean(0) - exact.square) <= 5 * squares.std(0) / math.sqrt(20000)).all()
    for overlap, values in zip(exact.overlaps, polynomials, strict=True):
        products = rows[:, :, None] * values[:, None, :]
        allowed = 5 * products.std(0) / math.sqrt(20000) + 1e-15
        assert (np.abs(products.mean(0) - overlap) <= allowed).all()


def test_sampled_moments_tend_to_kernel_moments():
    x, fresh = sphere(N, D), sphere(40000, D, seed=5)
    energies = theory.energies(activation("relu"), D, 10)
    exact = isotropic_targets.kernel_moments(energies, D, harmonics(x))
    sampled = isotropic_targets.sampled_moments(relu_kernel(fresh, x), harmonics(fresh, x))
    risks = [
        isotropic_targets.risk(relu_kernel(x), harmonics(x), moments, TARGET, ridge=0.1)
        for moments in (exact, sampled)
    ]
    # Over 40000 inputs the mean of squares of order 1 moves by 1 / sqrt(40000) at most.
    assert abs(risks[0] - risks[1]) <= 5 * risks[0] / math.sqrt(40000)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_noise_alone_leaves_what_the_rank_does_not_reach(scale):
    x = sphere(N, D)
    gram = scale * tanh_kernel(x)
    assert np.linalg.matrix_rank(gram) == 24
    got = isotropic_targets.train_error(
        gram, harmonics(x, degree=0), Target(energies=(), noise_std=2.0), ridge=0.0
    )
    assert got == pytest.approx(4.0 * (1 - 24 / N), rel=1e-12)


def test_a_vast_ridge_learns_nothing():
    x = sphere(N, D)
    energies = theory.energies(activation("relu"), D, 10)
    moments = isotropic_targets.kernel_moments(energies, D, harmonics(x))
    got = isotropic_targets.risk(relu_kernel(x), harmonics(x), moments, TARGET, ridge=1e12)
    assert got == pytest.approx(sum(TARGET.energies), rel=1e-9)


def test_arguments_that_do_not_fit_are_refused():
    x = sphere(N, D)
    gram, values = relu_kernel(x), harmonics(x, degree=2)
    with pytest.raises(InputError, match="ridge needs"):
        isotropic_targets.train_error(gram, values, Target((1.0,)), ridge=-1.0)
    with pytest.raises(InputError, match="harmonics needs shape"):
        isotropic_targets.train_error(gram[:3, :3], values, Target((1.0,)), ridge=1.0)
    with pytest.raises(InputError, match="at most 3 energies"):
        isotropic_targets.train_error(gram, values, TARGET, ridge=1.0)
    with pytest.raises(InputError, match="one number a degree"):
        isotropic_targets.kernel_moments(np.ones(4), D, values)

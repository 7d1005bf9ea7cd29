"""Risks of Montanari & Zhong against the spec's numbers and exact risks of drawn inputs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import interval

from ntval.activations import activation
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.theory import gegenbauer, isotropic_targets
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

LINEAR = Target(energies=(0.0, 1.0), noise_std=0.5)
CUBIC = Target(energies=(0.25, 0.25, 0.25, 0.25), noise_std=0.3)
CONSTANT = Target(energies=(1.0,))
NOISELESS = Target(energies=(0.0, 1.0))
# gamma_eff at ridge 0 of spec section 2.1; tanh from its columns v_1 / mu_0^2, since the printed
# .265819774 is off by 4e-9, and the two erfs in closed form, since they have fewer digits there.
EFFECTIVE_RIDGES = {
    "relu": 1,
    "gelu": 0.823403462597,
    "silu": 0.517929406531,
    "softplus": 0.173516143432,
    "tanh": 0.0975237380859 / 0.605705509602**2,
    "erf": 3 / math.sqrt(5) - 1,
    "erf_sqrt2": 2 / math.sqrt(3) - 1,
    "cubic": 2,
}
TWELVE_DIGITS = 5e-12
# The DE column of spec section 3 and of E18, E21 and E26: four or three digits.
EQUIVALENTS = [
    *[("relu", 60, 20, 0.0, LINEAR, 0.1840), ("relu", 120, 40, 0.0, LINEAR, 0.1710)],
    *[("relu", 240, 80, 0.0, LINEAR, 0.1644), ("relu", 480, 160, 0.0, LINEAR, 0.1611)],
    *[("tanh", 60, 20, 0.0, LINEAR, 0.1113), ("tanh", 120, 40, 0.0, LINEAR, 0.1074)],
    *[("tanh", 240, 80, 0.0, LINEAR, 0.1064), ("relu", 252, 14, 0.0, CUBIC, 0.4146)],
    *[("relu", 665, 22, 0.0, CUBIC, 0.3883), ("relu", 240, 80, 0.0, CONSTANT, 0.1938)],
]


def drawn(name, n, d, seed):
    """Gram matrix of the first 10 degrees, the rest on the diagonal, and the harmonics."""
    x = np.random.default_rng(seed).standard_normal((n, d))
    x /= np.linalg.norm(x, axis=1)[:, None]
    harmonics = gegenbauer.polynomials(d, 10, x @ x.T)
    energies = theory.energies(activation(name), d, 10)
    tail = theory.tail_energy(activation(name), d, 10)
    return np.tensordot(energies, harmonics, 1) + tail * np.eye(n), harmonics, energies


def exact_risks(name, n, d, target, ridge, draws, degree=None):
    """Risk and train error given the inputs, of K, or of K^p with `degree`; one row a draw."""
    rows = []
    for seed in range(draws):
        gram, harmonics, energies = drawn(name, n, d, seed)
        if degree is not None:
            energies = energies[: degree + 1]
            gram = np.tensordot(energies, harmonics[: degree + 1], 1)
        moments = isotropic_targets.kernel_moments(energies, d, harmonics)
        rows.append(
            (
                isotropic_targets.risk(gram, harmonics, moments, target, ridge=ridge),
                isotropic_targets.train_error(gram, harmonics, target, ridge=ridge),
            )
        )
    return np.array(rows)


@pytest.mark.parametrize("name", EFFECTIVE_RIDGES)
def test_effective_ridge_limit_equals_the_table(name):
    got = theory.effective_ridge_limit(activation(name), ridge=0.0)
    assert abs(got - EFFECTIVE_RIDGES[name]) <= TWELVE_DIGITS


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu"])
def test_effective_ridge_tends_to_its_limit(name):
    limit = theory.effective_ridge_limit(activation(name), ridge=0.3)
    gaps = [
        abs(theory.effective_ridge(activation(name), d, ridge=0.3) - limit) * d
        for d in (100, 1000, 10000)
    ]
    assert max(gaps) <= 2 * limit
    assert np.ptp(gaps) <= 0.1 * max(gaps)


# The spec has tanh .1061, cut off; it is .106156.
@pytest.mark.parametrize(("name", "value"), [("relu", 0.1577), ("tanh", 0.1062)])
def test_linear_target_risk_limit_meets_the_spec(name, value):
    got = theory.linear_target_risk_limit(activation(name), 3.0, ridge=0.0, noise_std=0.5)
    assert abs(got - value) <= 5e-5


@pytest.mark.parametrize(
    ("d", "ridge", "value"),
    [
        *[(20, 0.0, 0.1546), (40, 0.0, 0.1562), (80, 0.0, 0.1570), (160, 0.0, 0.1574)],
        (80, 0.1, 0.1959),
    ],
)
def test_linear_target_risk_meets_the_spec(d, ridge, value):
    got = theory.linear_target_risk(activation("relu"), 3 * d, d, ridge=ridge, noise_std=0.5)
    assert abs(got - value) <= 5e-5


@given(ridge=st.floats(0.01, 10), ratio=st.floats(0.2, 8), noise_std=st.floats(0, 2))
def test_linear_target_risk_is_quadratic_in_signal_and_noise(ridge, ratio, noise_std):
    def value(noise_std, target_energy):
        return theory.linear_target_risk_limit(
            activation("tanh"), ratio, ridge=ridge, noise_std=noise_std, target_energy=target_energy
        )

    assert value(noise_std, 3.0) == pytest.approx(3 * value(0.0, 1.0) + value(noise_std, 0.0))
    assert value(noise_std, 0.0) == pytest.approx(noise_std**2 * value(1.0, 0.0))


@pytest.mark.parametrize(("name", "n", "d", "ridge", "target", "value"), EQUIVALENTS)
def test_kernel_ridge_risk_meets_the_spec(name, n, d, ridge, target, value):
    got = theory.kernel_ridge_risk(activation(name), n, d, target, ridge=ridge)
    assert abs(got - value) <= 5e-5 + 1e-12


def test_kernel_ridge_train_error_meets_the_spec():
    # E19 and section 3: ReLU .0236, tanh .0514, at d = 80, n = 240, ridge .1.
    for name, value in (("relu", 0.0236), ("tanh", 0.0514)):
        got = theory.kernel_ridge_train_error(activation(name), 240, 80, LINEAR, ridge=0.1)
        assert abs(got - value) <= 5e-5


@pytest.mark.parametrize(
    ("name", "n", "d", "ridge", "target", "draws"),
    [
        *[("relu", 60, 20, 0.0, LINEAR, 40), ("tanh", 60, 20, 0.1, LINEAR, 40)],
        *[("gelu", 20, 40, 0.1, LINEAR, 40), ("gelu", 200, 20, 0.0, LINEAR, 8)],
        *[("relu", 60, 20, 0.0, CONSTANT, 60), ("relu", 252, 14, 0.1, CUBIC, 6)],
        ("gelu", 252, 14, 0.0, CUBIC, 6),
        # Bias alone, near n = B(d, 2): where a search refuted the remainder of before.
        *[("relu", 60, 10, 0.0, NOISELESS, 200), ("gelu", 80, 10, 0.0, NOISELESS, 200)],
        ("gelu", 137, 23, 0.0, NOISELESS, 60),
    ],
)
def test_kernel_ridge_risk_and_train_error_are_means_of_exact_ones(
    name, n, d, ridge, target, draws
):
    fn = activation(name)
    risks, train_errors = exact_risks(name, n, d, target, ridge, draws).T
    mean, allowed = interval(risks)
    allowed += theory.kernel_ridge_risk_remainder(fn, n, d, target, ridge=ridge)
    assert abs(mean - theory.kernel_ridge_risk(fn, n, d, target, ridge=ridge)) <= allowed
    mean, allowed = interval(train_errors)
    value = theory.kernel_ridge_train_error(fn, n, d, target, ridge=ridge)
    assert abs(mean - value) <= allowed + 0.01 * value


@pytest.mark.parametrize(
    ("name", "n", "d", "degree", "target", "draws"),
    [("relu", 60, 20, 1, LINEAR, 40), ("gelu", 252, 14, 2, CUBIC, 6)],
)
def test_polynomial_ridge_risk_and_train_error_are_means_of_exact_ones(
    name, n, d, degree, target, draws
):
    fn = activation(name)
    ridge = 0.05 + theory.tail_energy(fn, d, degree)
    setting = {"target": target, "ridge": ridge, "degree": degree}
    risks, train_errors = exact_risks(name, n, d, target, ridge, draws, degree).T
    mean, allowed = interval(risks)
    value = theory.polynomial_ridge_risk(fn, n, d, **setting)
    assert abs(mean - value) <= allowed + (value + target.energies[0]) / (4 * d)
    mean, allowed = interval(train_errors)
    value = theory.polynomial_ridge_train_error(fn, n, d, **setting)
    assert abs(mean - value) <= allowed + 0.01 * value


def test_kernel_ridge_exceeds_polynomial_ridge_by_the_share_of_samples_to_directions():
    # E16: (KRR - PRR) / (n / d^2) of exact risks is .174, .170, .170, .172, +-8 %.
    relu = activation("relu")
    for d in (20, 40, 80, 160):
        tail = theory.tail_energy(relu, d, 1)
        gap = theory.kernel_ridge_risk(relu, 3 * d, d, LINEAR, ridge=0.0)
        gap -= theory.polynomial_ridge_risk(relu, 3 * d, d, LINEAR, ridge=tail)
        assert gap / (3 / d) == pytest.approx(0.171, rel=0.08)


def test_polynomial_ridge_without_the_self_induced_ridge_is_another_estimator():
    # E21: ReLU d=60, n=120, ridge .1: PRR(lambda + gamma_{>1}) .318, PRR(lambda) .190; KRR .323.
    relu = activation("relu")
    target = Target(energies=(0.0, 1.0), noise_std=0.5)
    tail = theory.tail_energy(relu, 60, 1)
    without = theory.polynomial_ridge_risk(relu, 120, 60, target, ridge=0.1)
    induced = theory.polynomial_ridge_risk(relu, 120, 60, target, ridge=0.1 + tail)
    full = theory.kernel_ridge_risk(relu, 120, 60, target, ridge=0.1)
    assert abs(full - induced) < 0.01
    assert abs(full - without) > 0.05


@pytest.mark.parametrize(
    ("name", "n", "d"), [("relu", 60, 20), ("relu", 240, 80), ("tanh", 120, 40), ("gelu", 300, 30)]
)
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_linear_target_risk_remainder_covers_polynomial_ridge_regression(name, n, d, ridge):
    fn = activation(name)
    setting = {"ridge": ridge, "noise_std": 0.5}
    whole = ridge + theory.tail_energy(fn, d, 1)
    mean, allowed = interval(exact_risks(name, n, d, LINEAR, whole, 5, degree=1)[:, 0])
    allowed += theory.linear_target_risk_remainder(fn, n, d, **setting)
    assert abs(mean - theory.linear_target_risk(fn, n, d, **setting)) <= allowed


def test_effective_dimension_explains_the_learning_threshold():
    # Spec section 3: n kappa = (ridge + gamma_{>l}) / (1 - n_eff / n), up to higher degrees.
    relu = activation("relu")
    tail = theory.tail_energy(relu, 80, 1)
    got = theory.polynomial_ridge_equivalent(relu, 240, 80, ridge=0.1 + tail)
    share = got.effective_dimension / 240
    assert 240 * got.threshold == pytest.approx((0.1 + tail) / (1 - share), rel=1e-12)
    full = theory.kernel_ridge_equivalent(relu, 240, 80, ridge=0.1)
    assert full.threshold == pytest.approx(got.threshold, rel=0.05)


@pytest.mark.parametrize(("name", "rel"), [("relu", 0.05), ("tanh", 0.005)])
def test_train_error_ratio_relates_the_two_regressions(name, rel):
    fn = activation(name)
    tail = theory.tail_energy(fn, 80, 1)
    full = theory.kernel_ridge_train_error(fn, 240, 80, LINEAR, ridge=0.1)
    low = theory.polynomial_ridge_train_error(fn, 240, 80, LINEAR, ridge=0.1 + tail)
    assert full == pytest.approx(theory.train_error_ratio(fn, 80, ridge=0.1) * low, rel=rel)


def test_train_error_is_zero_without_a_ridge():
    assert theory.train_error_ratio(activation("relu"), 20, ridge=0.0) == 0
    got = theory.kernel_ridge_train_error(activation("relu"), 60, 20, LINEAR, ridge=0.0)
    assert got == 0


def test_a_degree_that_the_kernel_lacks_is_never_learned():
    quiet = Target(energies=(0.0, 0.0, 1.0))
    tanh = activation("tanh")
    assert theory.kernel_ridge_equivalent(tanh, 600, 20, ridge=0.1).learnabilities[2] == 0
    assert theory.kernel_ridge_risk(tanh, 600, 20, quiet, ridge=0.1) > 1


@pytest.mark.parametrize(
    ("width", "pilot", "spread"), [(5, 0.487, 0.067), (9, 0.089, 0.026), (10, 0.0, 0.0)]
)
def test_noise_train_error_meets_the_pilots_of_the_spec(width, pilot, spread):
    got = theory.noise_train_error(200, theory.rank(200, 20, width), noise_std=1.0)
    assert abs(got - pilot) <= 5 * spread / math.sqrt(10) + 5e-4


@pytest.mark.parametrize("noise_std", [0.5, 2.0])
def test_noise_enters_by_its_variance(noise_std):
    # A projection of rank 50 leaves a white vector of 200 entries three quarters of its square.
    assert theory.noise_train_error(200, 50, noise_std=noise_std) == 0.75 * noise_std**2
    noise = noise_std * np.random.default_rng(0).standard_normal((2000, 20))
    basis, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((20, 5)))
    errors = ((noise - noise @ basis @ basis.T) ** 2).mean(axis=1)
    mean, allowed = interval(errors)
    assert abs(mean - theory.noise_train_error(20, 5, noise_std=noise_std)) <= allowed
    # The bound's factor is 1 + the noise's mean square, the target's being 1.
    ratio = theory.ridge_equivalence_bound(90, 20, 320, noise_std=noise_std)
    assert ratio == pytest.approx(
        (1 + noise_std**2) * theory.ridge_equivalence_bound(90, 20, 320, noise_std=0.0),
        rel=rounding_allowance(3),
    )


@pytest.mark.parametrize("function", [theory.kernel_ridge_risk, theory.kernel_ridge_train_error])
@given(noise_std=st.floats(0, 3))
def test_risks_of_kernel_ridge_regression_are_quadratic_in_the_noise(function, noise_std):
    def value(noise_std):
        target = replace(LINEAR, noise_std=noise_std)
        return function(activation("tanh"), 60, 20, target, ridge=0.1)

    expected = value(0.0) + noise_std**2 * (value(1.0) - value(0.0))
    # A handful of products and sums each, of one equivalent; the difference is part of value(1).
    scale = value(0.0) + (1 + noise_std**2) * value(1.0)
    assert value(noise_std) == pytest.approx(expected, abs=rounding_allowance(40) * scale)


@pytest.mark.parametrize(
    "call",
    [
        lambda: theory.effective_ridge(activation("quadratic"), 20, ridge=0.1),
        lambda: theory.effective_ridge_limit(activation("quadratic"), ridge=0.1),
        lambda: theory.kernel_ridge_risk(activation("relu"), 60, 20, LINEAR, ridge=-0.1),
        lambda: theory.kernel_ridge_risk(
            activation("relu"), 60, 20, Target((0.0,) * 12), ridge=0.1
        ),
        lambda: theory.train_error_ratio(activation("linear"), 20, ridge=0.0),
        lambda: theory.noise_train_error(10, 11, noise_std=1.0),
    ],
)
def test_arguments_outside_the_theory_are_refused(call):
    with pytest.raises(InputError, match="needs"):
        call()


@pytest.mark.parametrize(
    ("name", "ridge", "noise_std"),
    [("relu", 0.0, 0.5), ("gelu", 0.0, 0.5), ("relu", 0.1, 0.5), ("relu", 0.0, 0.0)],
)
def test_self_induced_gap_remainder_covers_the_gap_at_the_same_inputs(name, ridge, noise_std):
    fn, n, d, target = activation(name), 120, 40, replace(LINEAR, noise_std=noise_std)
    whole = ridge + theory.tail_energy(fn, d, 1)
    full = exact_risks(name, n, d, target, ridge, 16)[:, 0]
    mean, allowed = interval(full - exact_risks(name, n, d, target, whole, 16, degree=1)[:, 0])
    allowed += theory.self_induced_ridge_gap_remainder(fn, n, d, target, ridge=ridge)
    assert abs(mean - theory.self_induced_ridge_gap(fn, n, d, target, ridge=ridge)) <= allowed


def test_kernel_ridge_train_error_remainder_covers_the_mean():
    relu = activation("relu")
    mean, allowed = interval(exact_risks("relu", 120, 40, LINEAR, 0.1, 8)[:, 1])
    allowed += theory.kernel_ridge_train_error_remainder(relu, 120, 40, LINEAR, ridge=0.1)
    predicted = theory.kernel_ridge_train_error(relu, 120, 40, LINEAR, ridge=0.1)
    assert abs(mean - predicted) <= allowed

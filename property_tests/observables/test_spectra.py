"""Spectra: values against NumPy, certificates from both sides, errors."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import zeta

from ntval.arrays import rounding_allowance
from ntval.errors import GramError, InputError
from ntval.front.strategies import positive_definite
from ntval.observables import spectra


def gram(n, *, rank=None, seed=0):
    factor = np.random.default_rng(seed).standard_normal((n, rank or 2 * n))
    return factor @ factor.T / factor.shape[1]


@given(matrix=st.sampled_from([2, 5, 9]).flatmap(positive_definite))
def test_min_eigenvalue_is_numpys(matrix):
    exact = np.linalg.eigvalsh(matrix)[0]
    assert abs(spectra.min_eigenvalue(matrix) - exact) <= rounding_allowance(40) * np.trace(matrix)


def test_min_eigenvalue_by_inverse_lanczos_is_the_dense_one(monkeypatch):
    matrix = gram(120)
    dense = spectra.min_eigenvalue(matrix)
    monkeypatch.setattr(spectra, "LANCZOS_FROM", 10)
    assert abs(spectra.min_eigenvalue(matrix) - dense) <= rounding_allowance(4 * 120) * np.trace(
        matrix
    )


@pytest.mark.parametrize("size", [9, 10, 11])
def test_min_eigenvalue_is_by_inverse_lanczos_from_its_size_on(size, monkeypatch):
    called = []
    monkeypatch.setattr(spectra, "LANCZOS_FROM", 10)
    monkeypatch.setattr(spectra, "inverse_lanczos", lambda matrix: called.append(matrix))
    spectra.min_eigenvalue(gram(size))
    assert len(called) == (size >= 10)


def test_min_eigenvalue_of_a_large_singular_matrix_is_rounding(monkeypatch):
    monkeypatch.setattr(spectra, "LANCZOS_FROM", 10)
    matrix = gram(60, rank=20)
    assert abs(spectra.min_eigenvalue(matrix)) <= rounding_allowance(4 * 60) * np.trace(matrix)


@given(matrix=st.sampled_from([2, 5, 9]).flatmap(positive_definite))
def test_certified_min_eigenvalue_is_below_and_close(matrix):
    certified = spectra.certified_min_eigenvalue(matrix)
    exact = np.linalg.eigvalsh(matrix)[0]
    margin = rounding_allowance(len(matrix) + 1) * np.trace(matrix)
    assert exact - 8 * margin <= certified <= exact


@pytest.mark.parametrize("exponent", [-2, -6, -10, -14])
def test_certified_min_eigenvalue_never_exceeds_the_true_one(exponent):
    # A diagonal matrix is its own spectrum, so the truth is known to the last bit.
    values = np.geomspace(10.0**exponent, 1.0, 40)
    assert spectra.certified_min_eigenvalue(np.diag(values)) <= values[0]


def test_certified_min_eigenvalue_of_an_indefinite_matrix_is_negative():
    assert spectra.certified_min_eigenvalue(np.diag([-1.0, 2.0])) <= -1.0


@pytest.mark.parametrize("least", [1e-8, -1.0])
@pytest.mark.parametrize("n", [2, 40])
def test_certified_min_eigenvalue_lies_two_margins_below_the_computed_one(n, least):
    # Of a diagonal matrix Cholesky runs at the first shift: one margin below the estimate, and the
    # certificate is one more. The formula of the docstring, in rational numbers.
    diagonal = np.linspace(least, 2.0, n)
    estimate = spectra.min_eigenvalue(np.diag(diagonal))
    u = Fraction(1, 2**53)
    gamma = (n + 1) * u / (1 - (n + 1) * u)

    def margin(mu):
        shifted = [abs(Fraction(value) - mu) for value in diagonal.tolist()]
        return gamma / (1 - gamma) * sum(shifted) + u * max(shifted)

    expected = Fraction(estimate) - margin(Fraction(estimate))
    expected -= margin(expected)
    # Three differences of numbers of the estimate's size; the margins' own rounding is below.
    allowed = 3 * np.finfo(float).eps * abs(estimate) + 1e-12 * float(margin(expected))
    certified = spectra.certified_min_eigenvalue(np.diag(diagonal))
    assert abs(float(Fraction(certified) - expected)) <= allowed


@pytest.mark.parametrize("too_high", [1e-9, 0.3, 0.4, 0.9])
def test_certified_min_eigenvalue_does_not_trust_the_computed_one(too_high, monkeypatch):
    matrix = gram(8) + np.eye(8)
    exact = np.linalg.eigvalsh(matrix)[0]
    monkeypatch.setattr(spectra, "min_eigenvalue", lambda matrix: exact + too_high)
    # The step below the estimate doubles until Cholesky runs: it ends below twice what it takes.
    rounding = 8 * rounding_allowance(9) * np.trace(matrix)
    assert exact - too_high - rounding <= spectra.certified_min_eigenvalue(matrix) <= exact


def test_certified_min_eigenvalue_pays_for_entry_errors():
    matrix = gram(8)
    free = spectra.certified_min_eigenvalue(matrix)
    paid = free - spectra.certified_min_eigenvalue(matrix, entry_error=0.25)
    # Two subtractions, of numbers no larger than these.
    assert paid == pytest.approx(0.25, abs=rounding_allowance(2) * (abs(free) + 0.25))


@pytest.mark.parametrize("shape", [(4, 4), (3, 7)])
def test_operator_norm_is_the_largest_singular_value(shape):
    matrix = np.random.default_rng(1).standard_normal(shape)
    exact = np.linalg.svd(matrix, compute_uv=False)[0]
    assert abs(spectra.operator_norm(matrix) - exact) <= rounding_allowance(100) * exact


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("lanczos_from", [10, 1000])
def test_operator_norm_of_a_symmetric_matrix_is_its_largest_absolute_eigenvalue(
    lanczos_from, sign, monkeypatch
):
    monkeypatch.setattr(spectra, "LANCZOS_FROM", lanczos_from)
    basis, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((40, 40)))
    values = np.linspace(-3.0, 2.0, 40)
    matrix = sign * basis * values @ basis.T
    matrix = (matrix + matrix.T) / 2
    # Backward errors of a few n u ||K|| of the products, of the basis and of the solver.
    allowed = rounding_allowance(10 * 40) * 3
    assert abs(spectra.operator_norm(matrix) - 3.0) <= allowed


@pytest.mark.parametrize("scale", [1.25, 0.5, 0.0, -1.0])
def test_relative_distance_of_a_scaled_matrix_is_the_scale(scale):
    matrix = gram(12)
    allowed = rounding_allowance(12**2) * np.linalg.cond(matrix) * max(1, abs(scale))
    distance = spectra.relative_distance(scale * matrix, matrix)
    assert abs(distance - abs(scale - 1)) <= allowed


def test_relative_distance_is_that_of_the_direction_that_departs_most_up_or_down():
    reference = gram(12)
    root = np.linalg.cholesky(reference)
    allowed = rounding_allowance(12**2) * np.linalg.cond(reference) * 2
    for most, other in ((-0.5, 0.25), (0.5, -0.25)):
        departures = np.array([most, other, *[0.0] * 10])
        matrix = root * (1 + departures) @ root.T
        distance = spectra.relative_distance((matrix + matrix.T) / 2, reference)
        assert abs(distance - 0.5) <= allowed


def test_asymmetric_matrix_is_refused_with_the_entry():
    matrix = gram(4)
    matrix[1, 2] += 1e-3
    with pytest.raises(GramError, match=r"symmetric matrix, got .* at \["):
        spectra.min_eigenvalue(matrix)


@pytest.mark.parametrize("bad", [np.ones((2, 3)), np.ones(3), np.ones((0, 0))])
def test_matrix_that_is_not_square_is_refused(bad):
    with pytest.raises(GramError, match="needs shape"):
        spectra.min_eigenvalue(bad)


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((2, 2, 2)), np.ones((0, 3))])
def test_operator_norm_is_of_a_matrix_alone(bad):
    with pytest.raises(GramError, match="needs shape"):
        spectra.operator_norm(bad)


def test_norms_and_distances_of_a_single_entry_are_its_own():
    assert spectra.operator_norm(np.array([[-3.0]])) == 3.0
    assert spectra.relative_distance(np.array([[1.0]]), np.array([[4.0]])) == 0.75
    assert spectra.min_eigenvalue(np.array([[-3.0]])) == -3.0


def test_distance_needs_one_shape():
    with pytest.raises(GramError, match="one shape"):
        spectra.relative_distance(np.eye(3), np.eye(2))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_entries_that_are_not_finite_are_refused(value):
    matrix = gram(3)
    matrix[0, 0] = value
    with pytest.raises(InputError, match="finite entries"):
        spectra.certified_min_eigenvalue(matrix)


def test_singular_reference_is_refused():
    with pytest.raises(GramError, match="positive definite"):
        spectra.relative_distance(np.eye(3), np.diag([1.0, 1.0, -1.0]))


def test_effective_ranks_of_the_identity_are_its_size_less_k():
    for ranks in spectra.effective_ranks(np.full(50, 3.0)):
        assert (ranks == 50 - np.arange(50)).all()


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.999])
@pytest.mark.parametrize("scale", [1.0, 1e-290])
def test_effective_ranks_of_a_geometric_spectrum_have_a_closed_form(ratio, scale):
    left = 40 - np.arange(40)
    first = (1 - ratio**left) / (1 - ratio)
    second = first**2 * (1 - ratio**2) / (1 - ratio ** (2 * left))
    found = spectra.effective_ranks(scale * ratio ** np.arange(40.0))
    for ranks, exact in zip(found, (first, second), strict=True):
        # The closed form loses the leading digits of 1 - ratio.
        assert (np.abs(ranks / exact - 1) <= rounding_allowance(8 * 40) / (1 - ratio)).all()


@pytest.mark.parametrize("decay", [1.2, 2.0, 40.0])
def test_effective_ranks_of_a_power_law_are_tails_of_zeta(decay):
    def tails(power):
        """Sums of i^-power over i = k + 1, ..., 200, by the largest term."""
        i = np.arange(1, 201)
        fractions = [Fraction(0)]
        for value in reversed((i / 200.0) ** -power):
            fractions.append(fractions[-1] + Fraction(value))
        return fractions[:0:-1]

    once, twice = tails(decay), tails(2 * decay)
    levels = [Fraction(value) for value in (np.arange(1, 201) / 200.0) ** -decay]
    first, second = spectra.effective_ranks(np.arange(1.0, 201) ** -decay)
    for k in range(200):
        assert abs(first[k] / float(once[k] / levels[k]) - 1) <= rounding_allowance(2000)
        assert abs(second[k] / float(once[k] ** 2 / twice[k]) - 1) <= rounding_allowance(4000)
    assert abs(spectra.effective_ranks(np.arange(1.0, 10**5) ** -2.0)[0][0] - zeta(2)) <= 1.1e-5


def test_effective_ranks_need_no_order_and_no_scale():
    w = np.random.default_rng(0).gamma(0.3, size=60)
    exact = spectra.effective_ranks(np.sort(w))
    for other in (w, 2.0**-900 * w, 2.0**900 * w):
        assert np.array_equal(spectra.effective_ranks(other), exact)


def test_effective_ranks_are_0_where_nothing_is_left():
    first, second = spectra.effective_ranks([2.0, -1e-17, 0.0, 2.0])
    assert first.tolist() == second.tolist() == [2, 1, 0, 0]
    assert not np.any(spectra.effective_ranks(np.zeros(3)))


@pytest.mark.parametrize(
    ("eigenvalues", "message"),
    [
        ([1.0, -0.1], "numbers >= 0 up to rounding, got -0.1 beside 1"),
        ([-1.0], "numbers >= 0 up to rounding"),
        ([], r"shape \(n,\) with n >= 1, got \(0,\)"),
        (np.eye(2), r"shape \(n,\) with n >= 1, got \(2, 2\)"),
        ([1.0, np.nan], "finite entries"),
        ([1, 2], "floating-point entries"),
    ],
)
def test_eigenvalues_that_no_gram_matrix_has_are_refused(eigenvalues, message):
    with pytest.raises(InputError, match=message) as refused:
        spectra.effective_ranks(eigenvalues)
    assert "\n" not in str(refused.value)

"""Ridge regression against scikit-learn, NumPy's least squares, and each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from ntval.arrays import rounding_allowance
from ntval.errors import GramError, InputError
from ntval.observables import regression

SIZES = st.sampled_from([(3, 8), (8, 3), (12, 12), (30, 20)])
RIDGES = st.floats(1e-3, 1e3)
SEEDS = st.integers(0, 2**32 - 1)


def data(n, p, seed=0, outputs=None):
    """Features, labels, and features of 5 fresh points."""
    generator = np.random.default_rng(seed)
    shape = (n,) if outputs is None else (n, outputs)
    features = generator.standard_normal((n, p)) / math.sqrt(p)
    return features, generator.standard_normal(shape), generator.standard_normal((5, p))


def rounding(features, ridge):
    """n u times the condition number of the larger of both systems, with room for constants."""
    top = np.linalg.norm(features, 2) ** 2
    return 100 * max(features.shape) * np.finfo(float).eps * (top + ridge) / ridge


@given(size=SIZES, ridge=RIDGES, seed=SEEDS)
def test_kernel_ridge_is_scikit_learns_with_alpha_the_ridge(size, ridge, seed):
    features, y, fresh = data(*size, seed)
    gram, cross = features @ features.T, fresh @ features.T
    theirs = KernelRidge(alpha=ridge, kernel="precomputed").fit(gram, y).predict(cross)
    ours = regression.predictions(regression.kernel_ridge(gram, y, ridge=ridge), cross)
    assert np.abs(ours - theirs).max() <= rounding(features, ridge) * np.abs(fresh).sum()


@given(size=SIZES, ridge=RIDGES, seed=SEEDS)
def test_feature_ridge_is_scikit_learns_without_intercept(size, ridge, seed):
    features, y, fresh = data(*size, seed)
    model = Ridge(alpha=ridge, fit_intercept=False, solver="svd").fit(features, y)
    ours = regression.predictions(regression.feature_ridge(features, y, ridge=ridge), fresh)
    theirs = model.predict(fresh)
    assert np.abs(ours - theirs).max() <= rounding(features, ridge) * np.abs(fresh).sum()


@given(size=SIZES, ridge=RIDGES, seed=SEEDS, outputs=st.sampled_from([None, 1, 3]))
def test_primal_and_dual_predict_the_same(size, ridge, seed, outputs):
    features, y, fresh = data(*size, seed, outputs)
    dual = regression.kernel_ridge(features @ features.T, y, ridge=ridge)
    primal = regression.feature_ridge(features, y, ridge=ridge)
    allowed = rounding(features, ridge) * np.abs(fresh).sum()
    gap = regression.predictions(dual, fresh @ features.T) - regression.predictions(primal, fresh)
    assert np.abs(gap).max() <= allowed
    assert np.abs(dual.fitted - primal.fitted).max() <= allowed


@given(size=SIZES, seed=SEEDS)
def test_without_a_ridge_both_are_least_squares_of_least_norm(size, seed):
    features, y, _ = data(*size, seed)
    # Condition numbers of Gaussian matrices are heavy-tailed: square ones are kept away.
    if size[0] == size[1]:
        features = features + 3 * np.eye(size[0])
    exact = np.linalg.lstsq(features, y, rcond=None)[0]
    primal = regression.feature_ridge(features, y, ridge=0.0)
    dual = regression.kernel_ridge(features @ features.T, y, ridge=0.0)
    allowed = 1e-13 * np.linalg.cond(features) ** 2 * (1 + np.abs(exact).max())
    assert np.abs(primal.coefficients - exact).max() <= allowed
    assert np.abs(features.T @ dual.coefficients - exact).max() <= allowed
    assert primal.rank == dual.rank == min(size)


@given(seed=SEEDS)
def test_a_small_ridge_is_close_to_none(seed):
    features, y, fresh = data(10, 30, seed)
    gram, cross = features @ features.T, fresh @ features.T
    none, small = (
        regression.predictions(regression.kernel_ridge(gram, y, ridge=ridge), cross)
        for ridge in (0.0, 1e-9)
    )
    smallest = np.linalg.eigvalsh(gram)[0]
    allowed = 1e-9 / smallest**2 * np.linalg.norm(y) * np.linalg.norm(cross, 2) + 1e-12 / smallest
    assert np.abs(none - small).max() <= allowed


@given(seed=SEEDS, ridge=st.floats(1e-6, 10))
def test_residuals_are_the_ridge_times_the_dual_coefficients(seed, ridge):
    features, y, _ = data(20, 6, seed)
    fit = regression.kernel_ridge(features @ features.T, y, ridge=ridge)
    # Cholesky solves a system off by 3 n + 1 roundings of |L| |L^T|, whose entries are no larger
    # than the diagonal's (Higham 2002, theorem 10.4); n more for K times the coefficients, 3 for
    # the differences.
    scale = (np.linalg.norm(features, 2) ** 2 + ridge) * np.abs(fit.coefficients).sum()
    allowed = rounding_allowance(4 * 20 + 4) * (scale + np.abs(y).max())
    assert np.abs(fit.residuals - ridge * fit.coefficients).max() <= allowed
    # Two sums of 20 squares, in any order, over 20.
    exact, roundings = np.mean((y - fit.fitted) ** 2), 2 * (20 + 1)
    assert regression.train_error(fit) == pytest.approx(
        exact, rel=rounding_allowance(roundings), abs=0
    )


def test_an_interpolator_of_noise_leaves_what_its_rank_does_not_reach():
    errors = []
    for seed in range(200):
        features, noise, _ = data(20, 5, seed)
        errors.append(regression.train_error(regression.feature_ridge(features, noise, ridge=0.0)))
    allowed = 5 * np.std(errors, ddof=1) / math.sqrt(200)
    assert abs(np.mean(errors) - (1 - 5 / 20)) <= allowed


def test_duplicates_are_fitted_by_their_mean():
    gram = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    y = np.array([1.0, 3.0, 5.0])
    fit = regression.kernel_ridge(gram, y, ridge=0.0)
    # Eigenvectors to a few n roundings, and three products with n terms; the condition is 1.
    allowed = rounding_allowance((4 + 3) * 3) * np.linalg.norm(y)
    assert fit.fitted == pytest.approx([2.0, 2.0, 5.0], abs=allowed)
    assert fit.rank == 2
    # The mean of squares of residuals -1, 1 and 0.
    assert regression.train_error(fit) == pytest.approx(2 / 3, abs=4 / 3 * allowed)


def test_polynomial_ridge_is_kernel_ridge_with_the_sum_of_its_degrees():
    x = np.random.default_rng(0).standard_normal((12, 3))
    x /= np.linalg.norm(x, axis=1)[:, None]
    u, y = x @ x.T, x[:, 0] - x[:, 1] ** 2
    harmonics, energies = np.stack([np.ones_like(u), u, (3 * u**2 - 1) / 2]), np.array([0.1, 1, 2])
    ours = regression.polynomial_ridge(energies, harmonics, y, ridge=0.3)
    theirs = KernelRidge(alpha=0.3, kernel="precomputed").fit(0.1 + u + 3 * u**2 - 1, y)
    assert ours.coefficients == pytest.approx(theirs.dual_coef_, rel=1e-12)
    # 9 directions for 12 inputs: a quadratic target on the sphere is interpolated all the same.
    ridgeless = regression.polynomial_ridge(energies, harmonics, y, ridge=0.0)
    assert ridgeless.rank == 9
    assert regression.train_error(ridgeless) <= 1e-25


def test_a_cut_off_says_what_counts_as_zero():
    gram = np.diag([1.0, 1e-6])
    y = np.ones(2)
    assert regression.kernel_ridge(gram, y, ridge=0.0).rank == 2
    assert regression.kernel_ridge(gram, y, ridge=0.0, cutoff=1e-5).rank == 1
    assert regression.feature_ridge(gram, y, ridge=0.0, cutoff=1e-5).fitted == pytest.approx([1, 0])


def test_single_precision_is_judged_by_its_own_rounding():
    features, y, _ = data(40, 5)
    single = features.astype(np.float32)
    gram = single @ single.T
    assert regression.kernel_ridge(gram, y.astype(np.float32), ridge=0.0).rank == 5
    # A ridge is judged in float64, in which it is solved.
    assert regression.kernel_ridge(gram, y, ridge=1e-4).fitted.dtype == np.float64


@given(
    n=st.integers(1, 1000),
    ridge=st.floats(0, 1e6),
    scale=st.floats(1e-3, 1e3),
    size=st.integers(1, 9),
)
def test_conversions_of_the_ridge_come_back(n, ridge, scale, size):
    gram = scale * np.eye(size)
    averaged = regression.averaged_from_ridge(ridge, n)
    relative = regression.relative_from_ridge(ridge, gram)
    # A quotient and a product with the same number; a ridge that underflows comes back as 0.
    same = pytest.approx(ridge, rel=rounding_allowance(2), abs=np.finfo(float).tiny)
    assert regression.ridge_from_averaged(averaged, n) == same
    assert regression.ridge_from_relative(relative, gram) == same


@given(penalty=st.floats(1e-3, 10), seed=SEEDS)
def test_an_averaged_loss_is_minimized_at_the_converted_ridge(penalty, seed):
    features, y, _ = data(15, 6, seed)
    ridge = regression.ridge_from_averaged(penalty, 15)
    a = regression.feature_ridge(features, y, ridge=ridge).coefficients
    # Gradient of (1 / n) |y - F a|^2 + penalty |a|^2.
    gradient = features.T @ (features @ a - y) / 15 + penalty * a
    assert np.abs(gradient).max() <= 1e-13 * (1 + penalty) * (1 + np.linalg.norm(y))


@given(diag_reg=st.floats(1e-3, 10), seed=SEEDS)
def test_a_relative_ridge_is_neural_tangents_regularizer(diag_reg, seed):
    features, y, _ = data(9, 20, seed)
    gram = features @ features.T
    ridge = regression.ridge_from_relative(diag_reg, gram)
    # neural_tangents.predict: A + diag_reg * trace(A) / dimension * eye(dimension).
    theirs = np.linalg.solve(gram + diag_reg * np.trace(gram) / 9 * np.eye(9), y)
    ours = regression.kernel_ridge(gram, y, ridge=ridge).coefficients
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_risk_is_the_mean_square_of_the_gap():
    assert regression.risk(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == 2.5
    assert regression.risk(np.ones((2, 3)), np.zeros((2, 3))) == 3.0


def near_singular():
    gram = np.eye(3)
    gram[0, 1] = gram[1, 0] = 1 - 1e-13
    return gram


ONES = np.ones(3)
GRAM = np.eye(3)
NAN = np.array([1.0, np.nan, 1.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: regression.kernel_ridge(GRAM, NAN, ridge=1.0), InputError, "y needs finite"),
        (lambda: regression.kernel_ridge(GRAM * np.nan, ONES, ridge=1.0), InputError, "gram needs"),
        (lambda: regression.kernel_ridge(GRAM[:2], ONES, ridge=1.0), GramError, r"shape \(n, n\)"),
        (lambda: regression.kernel_ridge(GRAM, ONES[:2], ridge=1.0), InputError, r"y needs shape"),
        (
            lambda: regression.kernel_ridge(GRAM, ONES, ridge=-1.0),
            InputError,
            "ridge needs .* >= 0",
        ),
        (lambda: regression.kernel_ridge(GRAM, ONES, ridge=np.inf), InputError, "ridge needs"),
        (
            lambda: regression.kernel_ridge(np.triu(np.ones((3, 3))), ONES, ridge=1.0),
            GramError,
            r"symmetric matrix, got 1 at \[0, 1\] and 0",
        ),
        (lambda: regression.kernel_ridge(-GRAM, ONES, ridge=0.0), GramError, "positive semi-def"),
        (
            lambda: regression.kernel_ridge(near_singular(), ONES, ridge=0.0),
            GramError,
            "clear rank .* pass ridge > 0, drop nearly equal rows",
        ),
        (
            lambda: regression.kernel_ridge(np.ones((3, 3)), ONES, ridge=1e-18),
            GramError,
            "ridge needs to exceed",
        ),
        (
            lambda: regression.kernel_ridge(GRAM, ONES, ridge=0.0, cutoff=2.0),
            InputError,
            "cutoff needs",
        ),
        (lambda: regression.feature_ridge(ONES, ONES, ridge=1.0), InputError, "features needs"),
        (
            lambda: regression.feature_ridge(near_singular(), ONES, ridge=0.0),
            GramError,
            "features needs a clear rank",
        ),
        (
            lambda: regression.polynomial_gram(ONES, np.ones((2, 3, 3))),
            InputError,
            "give each degree its matrix",
        ),
        (
            lambda: regression.polynomial_gram(-ONES, np.ones((3, 2, 2))),
            InputError,
            "energies needs numbers >= 0",
        ),
        (
            lambda: regression.predictions(
                regression.kernel_ridge(GRAM, ONES, ridge=1.0), np.ones((4, 2))
            ),
            InputError,
            r"rows needs shape \(m, 3\)",
        ),
        (lambda: regression.risk(ONES, ONES[:2]), InputError, "need one shape"),
        (lambda: regression.ridge_from_averaged(1.0, 0), InputError, "n needs"),
        (lambda: regression.ridge_from_relative(1.0, 0 * GRAM), GramError, "positive trace"),
    ],
)
def test_what_cannot_be_solved_is_refused_with_a_way_out(call, error, message):
    with pytest.raises(error, match=message):
        call()


EPS = np.finfo(float).eps


def test_single_rows_columns_and_values_are_as_good_as_many():
    column, row = np.array([[1.0], [2.0], [2.0]]), np.array([[3.0, 4.0]])
    # Least squares of (0, 9, 9) on (1, 2, 2), and of 5 on a row of square 25 with a ridge of 25.
    fit = regression.feature_ridge(column, np.array([0.0, 9.0, 9.0]), ridge=0.0)
    assert fit.coefficients == pytest.approx([4.0], rel=rounding_allowance(60))
    fit = regression.feature_ridge(row, np.array([5.0]), ridge=25.0)
    assert fit.coefficients == pytest.approx([0.3, 0.4], rel=rounding_allowance(60))
    assert regression.risk(np.array([2.0]), np.array([-1.0])) == 9.0
    with pytest.raises(InputError, match="features needs"):
        regression.feature_ridge(np.ones((0, 3)), np.ones(0), ridge=1.0)
    with pytest.raises(InputError, match="one shape"):
        regression.risk(np.ones(0), np.ones(0))


def test_energies_may_be_0_and_none_may_be_negative():
    harmonics = np.stack([np.eye(2), np.ones((2, 2))])
    assert regression.polynomial_gram(np.array([2.0, 0.0]), harmonics).tolist() == [[2, 0], [0, 2]]
    with pytest.raises(InputError, match="energies needs numbers >= 0, got -1"):
        regression.polynomial_gram(np.array([2.0, -1.0]), harmonics)


@pytest.mark.parametrize(
    ("gram", "ridge", "solved"),
    [
        # Condition numbers 3 / ridge, against 1 / (3 eps) = 1.5e15.
        (np.ones((3, 3)), 1e-15, False),
        (np.ones((3, 3)), 1e-14, True),
        # The largest row counts: 1e4 / ridge, against 1 / (4 eps) = 1.1e15.
        (np.diag([1e4, 0, 0, 0]) + np.pad(np.ones((3, 3)), (1, 0)), 1e-13, False),
        (np.diag([1e4, 0, 0, 0]) + np.pad(np.ones((3, 3)), (1, 0)), 1e-10, True),
    ],
)
def test_a_ridge_is_refused_where_rounding_is_larger(gram, ridge, solved):
    def solve():
        return regression.kernel_ridge(gram, np.ones(len(gram)), ridge=ridge)

    if solved:
        assert np.isfinite(solve().coefficients).all()
    else:
        with pytest.raises(GramError, match="ridge needs to exceed"):
            solve()


def test_what_counts_as_zero_goes_up_to_the_cut_off_and_what_is_in_doubt_to_1000_times_it():
    def rank(least, **options):
        # The largest eigenvalue is 1, so that cut-offs are exact: 2 eps for two rows.
        return regression.kernel_ridge(np.diag([1.0, least]), ONES[:2], ridge=0.0, **options).rank

    assert rank(2.0**-20, cutoff=2.0**-20) == 1
    assert rank(2.0**-20, cutoff=2.0**-21) == 2
    assert rank(1e-300, cutoff=0.0) == 2
    assert rank(2 * EPS) == 1
    assert rank(2.5 * 1000 * EPS) == 2
    for doubtful in (2.5 * EPS, 2 * 1000 * EPS):
        with pytest.raises(GramError, match="clear rank"):
            rank(doubtful)
    for cutoff in (1.0, 1.5, -0.1):
        with pytest.raises(InputError, match="cutoff needs"):
            rank(1.0, cutoff=cutoff)


def test_the_rounding_of_features_is_that_of_their_longest_side():
    features = np.zeros((2, 50))
    features[0, 0], features[1, 1] = 1.0, 20 * EPS
    for matrix in (features, features.T):
        fit = regression.feature_ridge(matrix, np.ones(len(matrix)), ridge=0.0)
        assert fit.rank == 1  # 20 eps is below 50 eps


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_negative_eigenvalues_are_rounding_or_refused_whatever_the_scale(scale):
    rounding = 1000 * 3 * EPS
    fit = regression.kernel_ridge(scale * np.diag([-rounding / 2, 1, 1]), ONES, ridge=0.0)
    assert fit.rank == 2
    with pytest.raises(GramError, match="positive semi-definite"):
        regression.kernel_ridge(scale * np.diag([-2 * rounding, 1, 1]), ONES, ridge=0.0)

"""Generalized cross-validation against direct solves, refits without a sample, and limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.errors import GramError, InputError
from ntval.observables import regression
from ntval.observables.generalized_cross_validation import cross_validation

SIZES = st.sampled_from([(4, 9), (9, 4), (15, 40)])
RIDGES = st.floats(1e-3, 1e2)
SEEDS = st.integers(0, 2**32 - 1)


def data(n, p, seed=0, outputs=1):
    """A Gram matrix of Gaussian features, and labels."""
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((n, p)) / np.sqrt(p)
    return features @ features.T, generator.standard_normal((n, outputs))


def rounding(gram, ridge):
    """n u times the condition number, with room for constants."""
    return 100 * len(gram) * np.finfo(float).eps * (np.trace(gram) + ridge) / ridge


def one(gram, y, ridge, **options):
    """The numbers at one ridge."""
    found = cross_validation(gram, y, ridges=np.array([ridge]), **options)
    return {name: values[0] for name, values in vars(found).items()}


def refitted(gram, y, ridge):
    """Mean square of the errors of the fits to all samples but one."""
    total = 0.0
    for i in range(len(gram)):
        others = np.delete(np.arange(len(gram)), i)
        fit = regression.kernel_ridge(gram[np.ix_(others, others)], y[others], ridge=ridge)
        total += ((y[i] - gram[i, others] @ fit.coefficients) ** 2).sum()
    return total / len(gram)


@given(size=SIZES, ridge=RIDGES, seed=SEEDS, outputs=st.sampled_from([1, 3]))
def test_every_number_is_that_of_a_direct_solve(size, ridge, seed, outputs):
    gram, y = data(*size, seed, outputs)
    n = len(gram)
    inverse = np.linalg.inv(gram + ridge * np.eye(n))
    residuals = ridge * inverse
    train = ((residuals @ y) ** 2).sum() / n
    missed = np.diag(residuals)
    direct = {
        "train_error": train,
        "gcv": train / (np.trace(residuals) / n) ** 2,
        "kare": n * ((inverse @ y) ** 2).sum() / np.trace(inverse) ** 2,
        "leave_one_out": ((residuals @ y / missed[:, None]) ** 2).sum() / n,
        "threshold": 1 / np.trace(inverse),
        "overfitting": n * np.trace(inverse @ inverse) / np.trace(inverse) ** 2,
        "leverage_dispersion": missed.std() / missed.mean(),
    }
    found = one(gram, y, ridge)
    allowed = rounding(gram, ridge)
    for name, value in direct.items():
        # Small residuals of a large y, and a spread of nearly equal leverages, lose digits.
        size_of = max(abs(value), (y**2).sum() if name == "train_error" else 1.0)
        assert abs(found[name] - value) <= allowed * size_of, name
    assert abs(found["effective_dimension"] - np.trace(gram @ inverse)) <= allowed * n


@given(size=SIZES, ridge=st.floats(1e-2, 1e2), seed=SEEDS)
def test_leave_one_out_is_that_of_refits(size, ridge, seed):
    gram, y = data(*size, seed)
    direct = refitted(gram, y, ridge)
    assert abs(one(gram, y, ridge)["leave_one_out"] / direct - 1) <= rounding(gram, ridge)


def test_leave_one_out_without_a_ridge_is_that_of_refits():
    gram, y = data(8, 20)
    direct = refitted(gram, y, 0.0)
    assert abs(one(gram, y, 0.0)["leave_one_out"] / direct - 1) <= 1e3 * np.finfo(float).eps


@given(size=SIZES, ridge=RIDGES, seed=SEEDS, factor=st.sampled_from([2.0**-20, 0.5, 8.0, 2.0**30]))
def test_scales_of_kernel_and_labels_act_as_they_should(size, ridge, seed, factor):
    gram, y = data(*size, seed)
    before, scaled = one(gram, y, ridge), one(factor * gram, y, factor * ridge)
    louder = one(gram, factor * y, ridge)
    for name in ("train_error", "gcv", "kare", "leave_one_out"):
        # Powers of two: nothing is rounded anew.
        assert scaled[name] == before[name]
        assert louder[name] == factor**2 * before[name]
    assert scaled["threshold"] == factor * before["threshold"]


def test_outputs_are_summed():
    gram, y = data(12, 30, outputs=3)
    together = one(gram, y, 0.1)
    apart = [one(gram, column, 0.1) for column in y.T]
    for name in ("train_error", "gcv", "kare", "leave_one_out"):
        total = sum(part[name] for part in apart)
        assert abs(together[name] / total - 1) <= 1e3 * np.finfo(float).eps


def test_a_grid_is_its_ridges_one_by_one():
    gram, y = data(12, 30)
    grid = cross_validation(gram, y, ridges=np.array([0.0, 0.1, 3.0]))
    for i, ridge in enumerate(grid.ridges):
        for name, value in one(gram, y, ridge).items():
            assert np.array_equal(vars(grid)[name][i], value), name


@given(size=SIZES, ridge=st.sampled_from([0.0, 1e-2, 3.0]), seed=SEEDS)
def test_terms_have_the_estimates_as_means_and_coefficients_are_those_of_a_fit(size, ridge, seed):
    gram, y = data(*size, seed, outputs=2)
    found = one(gram, y, ridge)
    allowed = rounding(gram, max(ridge, 1e-3))
    assert abs(found["gcv_terms"].mean() - found["gcv"]) <= allowed * found["gcv"]
    assert found["leave_one_out_terms"].mean() == found["leave_one_out"]
    direct = regression.kernel_ridge(gram, y, ridge=ridge).coefficients
    assert np.abs(found["coefficients"] - direct).max() <= allowed * np.abs(direct).max()


@pytest.mark.parametrize(("n", "p"), [(10, 25), (25, 10)])
def test_no_ridge_is_the_limit_of_small_ones(n, p):
    gram, y = data(n, p)
    limit = one(gram, y, 0.0)
    w = np.linalg.eigvalsh(gram)
    smallest = w[w > 1e-10].min()
    gaps = []
    for ridge in (1e-5 * smallest, 1e-7 * smallest):
        near = one(gram, y, ridge)
        names = ("gcv", "kare", "leave_one_out", "overfitting", "effective_dimension")
        gaps.append(max(abs(near[name] / limit[name] - 1) for name in names))
    # First order in the ridge: a hundredth of the ridge, a hundredth of the gap.
    assert gaps[0] <= 1e-3
    assert gaps[1] <= 0.02 * gaps[0]


def test_a_rank_below_n_gives_least_squares():
    gram, y = data(25, 10)
    residual = y - regression.kernel_ridge(gram, y, ridge=0.0).fitted
    found = one(gram, y, 0.0)
    rss = (residual**2).sum() / 25
    allowed = 1e4 * np.finfo(float).eps
    assert abs(found["gcv"] / (rss / (1 - 10 / 25) ** 2) - 1) <= allowed
    assert abs(found["kare"] / found["gcv"] - 1) <= allowed
    assert found["threshold"] == 0
    assert abs(found["overfitting"] - 1 / (1 - 10 / 25)) <= allowed


def test_a_sample_apart_from_the_others_of_a_singular_kernel_is_predicted_by_none():
    # Its leverage is 1: fitted exactly with it, 0 without it.
    gram = np.zeros((3, 3))
    gram[:2, :2] = 1.0
    gram[2, 2] = 4.0
    y = np.array([1.0, 2.0, 5.0])
    assert abs(one(gram, y, 0.0)["leave_one_out"] - (1 + 1 + 25) / 3) <= 1e-13


def test_equal_leverages_make_gcv_and_leave_one_out_equal():
    column = np.exp(-np.minimum(np.arange(16), 16 - np.arange(16)))
    gram = np.array([np.roll(column, i) for i in range(16)])  # circulant
    found = one(gram, np.random.default_rng(0).standard_normal(16), 0.3)
    assert abs(found["gcv"] / found["leave_one_out"] - 1) <= 1e3 * np.finfo(float).eps
    assert found["leverage_dispersion"] <= 1e3 * np.finfo(float).eps


def test_residuals_keep_their_digits_where_a_difference_loses_them():
    gram, y = data(10, 25)
    ridge = 1e-9
    exact = ridge**2 * (np.linalg.solve(gram, y) ** 2).sum() / 10
    # (K + r I)^-1 is K^-1 up to r / w_min.
    assert abs(one(gram, y, ridge)["train_error"] / exact - 1) <= 1e-6


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (InputError, r"ridges needs shape \(ridges,\)", {"ridges": np.array(1.0)}),
        (InputError, r"ridges needs numbers >= 0, got -1; 0 is", {"ridges": np.array([1.0, -1.0])}),
        (InputError, "ridges needs finite entries", {"ridges": np.array([np.nan])}),
        (InputError, r"y needs shape \(9,\)", {"y": np.ones(5)}),
        (GramError, r"ridges needs numbers above .* got 1e-18; ", {"ridges": np.array([1e-18])}),
        (GramError, "gram needs to be positive semi-definite", {"gram": -np.eye(9)}),
        (GramError, r"gram needs shape \(n, n\)", {"gram": np.ones((9, 8))}),
    ],
)
def test_bad_input_is_named_with_its_value_and_a_way_out(error, match, change):
    gram, y = data(9, 4)
    given_ = {"gram": gram, "y": y, "ridges": np.array([0.1]), **change}
    with pytest.raises(error, match=match) as refused:
        cross_validation(given_["gram"], given_["y"], ridges=given_["ridges"])
    assert "\n" not in str(refused.value)

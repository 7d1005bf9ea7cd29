"""GCV beside held-out risk on users' data: numbers against refits, and readings that are true."""

import json
import re

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_diabetes, load_digits
from sklearn.kernel_ridge import KernelRidge
from small_networks import X, tanh_mlp, weights

import ntval
from ntval.arrays import rounding_allowance
from ntval.errors import GramError, InputError, NetworkError
from ntval.kernels import analytic
from ntval.networks.mlp import Mlp
from ntval.reports.html import write_html
from ntval.runs.risk_reading import beyond_chance, gcv_is_wrong, reading

pytestmark = pytest.mark.filterwarnings("ignore:Singular matrix in solving dual problem")


def power_law(n, seed=0, noise=0.3, scales=None):
    """A Gram matrix of Gaussian features, and labels that are linear in them."""
    rng = np.random.default_rng(seed)
    levels = np.arange(1, 801) ** -1.5
    x = rng.standard_normal((n, 800)) * np.sqrt(levels)
    if scales is not None:
        x *= scales(rng, n)[:, None]
    coefficients = rng.choice([-1, 1], 800) * np.sqrt(np.arange(1, 801) ** -1.8 / levels)
    return x @ x.T, x @ coefficients + noise * rng.standard_normal(n)


def digits(n, seed=0):
    """The infinite-width kernel of digits, and their names."""
    data = load_digits()
    rows = np.random.default_rng(seed).permutation(len(data.target))[:n]
    return np.asarray(analytic.ntk(ntval.Mlp(64, (8,), "relu"), data.data[rows] / 16)), data.target[
        rows
    ]


def test_numbers_are_those_of_refits():
    gram, y = power_law(60)
    ridges = np.array([0.1, 1.0])
    found = ntval.gcv(gram, y=y, ridges=ridges, folds=4, seed=3)
    # Folds from what was left out: the same losses by another library, for any split of this seed.
    for i, ridge in enumerate(ridges):
        inverse = np.linalg.inv(gram + ridge * np.eye(60))
        whole = np.mean((inverse @ y / np.diag(inverse)) ** 2)
        assert 0.7 * whole <= found.leave_one_out.mean[i] <= 1.4 * whole
        assert 0.7 * whole <= found.held_out.mean[i] <= 1.6 * whole
    loo = ntval.gcv(gram, y=y, ridges=ridges, folds=15, seed=3)
    assert loo.folds == 15


def test_held_out_risk_is_that_of_scikit_learn():
    gram, y = power_law(40)
    ridges = [0.05, 2.0]
    found = ntval.gcv(gram, y=y, ridges=ridges, folds=2, seed=5)
    from ntval.runs.gcv import _folds

    parts = _folds(40, (), 2, np.random.default_rng(5))
    for i, ridge in enumerate(ridges):
        losses = []
        for part in parts:
            train = np.setdiff1d(np.arange(40), part)
            model = KernelRidge(alpha=ridge, kernel="precomputed")
            model.fit(gram[np.ix_(train, train)], y[train])
            losses.extend((model.predict(gram[np.ix_(part, train)]) - y[part]) ** 2)
        assert abs(found.held_out.mean[i] / np.mean(losses) - 1) <= 1e-9


def test_on_digits_gcv_is_seen_to_under_predict_near_interpolation_and_loo_is_not():
    gram, y = digits(600)
    found = ntval.gcv(gram, y=y)
    off = gcv_is_wrong(found)
    assert off[0]
    assert not beyond_chance(found.leave_one_out, found).any()
    assert not off[found.ridges > 1e-3 * found.trace].any()
    words = " ".join(reading(found))
    assert "GCV under-predicts here: at ridge" in words
    assert "trust it from ridge" in words
    assert found.error_rate.mean[found.selected] < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_on_gaussian_features_gcv_is_not_seen_to_be_wrong(seed):
    gram, y = power_law(100, seed)
    found = ntval.gcv(gram, y=y, seed=seed)
    assert not gcv_is_wrong(found).any()
    assert "GCV is not seen to be wrong" in " ".join(reading(found))


def test_on_rows_of_two_scales_gcv_is_seen_to_be_wrong():
    def scales(rng, n):
        return np.sqrt(np.where(rng.random(n) < 0.1, 7.3, 0.3))

    gram, y = power_law(900, 1, 0.2, scales)
    found = ntval.gcv(gram, y=y)
    words = " ".join(reading(found))
    assert gcv_is_wrong(found)[0]
    assert "GCV under-predicts here" in words


def test_random_labels_are_said_to_teach_nothing():
    gram, y = digits(300)
    found = ntval.gcv(gram, y=np.random.default_rng(0).permutation(y))
    assert any("no sign that anything is learned" in words for words in reading(found))
    learned = ntval.gcv(gram, y=y)
    assert not any("no sign that anything" in words for words in reading(learned))


def test_repeated_samples_are_said_to_leak_and_stay_in_one_fold():
    gram, y = digits(200)
    twice = np.r_[np.arange(200), np.arange(30)]
    found = ntval.gcv(gram[np.ix_(twice, twice)], y=y[twice])
    assert len(found.repeated) == 30
    words = " ".join(reading(found))
    assert "Leakage: K does not tell samples 0 and 200 and 29 other pairs apart" in words
    assert "GCV is not seen to be wrong" not in words
    alone = ntval.gcv(gram, y=y)
    # Held-out risk does not profit from copies: without the grouping it is a third smaller.
    assert found.held_out.mean[0] >= 0.8 * alone.held_out.mean[0]


def test_labels_far_from_0_are_spoken_of():
    data = load_diabetes()
    x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    gram = np.exp(-((x[:, None] - x[None]) ** 2).sum(axis=-1) / 20)
    assert any("Subtract their mean" in words for words in reading(ntval.gcv(gram, y=data.target)))
    centered = ntval.gcv(gram, y=data.target - data.target.mean())
    assert not any("Subtract" in words for words in reading(centered))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_network_and_its_gram_matrix_give_the_same(dtype, outputs):
    y = np.random.default_rng(0).standard_normal((len(X), outputs))
    params = weights(4)
    found = ntval.gcv(tanh_mlp, X.astype(dtype), y.astype(dtype), params=params)
    assert found.classes is None
    assert found.n == len(X)
    assert json.loads(json.dumps(found.document()))["schema"] == "ntval.gcv/1"


def test_the_page_of_a_run_with_labels_has_its_regression(tmp_path):
    run = ntval.check_network(
        tanh_mlp, weights(4), X, np.sin(X[:, 0]), claims=["symmetry"], on_fail="return"
    )
    write_html(run, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "Kernel ridge regression: tanh_mlp: 40 samples, numbers, 5 folds" in page
    assert "GCV is smallest at ridge" in page
    assert page.count("<svg") >= 1


def test_a_singular_kernel_loses_no_more_than_the_ridges_that_rounding_loses():
    x = np.random.default_rng(0).standard_normal((60, 10))
    y = np.random.default_rng(1).standard_normal(60)
    found = ntval.gcv(x @ x.T, y=y, ridges=[0.0, 1e-300, 0.1])
    assert found.ridges.tolist() == [0.0, 0.1]
    assert found.left_out[0][0] == 1e-300
    assert any("1e-300 was left out" in words for words in reading(found))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, jnp.bfloat16])
@pytest.mark.parametrize("features", [10, 300])
def test_a_gram_matrix_of_low_precision_is_taken_as_that(dtype, features):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((61, features)) * np.arange(1, features + 1.0) ** -2
    y = x[:, 0] + 0.1 * rng.standard_normal(61)
    exact = ntval.gcv(x @ x.T, y=y, ridges=[1.0])
    found = ntval.gcv(np.asarray(jnp.asarray(x @ x.T, dtype=dtype)), y=y)
    assert found.ridges.max() > 1.0
    near = int(np.abs(np.log(np.maximum(found.ridges, 1e-300))).argmin())
    same = ntval.gcv(x @ x.T, y=y, ridges=[found.ridges[near]])
    share = 64 * 61 * float(jnp.finfo(dtype).eps)
    assert abs(found.gcv.mean[near] / same.gcv.mean[0] - 1) <= share
    assert exact.gcv.mean[0] > 0
    low = (x @ x.T).astype(np.float32)
    run = ntval.check_network(low, y=y, claims=["positive_semidefinite"], on_fail="return")
    assert run.risk is not None, run.note


GRAM, Y = power_law(20)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"gram_or_network": GRAM}, InputError, "gcv needs y"),
        ({"gram_or_network": GRAM, "y": Y[1:]}, InputError, "y needs shape"),
        ({"gram_or_network": GRAM, "y": Y * np.nan}, InputError, "y needs finite"),
        ({"gram_or_network": GRAM, "y": Y, "ridges": [-1.0]}, InputError, "ridges needs numbers"),
        ({"gram_or_network": GRAM, "y": Y, "ridges": [1e30]}, InputError, "every prediction"),
        ({"gram_or_network": GRAM, "y": Y, "ridges": [np.nan]}, InputError, "ridges needs finite"),
        ({"gram_or_network": GRAM, "y": Y, "ridges": []}, InputError, "ridges needs shape"),
        ({"gram_or_network": GRAM, "y": Y, "folds": 1}, InputError, "folds needs 2 to n / 4 = 5"),
        ({"gram_or_network": GRAM, "y": Y, "folds": 19}, InputError, "folds needs"),
        ({"gram_or_network": -GRAM, "y": Y}, GramError, "positive semi-definite"),
        ({"gram_or_network": 0 * GRAM, "y": Y}, InputError, "positive trace"),
        ({"gram_or_network": GRAM[:, 1:], "y": Y}, GramError, "gram needs shape"),
        ({"gram_or_network": np.triu(GRAM), "y": Y}, GramError, "symmetric"),
        ({"gram_or_network": tanh_mlp, "y": Y}, InputError, "gcv needs x"),
        ({"gram_or_network": GRAM, "y": 1e90 * Y}, InputError, "squares are well within"),
        ({"gram_or_network": GRAM, "y": 1e-90 * Y}, InputError, "squares are well within"),
        ({"gram_or_network": GRAM, "y": np.ones(20)}, InputError, "y needs two values or more"),
        (
            {"gram_or_network": csr_array(GRAM), "y": Y},
            InputError,
            r"dense array, got csr_array; pass gram.toarray\(\)",
        ),
        (
            {"gram_or_network": lambda a, b: a @ b.T, "x": GRAM, "y": Y},
            NetworkError,
            "the Gram matrix for a kernel",
        ),
        (
            {"gram_or_network": GRAM[:6, :6], "y": Y[:6]},
            InputError,
            "gcv needs 8 samples or more",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(given, kind, message):
    with pytest.raises(kind, match=message) as caught:
        ntval.gcv(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("unit", [2.0**660, 2.0**-660])
def test_a_kernel_of_any_scale_gives_the_same(unit):
    """All is exact in powers of two but eigenvalues, which LAPACK brings to another scale."""
    x = np.random.default_rng(0).standard_normal((60, 5))
    gram, y = np.exp(-((x[:, None] - x) ** 2).sum(-1) / 10), np.sin(x[:, 0])
    found, scaled = ntval.gcv(gram, y=y), ntval.gcv(unit * gram, y=y)
    np.testing.assert_array_equal(scaled.ridges, unit * found.ridges)
    assert found.agreement_ridge
    assert scaled.agreement_ridge == unit * found.agreement_ridge
    # GCV is two quotients of sums over eigenvalues, each as well known as the smallest is.
    allowed = rounding_allowance(4 * len(gram) * np.linalg.cond(gram))
    np.testing.assert_allclose(scaled.gcv.mean, found.gcv.mean, rtol=allowed)
    np.testing.assert_allclose(scaled.held_out.mean, found.held_out.mean, rtol=allowed)


@pytest.mark.parametrize("unit", [2.0**190, 2.0**-190])
def test_labels_of_any_scale_that_is_taken_give_the_same(unit):
    found, scaled = ntval.gcv(GRAM, y=Y), ntval.gcv(GRAM, y=unit * Y)
    np.testing.assert_array_equal(scaled.held_out.mean, unit**2 * found.held_out.mean)
    np.testing.assert_array_equal(scaled.held_out.error, unit**2 * found.held_out.error)
    np.testing.assert_array_equal(gcv_is_wrong(scaled), gcv_is_wrong(found))
    with_units = ("GCV is smallest", "At that ridge")
    said, again = (
        [sentence for sentence in reading(each) if not sentence.startswith(with_units)]
        for each in (found, scaled)
    )
    assert again == said


def test_rows_in_lists_and_a_single_ridge_are_taken():
    found = ntval.gcv(GRAM.tolist(), y=Y.tolist(), ridges=1.0)
    np.testing.assert_array_equal(found.gcv.mean, ntval.gcv(GRAM, y=Y, ridges=[1.0]).gcv.mean)


def test_estimates_and_bounds_show_what_they_say_instead_of_their_arrays():
    found = ntval.gcv(GRAM, y=Y)
    assert repr(found).splitlines()[0] == "Gram matrix: 20 samples, numbers, 5 folds"
    assert reading(found)[0] in repr(found)
    assert len(repr(found)) < 1500
    model = Mlp(8, (64,), "relu")
    (line,) = repr(ntval.bounds(np.eye(8), (lambda p, x: x @ p, np.ones((8, 1))))).splitlines()
    assert line.startswith("K at these weights: smallest eigenvalue")
    rows = np.random.default_rng(0).standard_normal((20, 8))
    assert "; lower bound 0." in repr(ntval.bounds(rows, model)).splitlines()[0]


def test_a_gap_said_to_be_unseen_is_smaller_than_the_one_that_would_have_been_seen():
    told = 0
    for seed in range(12):
        gram, y = power_law(40, seed)
        sentences = reading(ntval.gcv(gram, y=y))
        for said in (s for s in sentences if s.startswith("GCV is not seen to be wrong")):
            gaps = [float(part) for part in re.findall(r"(-?[\d.e+]+) % off", said)]
            seen = [float(part) for part in re.findall(r"where ([\d.e+]+) % would", said)]
            assert len(gaps) == len(seen) >= 2
            assert all(abs(gap) <= least for gap, least in zip(gaps, seen, strict=True)), said
            told += 1
    assert told >= 6


def test_an_exact_fit_is_no_fault_of_gcv():
    gram = np.outer(Y, Y)
    words = " ".join(reading(ntval.gcv(gram, y=Y)))
    assert "the fit is exact" in words
    assert "predicts here" not in words


def test_no_interval_of_a_risk_goes_below_0():
    y = np.r_[np.zeros(19, dtype=int), 1]
    found = ntval.gcv(GRAM, y=y)
    for curve in (found.held_out, found.gcv, found.leave_one_out, found.error_rate):
        assert (curve.interval()[0] >= 0).all()


def test_samples_that_are_all_alike_are_refused():
    with pytest.raises(GramError, match="20 that are all alike"):
        ntval.gcv(np.ones((20, 20)), y=np.arange(20.0))

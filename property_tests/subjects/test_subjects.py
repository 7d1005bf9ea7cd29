"""Kinds of subject: what each is made of, and what a claim is told that it lacks."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.stats import chi2

from ntval.arrays import float64
from ntval.claims.catalogue import CLAIMS
from ntval.data import sets
from ntval.errors import InputError
from ntval.kernels import analytic
from ntval.networks.mlp import Mlp
from ntval.observables.spectra import certified_min_eigenvalue
from ntval.regimes import PowerLaw, RealData, Regime
from ntval.subjects.features import labels_of, power_law_features
from ntval.subjects.labelled import finite_width_split, labelled_pool, resplit
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import NEEDS, GramSubject, LabelledGram, Ladder

KEY = jax.random.key(0)
NETWORK = mlp_subject(Regime(n=4, d=3, widths=(8,), activation="erf"))
GRAM = GramSubject(np.eye(3)[None])
FEATURES = power_law_features(PowerLaw(n=4, features=6))
LABELLED = LabelledGram(np.eye(3), np.zeros((3, 1)), np.array([0, 1]), np.array([2]))


@pytest.mark.parametrize("law", ["gaussian", "rademacher", "uniform"])
def test_features_have_the_variances_of_their_power_law(law):
    point = PowerLaw(n=1, features=5, decay=1.2, law=law)
    x = np.asarray(power_law_features(point).draw(KEY, 20_000))
    white = x * np.arange(1, 6) ** 0.6
    # n C / (1 + max |x|^2 ...) has no simple law for every one of the three, entries do: each
    # mean of 20,000 products of variance at most 2 lies within 6 standard errors.
    error = 6 * np.sqrt(2 / len(x))
    assert np.abs(white.T @ white / len(x) - np.eye(5)).max() < error


def test_the_target_has_mean_square_one_and_shares_that_fall_like_a_power():
    subject = power_law_features(PowerLaw(n=1, features=50, decay=1.5, alignment=1.8))
    shares = subject.eigenvalues * subject.coefficients**2
    assert shares.sum() == pytest.approx(1.0)
    slopes = np.diff(np.log(shares)) / np.diff(np.log(np.arange(1, 51)))
    np.testing.assert_allclose(slopes, -1.8)
    assert {-1.0, 1.0} == set(np.sign(subject.coefficients))


def test_labels_are_the_target_and_noise_of_a_stream_of_its_own():
    subject = replace(FEATURES, noise_std=0.5)
    x = subject.draw(KEY, 5_000)
    noise = np.asarray(labels_of(subject, jax.random.key(1), x)) - np.asarray(x) @ (
        subject.coefficients
    )
    low, high = chi2.ppf([1e-9, 1 - 1e-9], len(x)) / len(x)
    assert low < (noise**2).mean() / 0.25 < high
    again = labels_of(subject, jax.random.key(2), x)
    assert not np.allclose(again - x @ subject.coefficients, noise)


def test_real_data_becomes_a_gram_matrix_with_labels_and_a_split():
    point = RealData("digits", n=30, n_test=12, widths=(1, 1), activation="erf")
    with float64():
        pool = labelled_pool(point)
        found, other = (resplit(pool, jax.random.key(seed)) for seed in (0, 1))
        x = sets.load("digits").x.reshape(-1, 64)
        exact = analytic.ntk(Mlp(64, (1, 1), "erf"), x)
    assert (len(found.train), len(found.test)) == (30, 12)
    assert found.labels.shape == (1797, 10)
    np.testing.assert_allclose(found.labels.sum(axis=1), 0.0, atol=1e-15)
    np.testing.assert_array_equal(found.gram, exact)  # one computation, the same inputs
    assert found.train.tolist() != other.train.tolist()


def test_a_random_network_has_a_kernel_of_its_own_at_every_draw():
    point = RealData("digits", n=30, n_test=12, widths=(40, 30), network="finite_width")
    with float64():
        first, again, other = (finite_width_split(point, jax.random.key(s)) for s in (0, 0, 1))
    assert first.gram.shape == (42, 42)
    assert certified_min_eigenvalue(first.gram) > 0
    assert np.array_equal(first.gram, again.gram)  # to the bit: the same program and key
    assert not np.allclose(first.gram, other.gram)


def test_labels_that_are_no_classes_stay_numbers(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=rng.standard_normal((40, 3)), y=rng.standard_normal(40))
    found = labelled_pool(RealData(str(tmp_path / "a.npz"), n=20, n_test=10))
    assert found.labels.shape == (40, 1)


def test_data_without_labels_or_with_too_few_rows_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).standard_normal((5, 3)))
    with pytest.raises(InputError, match="labels y"):
        labelled_pool(RealData(str(tmp_path / "a.npz"), n=2, n_test=1))
    with pytest.raises(InputError, match=r"n \+ n_test <= 1797"):
        labelled_pool(RealData("digits", n=1790, n_test=8))
    with pytest.raises(InputError, match="needs data='vader' for minilm, got 'digits'"):
        labelled_pool(RealData("digits", n=10, n_test=8, network="minilm"))


def test_a_split_that_overlaps_is_refused():
    with pytest.raises(InputError, match="disjoint"):
        replace(LABELLED, test=np.array([1]))


def test_a_ladder_has_a_growing_size_a_rung():
    assert Ladder("n", (1.0, 2.0), ("a", "b")).axis == "n"
    for sizes in ((1.0,), (2.0, 1.0), (1.0, 1.0)):
        with pytest.raises(InputError, match="one growing size a rung"):
            Ladder("n", sizes, ("a", "b"))


@pytest.mark.parametrize(
    ("need", "subjects"),
    [
        ("kernel", (NETWORK, GRAM)),
        ("forward pass", (NETWORK,)),
        ("two methods", (NETWORK,)),
        ("mlp", (NETWORK,)),
        ("random weights", (NETWORK,)),
        ("one Gram matrix", (GRAM,)),
        ("features", (FEATURES,)),
        ("labels", (LABELLED,)),
        ("theorem's setting", (NETWORK, GRAM, FEATURES, LABELLED)),
        ("kernel_fn", ()),
        ("ladder", ()),
        ("reference", ()),
        ("Gram matrices", ()),
    ],
)
def test_a_need_is_met_by_the_kinds_that_have_it(need, subjects):
    holds, reason = NEEDS[need]
    for subject in (NETWORK, GRAM, FEATURES, LABELLED):
        assert holds(subject) == any(subject is it for it in subjects)
    assert reason


def test_every_need_of_a_claim_is_one_and_no_claim_applies_to_every_kind():
    for claim in CLAIMS.values():
        assert set(claim.needs) <= set(NEEDS)
        kinds = (NETWORK, GRAM, FEATURES, LABELLED)
        assert any(claim.unmet_need(subject) for subject in kinds), claim.name

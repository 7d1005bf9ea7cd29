"""The local law, spectra, norms: against simulation, derivatives, and limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.errors import InputError
from ntval.theory import wei_hu_steinhardt as theory

N, FEATURES, DECAY = 60, 200, 1.5
BLOCKS = {"first": (6, 20), "second": (21, 60)}


def resolvents(ridge, draws):
    rng = np.random.default_rng(0)
    scale = np.sqrt(theory.power_law(FEATURES, DECAY))
    for _ in range(draws):
        x = rng.standard_normal((N, FEATURES)) * scale
        yield x, np.linalg.inv(x.T @ x + ridge * np.eye(FEATURES))


@pytest.mark.parametrize("ridge", [0.05, 2.0])
def test_entries_off_the_diagonal_have_the_mean_square_of_the_law(ridge):
    found = [((ridge * a)[5:20, 20:60] ** 2).sum() for _, a in resolvents(ridge, 60)]
    predicted = theory.mixing(N, FEATURES, decay=DECAY, ridge=ridge, **BLOCKS)
    allowed = 5 * np.std(found) / np.sqrt(60) + theory.mixing_remainder(
        N, FEATURES, decay=DECAY, ridge=ridge, of_one_over_n=3.0, **BLOCKS
    )
    assert abs(np.mean(found) - predicted) <= allowed


@pytest.mark.parametrize("ridge", [0.05, 2.0])
@pytest.mark.parametrize("noise_std", [0.0, 0.5])
def test_squared_norms_are_the_means_of_a_simulation(ridge, noise_std):
    fields = {"decay": DECAY, "alignment": 1.8, "noise_std": noise_std}
    levels, shares = theory.power_law(FEATURES, DECAY), theory.power_law(FEATURES, 1.8)
    target = np.sqrt(shares / shares.sum() / levels)
    found = []
    for x, a in resolvents(ridge, 40):
        learned = a @ x.T
        fitted = (learned @ x * target) ** 2
        found.append(fitted.sum() + noise_std**2 * (learned**2).sum())
    predicted = theory.squared_norm(N, FEATURES, ridge=ridge, **fields)
    allowed = 5 * np.std(found) / np.sqrt(40) + 3 / N * predicted
    assert abs(np.mean(found) - predicted) <= allowed


@given(st.floats(1.1, 2.5), st.floats(1e-2, 10.0))
def test_the_curve_at_the_threshold_is_the_effective_dimension(decay, ridge):
    kappa = theory.threshold(50, 120, decay=decay, ridge=ridge)
    found = theory.dimension_at(120, decay=decay, kappa=kappa)
    dimension = theory.effective_dimension(50, 120, decay=decay, ridge=ridge)
    assert abs(found - dimension) <= 1e-10 * 50


def test_moments_are_sums_of_powers():
    assert abs(theory.spectral_moment(3, decay=1.0, order=2) - (1 + 1 / 4 + 1 / 9)) <= 1e-14
    assert theory.spectral_moment(7, decay=0.0, order=3) == 7


@pytest.mark.parametrize(("decay", "alignment"), [(2.0, 1.8), (1.5, 1.3), (2.0, 2.5)])
def test_the_norm_bound_grows_by_its_limit_without_a_ridge(decay, alignment):
    fields = {"decay": decay, "alignment": alignment, "ridge": 0.0, "noise_std": 0.0}
    found = theory.norm_bound_exponent(800, 400_000, **fields)
    limit = (max(decay - alignment + 1, 0) - 1) / 2
    # Without a gap between the exponents the next order, n^-|alignment - decay|, is slow.
    assert abs(found - limit) <= 0.03


@pytest.mark.parametrize(
    ("match", "call"),
    [
        ("kappa needs to be > 0", lambda: theory.dimension_at(3, decay=1.0, kappa=0.0)),
        (
            "ranges within 1, ..., 9",
            lambda: theory.mixing(3, 9, decay=1.0, ridge=1.0, first=(0, 2), second=(3, 4)),
        ),
        (
            "do not meet",
            lambda: theory.mixing(3, 9, decay=1.0, ridge=1.0, first=(1, 3), second=(3, 4)),
        ),
    ],
)
def test_bad_arguments_are_named(match, call):
    with pytest.raises(InputError, match=match):
        call()

"""The omniscient risk of a pool: that of its spectrum, and its limits."""

import numpy as np
import pytest

from ntval.errors import InputError
from ntval.theory import wei_hu_steinhardt as theory

LEVELS = theory.power_law(300, 1.5)
ENERGIES = theory.power_law(300, 1.8)


@pytest.mark.parametrize("ridge", [0.01, 1.0])
def test_a_pool_with_the_population_s_spectrum_has_its_risk(ridge):
    ours = theory.plug_in_risk(LEVELS, ENERGIES / ENERGIES.sum(), 60, ridge=ridge)
    of = {"decay": 1.5, "alignment": 1.8, "ridge": ridge, "noise_std": 0.0}
    assert abs(ours / theory.omniscient_risk(60, 300, **of) - 1) <= 1e-10


def test_an_infinite_ridge_learns_nothing():
    assert abs(theory.plug_in_risk(LEVELS, ENERGIES, 60, ridge=1e12) / ENERGIES.sum() - 1) <= 1e-6


def test_the_remainder_falls_with_the_ridge():
    assert theory.plug_in_remainder(1e-3) == 0.02
    assert theory.plug_in_remainder(8e-3) == pytest.approx(0.01)


def test_negative_arguments_are_refused():
    with pytest.raises(InputError):
        theory.plug_in_risk(-LEVELS, ENERGIES, 60, ridge=1.0)
    with pytest.raises(InputError):
        theory.plug_in_risk(LEVELS, -np.ones(300), 60, ridge=1.0)

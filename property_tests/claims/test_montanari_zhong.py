"""Montanari & Zhong's claims hold in their regimes."""

import pytest

from ntval.claims import montanari_zhong as claims


@pytest.mark.parametrize("regime", claims.normalization.regimes["quick"], ids=str)
def test_normalization_at_finite_d(supported, regime):
    supported(claims.normalization, regime)


@pytest.mark.parametrize("regime", claims.unbiased_kernel.regimes["quick"], ids=str)
def test_unbiased_kernel_at_finite_d(supported, regime):
    supported(claims.unbiased_kernel, regime)


@pytest.mark.parametrize("regime", claims.min_eigenvalue.regimes["quick"], ids=str)
def test_min_eigenvalue_at_finite_d(supported, regime):
    supported(claims.min_eigenvalue, regime)


@pytest.mark.parametrize("regime", claims.concentration.regimes["quick"], ids=str)
def test_concentration_at_finite_d(supported, regime):
    supported(claims.concentration, regime)


def test_normalization_over_regimes(holds):
    holds(claims.normalization)


def test_unbiased_kernel_over_regimes(holds):
    holds(claims.unbiased_kernel)

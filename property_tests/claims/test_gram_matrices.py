"""Claims about Gram matrices brought as arrays hold of those of our own network."""

import pytest

from ntval.claims import gram_matrices


@pytest.mark.parametrize("regime", gram_matrices.equals_reference.regimes["quick"], ids=str)
def test_equals_reference_up_to_rounding(supported, regime):
    supported(gram_matrices.equals_reference, regime)


@pytest.mark.parametrize("regime", gram_matrices.mean.regimes["quick"], ids=str)
def test_mean_of_draws_is_the_analytic_kernel(supported, regime):
    supported(gram_matrices.mean, regime)

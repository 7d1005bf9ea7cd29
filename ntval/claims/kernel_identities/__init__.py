"""Kernel identities: what holds of every neural tangent kernel, whatever the theorem."""

from ntval.claims.kernel_identities.claims import (
    analytic_oracle,
    batch_independence,
    jacobian_outer_product,
    mean_kernel,
    parametrization,
    permutation_equivariance,
    positive_semidefinite,
    precision,
    roads_agree,
    symmetry,
    unbiased_kernel,
    width_concentration,
    width_rate,
)

# Prerequisites first, then identities, means and rates.
__all__ = [  # noqa: RUF022
    "batch_independence",
    "roads_agree",
    "jacobian_outer_product",
    "symmetry",
    "permutation_equivariance",
    "positive_semidefinite",
    "analytic_oracle",
    "unbiased_kernel",
    "mean_kernel",
    "width_rate",
    "width_concentration",
    "parametrization",
    "precision",
]

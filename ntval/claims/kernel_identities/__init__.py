"""Kernel identities: what holds of every neural tangent kernel, whatever the theorem.

They apply to users' networks and data as well.
"""

from ntval.claims.kernel_identities.derivatives import finite_differences
from ntval.claims.kernel_identities.empirical import (
    batch_independence,
    jacobian_outer_product,
    methods_agree,
    precision,
)
from ntval.claims.kernel_identities.means import mean_kernel, nngp_kernel, unbiased_kernel
from ntval.claims.kernel_identities.rates import parametrization, width_concentration, width_rate
from ntval.claims.kernel_identities.structure import (
    analytic_oracle,
    block_consistency,
    permutation_equivariance,
    positive_semidefinite,
    symmetry,
)

# Prerequisites first, then identities, means and rates.
__all__ = [  # noqa: RUF022
    "batch_independence",
    "methods_agree",
    "jacobian_outer_product",
    "finite_differences",
    "symmetry",
    "block_consistency",
    "permutation_equivariance",
    "positive_semidefinite",
    "analytic_oracle",
    "unbiased_kernel",
    "mean_kernel",
    "nngp_kernel",
    "width_rate",
    "width_concentration",
    "parametrization",
    "precision",
]

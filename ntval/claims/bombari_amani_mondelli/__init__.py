"""Bombari, Amani & Mondelli, 2205.10217: claims about the kernels of deep networks."""

from ntval.claims.bombari_amani_mondelli.decomposition import (
    jacobian_decomposition,
    loewner_chain,
    rank_threshold,
)
from ntval.claims.bombari_amani_mondelli.exact_laws import moments, rank_law
from ntval.claims.bombari_amani_mondelli.exponents import (
    last_width_exponent,
    over_parameterization_exponent,
)
from ntval.claims.bombari_amani_mondelli.finite_width import (
    expected_min_eigenvalue,
    finite_width_bound,
    sharp_min_eigenvalue,
)
from ntval.claims.bombari_amani_mondelli.gradient_descent import gradient_descent, lazy_rate
from ntval.claims.bombari_amani_mondelli.inequalities import schur, singular_inputs
from ntval.claims.bombari_amani_mondelli.infinite_width import (
    close_pair,
    deep_chain_bound,
    hermite_tail_bound,
    sphere_scaling,
)
from ntval.claims.bombari_amani_mondelli.memorization import memorization
from ntval.claims.bombari_amani_mondelli.optimization_threshold import optimization_threshold

# In the order of the paper: the Jacobian, the smallest eigenvalue and its growth, memorization and
# gradient descent; the paper's neighbors; what holds at every width.
__all__ = [  # noqa: RUF022
    "jacobian_decomposition",
    "loewner_chain",
    "schur",
    "rank_threshold",
    "singular_inputs",
    "sharp_min_eigenvalue",
    "expected_min_eigenvalue",
    "finite_width_bound",
    "over_parameterization_exponent",
    "last_width_exponent",
    "memorization",
    "gradient_descent",
    "lazy_rate",
    "optimization_threshold",
    "hermite_tail_bound",
    "deep_chain_bound",
    "close_pair",
    "sphere_scaling",
    "moments",
    "rank_law",
]

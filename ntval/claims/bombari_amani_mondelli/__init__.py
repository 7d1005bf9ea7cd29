"""Bombari, Amani & Mondelli, 2205.10217: claims about the kernels of deep networks."""

from ntval.claims.bombari_amani_mondelli.decomposition import (
    jacobian_decomposition,
    loewner_chain,
    rank_threshold,
)
from ntval.claims.bombari_amani_mondelli.exact_laws import moments
from ntval.claims.bombari_amani_mondelli.finite_width import (
    finite_width_bound,
    sharp_min_eigenvalue,
)
from ntval.claims.bombari_amani_mondelli.gradient_descent import gradient_descent, lazy_rate
from ntval.claims.bombari_amani_mondelli.memorization import memorization
from ntval.claims.bombari_amani_mondelli.optimization_threshold import optimization_threshold

# In the order of the paper: the Jacobian, the smallest eigenvalue, memorization and gradient
# descent, the figure of training, what holds at every width.
__all__ = [  # noqa: RUF022
    "jacobian_decomposition",
    "loewner_chain",
    "rank_threshold",
    "sharp_min_eigenvalue",
    "finite_width_bound",
    "memorization",
    "gradient_descent",
    "lazy_rate",
    "optimization_threshold",
    "moments",
]

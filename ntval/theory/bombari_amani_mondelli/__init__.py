"""Bombari, Amani & Mondelli, 2205.10217: the smallest eigenvalue of deep networks' kernels, and
bounds by their neighbors.

Each name stands in the module it is imported from, with its notation.
"""

from ntval.theory.bombari_amani_mondelli.chernoff import (
    chernoff_lower_bound,
    chernoff_upper_bound,
    lower_deviation,
    upper_deviation,
)
from ntval.theory.bombari_amani_mondelli.dual_kernels import derivative_kernel, dual_kernel
from ntval.theory.bombari_amani_mondelli.exact_laws import (
    descent_bound,
    descent_losses,
    largest_rank,
    num_parameters,
    rank_one_probability,
    relative_second_moment,
)
from ntval.theory.bombari_amani_mondelli.finite_width import (
    LARGEST_SLOPES,
    centered_gram,
    expected_block,
    finite_width_lower_bound,
    finite_width_upper_bound,
    largest_slope,
    sharp_min_eigenvalue,
    sharp_min_eigenvalue_remainder,
    truncated_second_moment,
)
from ntval.theory.bombari_amani_mondelli.inequalities import (
    diagonal_upper_bound,
    gershgorin_lower_bound,
    pair_upper_bound,
    schur_lower_bound,
    schur_upper_bound,
    trace_upper_bound,
)
from ntval.theory.bombari_amani_mondelli.infinite_width import (
    chain_lower_bound,
    close_pair_upper_bound,
    gegenbauer_lower_bound,
    hermite_lower_bound,
    incoherence_lower_bound,
)
from ntval.theory.bombari_amani_mondelli.optimization import (
    central_error,
    departure_bound,
    descent_residuals,
    forward_error,
    lazy_rates,
    lazy_rates_remainder,
    step_norm,
    step_norm_bound,
    taylor_nodes,
)

__all__ = [
    "LARGEST_SLOPES",
    "centered_gram",
    "central_error",
    "chain_lower_bound",
    "chernoff_lower_bound",
    "chernoff_upper_bound",
    "close_pair_upper_bound",
    "departure_bound",
    "derivative_kernel",
    "descent_bound",
    "descent_losses",
    "descent_residuals",
    "diagonal_upper_bound",
    "dual_kernel",
    "expected_block",
    "finite_width_lower_bound",
    "finite_width_upper_bound",
    "forward_error",
    "gegenbauer_lower_bound",
    "gershgorin_lower_bound",
    "hermite_lower_bound",
    "incoherence_lower_bound",
    "largest_rank",
    "largest_slope",
    "lazy_rates",
    "lazy_rates_remainder",
    "lower_deviation",
    "num_parameters",
    "pair_upper_bound",
    "rank_one_probability",
    "relative_second_moment",
    "schur_lower_bound",
    "schur_upper_bound",
    "sharp_min_eigenvalue",
    "sharp_min_eigenvalue_remainder",
    "step_norm",
    "step_norm_bound",
    "taylor_nodes",
    "trace_upper_bound",
    "truncated_second_moment",
    "upper_deviation",
]

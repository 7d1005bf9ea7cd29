"""Montanari & Zhong, 2007.12826: claims about a two-layer network and its neural tangent kernel."""

from ntval.claims.montanari_zhong.concentration import concentration, concentration_rate
from ntval.claims.montanari_zhong.conventions import ridge_conventions
from ntval.claims.montanari_zhong.kernel import (
    gradient,
    hermite_energies,
    normalization,
    parity,
    unbiased_kernel,
)
from ntval.claims.montanari_zhong.lazy_training import lazy_training
from ntval.claims.montanari_zhong.memorization import (
    dead_points,
    memorization,
    phase_diagram,
    quadratic_rank,
    symmetrized_initialization,
)
from ntval.claims.montanari_zhong.min_eigenvalue import (
    degenerate_inputs,
    few_samples,
    min_eigenvalue,
    min_eigenvalue_bound,
    min_eigenvalue_limit,
)
from ntval.claims.montanari_zhong.ridge_equivalence import (
    double_descent,
    finite_width_risk,
    ridge_equivalence,
    ridge_equivalence_rate,
)
from ntval.claims.montanari_zhong.risk import (
    constant_target,
    deterministic_equivalent,
    learned_degrees,
    linear_target_risk,
    train_error,
)
from ntval.claims.montanari_zhong.self_induced_ridge import self_induced_ridge
from ntval.claims.montanari_zhong.spectrum import kernel_structure, outliers, precision

# In the order of the paper: the kernel, its spectrum, memorization, generalization.
__all__ = [  # noqa: RUF022
    "gradient",
    "normalization",
    "unbiased_kernel",
    "hermite_energies",
    "parity",
    "concentration",
    "concentration_rate",
    "kernel_structure",
    "min_eigenvalue",
    "min_eigenvalue_bound",
    "min_eigenvalue_limit",
    "few_samples",
    "outliers",
    "degenerate_inputs",
    "precision",
    "memorization",
    "phase_diagram",
    "dead_points",
    "quadratic_rank",
    "symmetrized_initialization",
    "ridge_conventions",
    "ridge_equivalence",
    "ridge_equivalence_rate",
    "self_induced_ridge",
    "linear_target_risk",
    "deterministic_equivalent",
    "train_error",
    "learned_degrees",
    "constant_target",
    "double_descent",
    "finite_width_risk",
    "lazy_training",
]

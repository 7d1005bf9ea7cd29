"""Wei, Hu & Steinhardt, 2203.06176: ridge regression on features of a power law."""

from ntval.theory.wei_hu_steinhardt.omniscient import (
    effective_dimension,
    learnability,
    omniscient_risk,
    overfitting,
    power_law,
    power_law_target,
    shrinkage,
    threshold,
    train_error,
    train_test_ratio,
)
from ntval.theory.wei_hu_steinhardt.remainders import (
    effective_dimension_remainder,
    gcv_remainder,
    learnability_remainder,
    omniscient_risk_remainder,
    overfitting_remainder,
    threshold_remainder,
    train_test_ratio_remainder,
)
from ntval.theory.wei_hu_steinhardt.scaling_laws import (
    local_exponent,
    optimal_risk_exponent,
    ridgeless_risk_exponent,
    ridgeless_threshold,
)

__all__ = [
    "effective_dimension",
    "effective_dimension_remainder",
    "gcv_remainder",
    "learnability",
    "learnability_remainder",
    "local_exponent",
    "omniscient_risk",
    "omniscient_risk_remainder",
    "optimal_risk_exponent",
    "overfitting",
    "overfitting_remainder",
    "power_law",
    "power_law_target",
    "ridgeless_risk_exponent",
    "ridgeless_threshold",
    "shrinkage",
    "threshold",
    "threshold_remainder",
    "train_error",
    "train_test_ratio",
    "train_test_ratio_remainder",
]

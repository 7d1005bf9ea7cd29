"""Wei, Hu & Steinhardt, 2203.06176: claims about kernel regression on features of a power law."""

from ntval.claims.wei_hu_steinhardt.identities import gcv_identities
from ntval.claims.wei_hu_steinhardt.learnabilities import learnability_conservation, threshold
from ntval.claims.wei_hu_steinhardt.pretrained import (
    pretrained_against_random,
    pretrained_network,
)
from ntval.claims.wei_hu_steinhardt.real_data import (
    digits_ntk,
    digits_ntk_near_interpolation,
    random_network,
)
from ntval.claims.wei_hu_steinhardt.risk import gcv, omniscient_risk, train_test_ratio

# In the order of the paper: the estimator, the risk that it estimates, what both rest on.
__all__ = [  # noqa: RUF022
    "gcv_identities",
    "gcv",
    "omniscient_risk",
    "train_test_ratio",
    "learnability_conservation",
    "threshold",
    "digits_ntk",
    "digits_ntk_near_interpolation",
    "random_network",
    "pretrained_network",
    "pretrained_against_random",
]

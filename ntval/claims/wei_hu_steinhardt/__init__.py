"""Wei, Hu & Steinhardt, 2203.06176: claims about kernel regression on features of a power law."""

from ntval.claims.wei_hu_steinhardt.ensembles import ensembles
from ntval.claims.wei_hu_steinhardt.identities import gcv_identities
from ntval.claims.wei_hu_steinhardt.learnabilities import learnability_conservation, threshold
from ntval.claims.wei_hu_steinhardt.plug_in import plug_in_risk
from ntval.claims.wei_hu_steinhardt.pretrained import (
    pretrained_against_random,
    pretrained_network,
)
from ntval.claims.wei_hu_steinhardt.rate import gcv_rate
from ntval.claims.wei_hu_steinhardt.real_data import (
    digits_ntk,
    digits_ntk_near_interpolation,
    norm_bound_on_digits,
    random_network,
)
from ntval.claims.wei_hu_steinhardt.risk import gcv, omniscient_risk, train_test_ratio
from ntval.claims.wei_hu_steinhardt.rows import (
    correlated_rows,
    duplicates_counterexample,
    elliptical_counterexample,
)
from ntval.claims.wei_hu_steinhardt.scaling import norm_bound_fails, scaling_exponent
from ntval.claims.wei_hu_steinhardt.selection import ridge_selection
from ntval.claims.wei_hu_steinhardt.spectra import curve_collapse, local_law, spectral_moments

# In the order of the paper: the estimator, the risk that it estimates, what both rest on.
__all__ = [  # noqa: RUF022
    "gcv_identities",
    "gcv",
    "gcv_rate",
    "ridge_selection",
    "omniscient_risk",
    "train_test_ratio",
    "learnability_conservation",
    "threshold",
    "local_law",
    "curve_collapse",
    "spectral_moments",
    "scaling_exponent",
    "norm_bound_fails",
    "elliptical_counterexample",
    "duplicates_counterexample",
    "correlated_rows",
    "ensembles",
    "digits_ntk",
    "digits_ntk_near_interpolation",
    "norm_bound_on_digits",
    "plug_in_risk",
    "random_network",
    "pretrained_network",
    "pretrained_against_random",
]

"""A validation suite for neural tangent kernels.

Importing this package imports nothing heavy and sets no flag; a name is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ntval.claims import CLAIMS as CLAIMS
    from ntval.claims.claim import Claim as Claim
    from ntval.claims.claim import Result as Result
    from ntval.conformance import check_network as check_network
    from ntval.conformance import parametrize_with_claims as parametrize_with_claims
    from ntval.decisions import Decision as Decision
    from ntval.decisions import Verdict as Verdict
    from ntval.kernels._neural_tangents import stax as stax
    from ntval.networks import Mlp as Mlp
    from ntval.networks import Network as Network
    from ntval.regimes import Regime as Regime

_HOMES = {
    "CLAIMS": "ntval.claims",
    "Claim": "ntval.claims.claim",
    "Decision": "ntval.decisions",
    "Mlp": "ntval.networks",
    "Network": "ntval.networks",
    "Regime": "ntval.regimes",
    "Result": "ntval.claims.claim",
    "Verdict": "ntval.decisions",
    "check_network": "ntval.conformance",
    "parametrize_with_claims": "ntval.conformance",
    "stax": "ntval.kernels._neural_tangents",
}

__all__ = [
    "CLAIMS",
    "Claim",
    "Decision",
    "Mlp",
    "Network",
    "Regime",
    "Result",
    "Verdict",
    "check_network",
    "parametrize_with_claims",
    "stax",
]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ntval' has no attribute {name!r}")

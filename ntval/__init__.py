"""A validation suite for neural tangent kernels.

Importing this package imports nothing heavy and sets no flag; a name is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ntval import baselines as baselines
    from ntval.claims.catalogue import CLAIMS as CLAIMS
    from ntval.claims.claim import Claim as Claim
    from ntval.claims.outcome import Result as Result
    from ntval.errors import NtvalError as NtvalError
    from ntval.errors import RefutedError as RefutedError
    from ntval.evidence.verdict import Decision as Decision
    from ntval.evidence.verdict import Verdict as Verdict
    from ntval.front.check_network import check_network as check_network
    from ntval.front.checks import Check as Check
    from ntval.front.checks import CheckClaim as CheckClaim
    from ntval.front.checks import parametrize_with_claims as parametrize_with_claims
    from ntval.kernels._neural_tangents import stax as stax
    from ntval.networks.mlp import Mlp as Mlp
    from ntval.networks.network import Network as Network
    from ntval.regimes import Regime as Regime
    from ntval.runs.bounds import bounds as bounds
    from ntval.runs.gcv import gcv as gcv
    from ntval.runs.suite import Run as Run

_HOMES = {
    "CLAIMS": "ntval.claims.catalogue",
    "Check": "ntval.front.checks",
    "CheckClaim": "ntval.front.checks",
    "Claim": "ntval.claims.claim",
    "Decision": "ntval.evidence.verdict",
    "Mlp": "ntval.networks.mlp",
    "Network": "ntval.networks.network",
    "NtvalError": "ntval.errors",
    "RefutedError": "ntval.errors",
    "Regime": "ntval.regimes",
    "Result": "ntval.claims.outcome",
    "Run": "ntval.runs.suite",
    "Verdict": "ntval.evidence.verdict",
    "bounds": "ntval.runs.bounds",
    "check_network": "ntval.front.check_network",
    "gcv": "ntval.runs.gcv",
    "parametrize_with_claims": "ntval.front.checks",
    "stax": "ntval.kernels._neural_tangents",
}

__all__ = [
    "CLAIMS",
    "Check",
    "CheckClaim",
    "Claim",
    "Decision",
    "Mlp",
    "Network",
    "NtvalError",
    "RefutedError",
    "Regime",
    "Result",
    "Run",
    "Verdict",
    "baselines",
    "bounds",
    "check_network",
    "gcv",
    "parametrize_with_claims",
    "stax",
]


def __getattr__(name: str) -> Any:
    if name == "baselines":
        return import_module("ntval.baselines")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ntval' has no attribute {name!r}")

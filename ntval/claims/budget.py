"""One budget: the probability that a correct suite turns red, over claims and their points.

`shares` splits alpha over claims. Within a claim no alpha is divided: the evidence of its points
is combined into one e-value (`e_values.combined`), and a refutation is repeated on fresh keys,
whose evidence multiplies. With p-values such repetition would destroy the level; a capital may be
staked again as often as one likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ntval.claims.claim import Claim

CONFIRMATIONS = 3


def shares(claims: Sequence[Claim], alpha: float) -> dict[str, float]:
    """The part of `alpha` that each claim may spend: the same for all in which chance has a part,
    and 0 for the others."""
    number = sum(claim.statistical for claim in claims) or 1
    return {claim.name: alpha / number if claim.statistical else 0.0 for claim in claims}


def point_alpha(share: float, planned: int) -> float:
    """The level at which one of `planned` points refutes its claim alone.

    At 2 planned / share its part of the mean in `e_values.combined` reaches 1 / share by itself.
    """
    return share if planned == 1 else share / (2 * planned)


def share_of(alpha: float, planned: int) -> float:
    """A claim's share, from the level of one of its `planned` points: undoes `point_alpha`."""
    return alpha if planned == 1 else alpha * 2 * planned


def fresh_seed(seed: int, repetition: int) -> int:
    """Seed of a repetition on fresh keys: hashed, so that no two runs use one seed."""
    digest = hashlib.sha256(f"repetition {repetition} of {seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big")

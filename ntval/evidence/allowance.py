"""Allowances: how far a mean may depart, and the span within which its draws are followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

# A number of each of k statistics, or one number of all.
Each = Float[np.ndarray, "k"] | Float[np.ndarray, ""] | float


@dataclass(frozen=True)
class Allowance:
    """How far a mean may lie from its prediction, and how its draws are followed.

    `remainder`: what theory grants the mean, and what clipping may move it by.
    `span`: draws are clipped to prediction ± `span`, since bets need bounded draws.
    `resolution`: how close to the remainder counts as SUPPORTED; it does not affect refutation.
    """

    remainder: Each
    span: Each
    resolution: Each = 0.0


def allowance(
    pilot: Float[np.ndarray, "draws k"],
    *,
    remainder: Each = 0.0,
    resolution: Each = 0.0,
) -> Allowance:
    r"""Allowance whose span comes from an independent pilot: 6 of its standard deviations.

    The span s is also at least 3 times what has to be seen, so that a mean within the remainder B
    leaves $s - B \ge 2s/3$. Clipping moves it by at most
    $E(|x - \mu| - (s - B))_+ \le \frac{27}{256} E|x - \mu|^4 / (s - B)^3$. The fourth moment is
    taken to be at most twice the pilot's: the one part of the level that is estimated, not proved.

    A remainder that is not known is infinite: nothing is refuted then, and nothing supported.

    Source: derived here.
    """
    draws = np.asarray(pilot, dtype=float)
    centered = draws - draws.mean(axis=0)
    allowed = remainder + 64 * np.finfo(float).eps * np.abs(draws).max(axis=0)
    known = np.where(np.isfinite(allowed), allowed, 0.0)
    span = np.maximum(6 * centered.std(axis=0), 3 * (known + resolution))
    moment = 2 * (centered**4).mean(axis=0)
    clipping = 27 / 256 * moment / np.maximum(span - known, 1e-300) ** 3
    return Allowance(allowed + clipping, span, resolution)

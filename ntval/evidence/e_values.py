r"""E-values: evidence whose mean under the null is at most 1.

| here | meaning |
|---|---|
| `log_capital` | log of the capital of a gambler who bets against a mean of at most `null` |
| `log_evidence` | the same against a mean within `margin` of `target`, over k statistics |
| `interval` | the means that no bet at level alpha has refuted: a confidence sequence |
| `Allowance`, `allowance` | what a mean may depart by, and the span of its draws |
| `combined` | one e-value from those of several examples |

A capital starts at 1 and, if the null is true, has mean at most 1 at every time and at every
stopping time; so it ever reaches $1/\alpha$ with probability at most $\alpha$ (Ville's inequality,
recalled). That holds whatever the distribution, at every number of draws, however often one
looks, and across draws whose distribution depends on the past. Bets need bounded draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy
from jaxtyping import Float

# Shares of the largest admissible stake. One of them is within a factor sqrt(2) of the best
# stake whatever the variance; averaging over them costs log(len) of evidence, 2.6, once.
_STAKES = 0.9 * 2.0 ** -np.arange(13.0)
_OF_THE_WAY = 2e-14  # from the end of a range to the mean: as finely as an interval ends


def log_capital(
    x: Float[np.ndarray, "draws *k"],
    null: Float[np.ndarray, "*k"] | float,
    low: Float[np.ndarray, "*k"] | float,
) -> Float[np.ndarray, "*k"]:
    r"""Log evidence against "the mean is at most `null`", for draws that are at least `low`.

    $$\log \frac1J \sum_j \prod_i \Big(1 - c_j + c_j \frac{x_i - \text{low}}{\text{null} -
      \text{low}}\Big), \qquad c_j \in (0, 1)$$

    Each factor has mean at most 1 under the null and is never negative. The capital falls as
    `null` grows. Against "at least": negate `x`, `null` and the upper end.

    Source: Waudby-Smith & Ramdas (2023), betting; recalled, derived here, checked by exact
    enumeration.
    """
    room = np.maximum(np.asarray(null) - low, 1e-300)
    gains = np.maximum(np.asarray(x, dtype=float) - low, 0.0) / room
    gains -= 1
    terms = [np.log1p(stake * gains).sum(axis=0) for stake in _STAKES]
    return log_mean(np.array(terms))


def log_mean(log_e: Float[np.ndarray, "e *k"]) -> Float[np.ndarray, "*k"]:
    """Log of the mean of e-values: an e-value of all their nulls. On `logaddexp`, as SciPy's
    `logsumexp` takes longer to start than a capital of a hundred draws to compute."""
    return np.asarray(np.logaddexp.reduce(log_e, axis=0) - math.log(len(log_e)))


def log_evidence(
    x: Float[np.ndarray, "draws *k"],
    *,
    target: Float[np.ndarray, "*k"] | float,
    margin: Float[np.ndarray, "*k"] | float,
    span: Float[np.ndarray, "*k"] | float,
) -> Float[np.ndarray, "*k"]:
    """Log evidence, a statistic each, against "the mean lies within `margin` of `target`".

    Draws lie within `span` of `target`. One gambler bets that the mean is above, one that it is
    below; half the capital each.
    """
    above = log_capital(x, target + margin, target - span)
    below = log_capital(-x, margin - target, -target - span)
    return np.asarray(np.logaddexp(above, below) - math.log(2))


def log_support(
    x: Float[np.ndarray, "draws *k"],
    *,
    target: Float[np.ndarray, "*k"] | float,
    margin: Float[np.ndarray, "*k"] | float,
    span: Float[np.ndarray, "*k"] | float,
) -> float:
    """Log evidence against "some mean departs from `target` by `margin` or more".

    The least over statistics and sides: each departure has to be excluded by itself, so no
    correction for their number is due.
    """
    not_above = log_capital(-x, -target - margin, -target - span)
    not_below = log_capital(x, target - margin, target - span)
    return float(np.minimum(not_above, not_below).min())


def interval(
    x: Float[np.ndarray, "draws"], *, low: float, high: float, alpha: float
) -> tuple[float, float]:
    """Ends of the confidence sequence of the mean of draws in [low, high]: the true mean lies
    inside at all times at once with probability at least 1 - `alpha`.

    Accuracy: 3e-14 of `high - low`, outwards.
    """
    threshold = math.log(2 / alpha)

    def end(x: np.ndarray, low: float) -> float:
        mean = float(x.mean())

        def at(share: float) -> float:
            """Where this log share of the way from the lower end to the mean lies."""
            return low + (mean - low) * math.exp(share)

        def excess(share: float) -> float:
            return float(log_capital(x, at(share), low)) - threshold

        share = math.log(_OF_THE_WAY)
        if mean <= low or excess(share) < 0:
            return low
        if excess(0.0) < 0:  # as the capital at the mean is at most 1
            precision = {"xtol": _OF_THE_WAY, "maxiter": 1000}
            share, step = scipy.optimize.brentq(excess, share, 0.0, **precision), _OF_THE_WAY
            while excess(share) < 0:
                share, step = share - step, 2 * step
        return at(share)

    x = np.asarray(x, dtype=float)
    return end(x, low), -end(-x, -high)


def combined(log_e: Sequence[float], planned: int) -> float:
    r"""One log e-value from those of several examples, at most `planned` of them.

    $$\tfrac12 \prod_i e_i + \tfrac12 \cdot \tfrac1{\text{planned}} \sum_i e_i$$

    The product gathers a weak fault that is everywhere, the mean keeps a strong one that is in a
    single example. An e-value though an example be chosen by what came before, as each factor
    has mean at most 1 given the past.

    Source: EVIDENCE, section 3 (derived and checked). No example gives 0.
    """
    values = np.asarray(log_e, dtype=float)
    if values.size == 0:
        return 0.0
    if np.isposinf(values).any():
        return np.inf
    if planned == 1:
        return float(values.sum())
    return float(
        np.logaddexp(values.sum(), np.logaddexp.reduce(values) - np.log(planned)) - np.log(2)
    )


def text(log_e: float) -> str:
    """An e-value for people: `e = 3.1e+09`."""
    if np.isinf(log_e):
        return "e = infinite" if log_e > 0 else "e = 0"
    exponent, rest = divmod(log_e / np.log(10), 1)
    return f"e = {10**rest:.1f}e{int(exponent):+03d}"

r"""Two samples of one mean, taken at two times: evidence that the mean has moved.

| here | meaning |
|---|---|
| `Frame` | where draws are clipped, which levels they are rounded to: fixed beforehand |
| `Frame.counts` | a sample as how many of its draws fell on each level |
| `log_evidence` | log evidence against "both samples have one mean" |
| `smallest_gap` | the gap between two means that two samples of given sizes would show |
| `growth_evidence` | log evidence against "both samples have one law", from one above the other |

**The e-value.** Let $E_b(\mu)$ be an e-value of the first sample against "its mean is $\mu$", and
$E_n(\mu)$ one of the second, independent sample (`e_values.log_evidence` with margin 0). If both
means are $\mu^*$, then $E_b(\mu^*) E_n(\mu^*)$ has mean at most 1, and so has the smaller

$$E = \inf_\mu E_b(\mu) E_n(\mu).$$

It is an e-value against "both samples have one mean", whatever that mean is. For fixed $\mu$ the
capital $E_n(\mu)$ may be staked on as long as one likes, so draws can be added to the second
sample, and $E$ ever reaches $1/\alpha$ with probability at most $\alpha$.

**The frame.** Bets need bounded draws. Both samples are clipped and rounded by one function, so if
they had one law before they have one law after: the mean that is compared is that of clipped and
rounded draws, which leaves nothing to allow for. The span may then be short, which bets gain from:
at 3 standard deviations a gap is seen that is half of what 6 would take, and a long tail cannot
drown it. What is lost is a drift that clipping hides, of the tails alone.

**The file.** After rounding, a sample is `LEVELS` whole numbers. They determine $E_b$ at every
$\mu$, whoever bets and how; there are no bits of floats in them to differ between platforms.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int, Real
from scipy.special import gammaln, ndtri

from ntval.evidence import e_values

LEVELS = 33

# Of the pilot's standard deviations; measured for samples of 64 and 512 normal draws: spans of 1.5
# to 3 see about the same gap, one of 6 needs twice as large a gap.
SPAN = 3.0

# Shares of the largest admissible stake, as in `e_values`, down to 0.9/128: the best stake of a
# sample of n draws is about 5/sqrt(n), so this serves up to half a million draws.
_STAKES = 0.9 * 2.0 ** -np.arange(8.0)

# Nats by which a computed infimum may lie below the true one: it errs to the safe side.
_ACCURACY = 0.05

# Relative accuracy of the smallest gap, which rests on a normal approximation.
_OF_A_GAP = 0.005


@dataclass(frozen=True)
class Frame:
    """How a draw is counted: clipped to `span` around `center`, rounded to one of `LEVELS`."""

    center: float
    span: float

    def counts(self, x: Float[np.ndarray, "draws"]) -> Int[np.ndarray, "levels"]:
        """Number of draws on each level; one that is not a number counts as the highest."""
        units = (np.nan_to_num(np.asarray(x, dtype=float), nan=np.inf) - self.center) / self.span
        places = np.rint((np.clip(units, -1, 1) + 1) * (LEVELS - 1) / 2).astype(int)
        return np.bincount(places, minlength=LEVELS)


def frame_of(pilot: Float[np.ndarray, "draws"], *, floor: float = 0.0) -> Frame:
    """Frame of draws like those of an independent pilot.

    The span is `SPAN` standard deviations, and at least `floor`: what the check has to see. Of
    draws that rounding alone tells apart it keeps them on one level.
    """
    draws = np.nan_to_num(np.asarray(pilot, dtype=float), posinf=0.0, neginf=0.0)
    rounding = LEVELS * len(draws) * np.finfo(float).eps * float(np.abs(draws).max())
    span = max(SPAN * float(draws.std()), floor, rounding) or 1.0
    return Frame(float(draws.mean()), span)


def _log_capitals(
    x: Float[np.ndarray, "points"],
    weights: Real[np.ndarray, "points"],
    mu: Float[np.ndarray, "nulls"],
) -> tuple[Float[np.ndarray, "nulls"], Float[np.ndarray, "nulls"]]:
    """`e_values.log_capital` of draws in [-1, 1] against "the mean is at most `mu`", and against
    "at least"; `weights` say how often each draw was seen."""
    return _capital(x, weights, mu), _capital(-x, weights, -mu)


def _capital(
    x: Float[np.ndarray, "points"],
    weights: Real[np.ndarray, "points"],
    mu: Float[np.ndarray, "nulls"],
) -> Float[np.ndarray, "nulls"]:
    gains = (x + 1) / np.maximum(mu + 1, 1e-300)[:, None] - 1
    terms = [np.log1p(stake * gains) @ weights for stake in _STAKES]
    return e_values.log_mean(np.array(terms))


_POSITIONS = np.linspace(-1, 1, LEVELS)


def log_evidence(
    first: Int[np.ndarray, "levels"],
    second: Int[np.ndarray, "levels"],
) -> float:
    r"""Log evidence against "both samples have one mean", each given by its counts.

    The infimum over $\mu$ is enclosed: between $\mu_1 < \mu_2$ a capital that bets on a higher
    mean is at least what it is at $\mu_2$, one that bets on a lower mean at least what it is at
    $\mu_1$. Intervals whose bound could be the least are cut until none lies more than `_ACCURACY`
    below a value that is attained.

    Accuracy: never above the infimum, and at most `_ACCURACY` nats below.
    """

    def capitals(mu: np.ndarray) -> np.ndarray:
        """Of bets on a higher mean and on a lower one, by sample, side and null."""
        return np.array([_log_capitals(_POSITIONS, counts, mu) for counts in (first, second)])

    mu = _POSITIONS
    at = capitals(mu)
    while True:
        least = float(_both(at[:, 0], at[:, 1]).min())
        bounds = _both(at[:, 0, 1:], at[:, 1, :-1])
        places = np.flatnonzero(bounds < least - _ACCURACY)
        if not len(places):
            return least - _ACCURACY
        middles = (mu[places] + mu[places + 1]) / 2
        mu = np.insert(mu, places + 1, middles)
        at = np.insert(at, places + 1, capitals(middles), axis=2)


def _both(
    above: Float[np.ndarray, "samples nulls"], below: Float[np.ndarray, "samples nulls"]
) -> Float[np.ndarray, "nulls"]:
    """Log of the product over samples, of half of each of two capitals."""
    return (np.logaddexp(above, below) - math.log(2)).sum(axis=0)


def smallest_gap(
    counts: Real[np.ndarray, "levels"],
    frame: Frame,
    sizes: tuple[int, int],
    *,
    log_e: float,
    miss: float,
) -> float:
    r"""The gap between two means at which samples of `sizes` draws give evidence `log_e` with
    probability 1 - `miss`, up or down; infinite when no gap does.

    `counts` stand for the law of the draws. Two parts add up: the gap at which the evidence of two
    samples without noise reaches `log_e`; and how much of a gap the noise of both may hide, the
    normal quantile of the difference of two means. Rounding to levels w apart hides half a level
    where draws are constant, and less than $\frac w2 e^{-2 \pi^2 s^2 / w^2}$ where they spread
    like a normal law of standard deviation s.

    Accuracy: of a normal approximation, tested by simulation.
    """
    share = np.asarray(counts, dtype=float) / np.sum(counts)
    mean = float(share @ _POSITIONS)
    sd = math.sqrt(float(share @ (_POSITIONS - mean) ** 2))

    def excess(gap: float) -> float:
        moved = np.clip(_POSITIONS + gap, -1, 1)
        mu = mean + gap * np.linspace(-0.1, 1.1, 49)
        mu = mu[np.abs(mu) < 1]
        parts = ((_POSITIONS, sizes[0] * share), (moved, sizes[1] * share))
        at = np.array([_log_capitals(x, weights, mu) for x, weights in parts])
        return float(_both(at[:, 0], at[:, 1]).min()) - log_e

    def seen(sign: float) -> float:
        if excess(2 * sign) < 0:
            return math.inf
        # No gap has at most no evidence; the gap that is found errs to the safe side.
        return (1 + _OF_A_GAP) * scipy.optimize.brentq(
            lambda gap: excess(sign * gap), 0.0, 2.0, xtol=1e-9, rtol=_OF_A_GAP
        )

    hidden = float(-ndtri(miss)) * sd * math.sqrt(1 / sizes[0] + 1 / sizes[1])
    level = 2 / (LEVELS - 1)
    rounded = level / 2 * math.exp(-2 * (math.pi * sd / level) ** 2)
    return frame.span * (max(seen(1.0), seen(-1.0)) + hidden + rounded)


def growth_evidence(
    first: Real[np.ndarray, "b"], second: Real[np.ndarray, "n"], *, factor: float = 1.0
) -> float:
    r"""Log evidence against "both samples have one law", from the second being above the first.

    $$E = \binom{b + n}{b} \, 1\{\min x_n > \text{factor} \cdot \max x_b\}$$

    With one law every order of the b + n values is as likely as another, and in one of
    $\binom{b + n}{b}$ are the second sample's all on top (ties only make it rarer). One more value
    $x_{n+1}$ is on top given that those before are with probability $(n+1)/(b+n+1)$, by which $E$
    grows: it is a martingale in n, and values may be added as long as one likes.

    Source: derived here. Values are positive or 0, `factor` at least 1.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not len(first) or not len(second) or not second.min() > factor * first.max():
        return -math.inf
    b, n = len(first), len(second)
    return float(gammaln(b + n + 1) - gammaln(b + 1) - gammaln(n + 1))


def values_needed(first: int, log_e: float) -> int:
    """How many values above `first` older ones make `growth_evidence` reach `log_e`."""

    def reaches(n: int) -> bool:
        return bool(gammaln(first + n + 1) - gammaln(first + 1) - gammaln(n + 1) >= log_e)

    high = 1
    while not reaches(high):
        high *= 2
    return bisect.bisect_left(range(high + 1), True, lo=1, key=reaches)

"""What estimates of a risk say together, in sentences that rest on intervals, and say how wide.

GCV is called wrong at a ridge where a gap of 5 % or more, to the held-out risk or to LOO, is beyond
chance, at a probability of 1e-3 over all ridges together.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri

from ntval.arrays import rounding_or_all
from ntval.runs.risk_estimates import Curve, RiskEstimates

Each = Float[np.ndarray, "ridges"]
Seen = Bool[np.ndarray, "ridges"]

CHANCE = 1e-3
WORTH_SAYING = 0.05
# Terms of GCV and LOO are not independent of each other: on Gaussian features of a power law, 260
# sets of 100 and 200 samples, an excess over the held-out risk had 1.2 to 1.6 times its standard
# error, and one over LOO 0.4 to 0.9 times.
SPREAD = 1.6


def title(found: RiskEstimates) -> str:
    """What was fitted to what."""
    labels = "numbers" if found.classes is None else f"{len(found.classes)} classes"
    return f"{found.name}: {found.n} samples, {labels}, {found.folds} folds"


def reading(found: RiskEstimates) -> tuple[str, ...]:
    """The sentences, what matters most first."""
    return tuple(_sentences(found))


def gaps(estimate: Curve, found: RiskEstimates) -> Each:
    """An estimate over the held-out risk, minus 1."""
    return estimate.mean / _positive(found.held_out.mean) - 1


def beyond_chance(estimate: Curve, found: RiskEstimates) -> Seen:
    """Where an estimate is apart from the held-out risk, beyond chance and by 5 % or more."""
    apart = np.abs(gaps(estimate, found))
    return (apart > _by_held_out(estimate, found)) & (apart > WORTH_SAYING)


def gcv_is_wrong(found: RiskEstimates) -> Seen:
    """Where GCV is apart from the held-out risk, or from LOO."""
    from_loo = np.abs(_biases(found))
    apart = (from_loo > _by_leave_one_out(found)) & (from_loo > WORTH_SAYING)
    return (beyond_chance(found.gcv, found) | apart) & ~_exact(found)


def _exact(found: RiskEstimates) -> Seen:
    """Where every risk is rounding alone: a prediction is a sum of n products, which loses n u of
    the labels' size at least, and a risk is a square."""
    floor = rounding_or_all(found.n, float) ** 2 * found.constant
    return np.maximum(found.gcv.mean, found.held_out.mean) <= floor


def _biases(found: RiskEstimates) -> Each:
    """GCV over LOO, minus 1."""
    return found.bias.mean / _positive(found.leave_one_out.mean)


def _by_held_out(estimate: Curve, found: RiskEstimates) -> Each:
    assert estimate.excess is not None
    return _z(found) * SPREAD * estimate.excess.error / _positive(found.held_out.mean)


def _by_leave_one_out(found: RiskEstimates) -> Each:
    return _z(found) * found.bias.error / _positive(found.leave_one_out.mean)


def _z(found: RiskEstimates) -> float:
    """Standard errors beyond which chance is ruled out, over both comparisons at every ridge."""
    return float(-ndtri(CHANCE / 4 / len(found.ridges)))


def _positive(risk: Each) -> Each:
    return np.maximum(risk, np.finfo(float).tiny)


def _sentences(found: RiskEstimates) -> Iterator[str]:
    yield _choice(found)
    if found.repeated:
        i, j = found.repeated[0]
        others = f" and {len(found.repeated) - 1} other pairs" if len(found.repeated) > 1 else ""
        yield (
            f"Leakage: K does not tell samples {i} and {j}{others} apart. They are kept in one "
            "fold, so the held-out risk is honest; GCV and LOO take them for independent, and are "
            "too small. Drop the repetitions."
        )
    gain, error = found.gain
    if gain <= -ndtri(CHANCE) * error:
        yield (
            "At that ridge the fit is not seen to do better than the mean of the training labels, "
            f"whose risk is {found.constant:.3g}: no sign that anything is learned."
        )
    yield from _agreement(found)
    yield _curves(found)
    if found.classes is None and found.constant < 0.5 * found.held_out.mean[-1]:
        yield (
            "Labels are far from 0 on average, and the fit has no intercept: at large ridges it "
            "tends to 0. Subtract their mean."
        )
    for ridge, reason in found.left_out:
        yield f"Ridge {ridge:.3g} was left out: {reason}"


def _choice(found: RiskEstimates) -> str:
    i = found.selected
    low, high = found.held_out.interval()
    words = (
        f"GCV is smallest at ridge {_ridge(found, i)}: held-out risk {found.held_out.mean[i]:.3g} "
        f"[{low[i]:.3g}, {high[i]:.3g}]"
    )
    if found.error_rate is not None:
        low, high = found.error_rate.interval()
        words += (
            f", error rate {100 * found.error_rate.mean[i]:.1f} % "
            f"[{100 * low[i]:.1f}, {100 * high[i]:.1f}]"
        )
    if found.best == i:
        return words + ", the best of the grid."
    regret, error = found.regret
    least = max(0.0, regret - 1.96 * error)
    return words + (
        f", {100 * regret:.1f} % [{100 * least:.1f}, {100 * (regret + 1.96 * error):.1f}] above "
        f"that at ridge {_ridge(found, found.best)}, the best of the grid."
    )


def _agreement(found: RiskEstimates) -> Iterator[str]:
    off, gap, bias = gcv_is_wrong(found), gaps(found.gcv, found), _biases(found)
    if not off.any():
        from_held_out = np.maximum(_by_held_out(found.gcv, found), WORTH_SAYING)
        from_loo = np.maximum(_by_leave_one_out(found), WORTH_SAYING)
        exact = _exact(found)
        i, worst = found.selected, int(np.argmax(np.where(exact, 0.0, np.abs(gap))))
        if exact[i]:
            yield "There the fit is exact: what is left of the risks is rounding."
            return
        opening = "GCV is not seen to be wrong."
        if found.repeated:
            opening = "These folds alone do not show that GCV is too small."
        words = (
            f"{opening} At the ridge it selects it is {_percent(gap[i])} off the held-out risk, "
            f"where {_percent(from_held_out[i])} would have been seen, and {_percent(bias[i])} off "
            f"LOO, where {_percent(from_loo[i])} would have been"
        )
        if worst != i:
            words += (
                f"; at most it is {_percent(gap[worst])} off the held-out risk, at ridge "
                f"{_ridge(found, worst)}, where {_percent(from_held_out[worst])} would have been"
            )
        yield f"{words}."
        return
    worst = int(np.argmax(np.where(off, np.abs(gap), -1.0)))
    seen = (gap if beyond_chance(found.gcv, found)[worst] else bias)[worst]
    words = (
        f"GCV {'under' if seen < 0 else 'over'}-predicts here: at ridge {_ridge(found, worst)} it "
        f"is {_percent(gap[worst])} off the held-out risk and {_percent(bias[worst])} off LOO; the "
        f"leverage dispersion is {found.leverage_dispersion[worst]:.2g}"
    )
    last = int(np.flatnonzero(off)[-1])
    if last + 1 < len(off):
        yield f"{words}; trust it from ridge {_ridge(found, last + 1)} on."
    else:
        yield f"{words}; it is so at the largest ridge too: do not trust it."


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %" if abs(share) >= 0.01 else f"{100 * share:.1f} %"


def _curves(found: RiskEstimates) -> str:
    start = found.agreement_ridge
    if start is None:
        return (
            "The effective dimensions of n and n / 2 samples are one function of kappa, to 1 %, at "
            "no ridge: samples are too few, or no independent draws of equal scale."
        )
    return (
        "The effective dimensions of n and n / 2 samples are one function of kappa, to 1 %, from "
        f"ridge {start:.3g} on ({start / found.trace:.2g} of the trace)."
    )


def _ridge(found: RiskEstimates, i: int) -> str:
    ridge = float(found.ridges[i])
    return f"{ridge:.3g}" if ridge == 0 else f"{ridge:.3g} ({ridge / found.trace:.2g} of the trace)"

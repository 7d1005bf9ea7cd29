r"""Wei, Hu & Steinhardt, 2203.06176: how far deterministic equivalents may lie from means.

All are of order 1 / n, measured over one range: n = 50 to 120 samples of 240 to 360 features, at
least twice as many features as samples, decay 1.1 to 2.5, alignment 1.1 to 3, ridge 0 or 0.01 to
10, noise 0 to 1, Gaussian, Rademacher and uniform features; 24 to 60 draws at each of 12 random
points and at 33 corners of the range. Risks are means over noise and over the signs of the target,
given the features.
"""

from __future__ import annotations

from ntval.errors import InputError
from ntval.theory.wei_hu_steinhardt import omniscient

# The range of n in which remainders hold: measured to 120, and falling with n.
_FEWEST = 50


def _share(of_one_over_n: float, n: float, features: int) -> float:
    """A multiple of 1 / n, where it was measured."""
    if not (n >= _FEWEST and features >= 2 * n):
        raise InputError(
            f"n needs to be >= {_FEWEST} and at most half of features, where remainders are "
            f"measured, got n={n!r} and features={features!r}; take other sizes."
        )
    return of_one_over_n / n


def gcv_remainder(n: float, features: int) -> float:
    r"""Distance of the mean of GCV / R from 1: at most $3 / n$.

    Source: measured; the largest were $2.2 \pm 0.5$ and $1.7 \pm 0.3$, in units of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    return _share(3.0, n, features)


def omniscient_risk_remainder(
    n: float, features: int, *, decay: float, alignment: float, ridge: float, noise_std: float
) -> float:
    r"""Distance of the mean risk from the omniscient risk: at most $3 / n$ of it.

    Source: measured; the largest was $2.0 \pm 0.4$, in units of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    return _share(3.0, n, features) * omniscient.omniscient_risk(
        n, features, decay=decay, alignment=alignment, ridge=ridge, noise_std=noise_std
    )


def train_test_ratio_remainder(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""Distance of the mean of train error over risk from `train_test_ratio`: at most
    $2 E_0 / n$ of it.

    Source: measured; the largest was $1.3 \pm 0.3$, in units of $E_0 / n$.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    factor = omniscient.overfitting(n, features, decay=decay, ridge=ridge)
    ratio = omniscient.train_test_ratio(n, features, decay=decay, ridge=ridge)
    return _share(2.0, n, features) * factor * ratio


def threshold_remainder(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""Distance of the mean of $1 / \operatorname{tr} (K + r I)^{-1}$ from `threshold`: at most
    $1.2 E_0 / n$ of it.

    Source: measured; the largest was $0.7 \pm 0.15$, in units of $E_0 / n$.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    kappa = omniscient.threshold(n, features, decay=decay, ridge=ridge)
    factor = omniscient.overfitting(n, features, decay=decay, ridge=ridge)
    return _share(1.2, n, features) * factor * kappa


def overfitting_remainder(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""Distance of the mean of $n\, d\hat\kappa / dr$ from `overfitting`: at most
    $1.2 E_0 / n$ of it.

    Source: measured; the largest was $0.7 \pm 0.3$, in units of $E_0 / n$.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    factor = omniscient.overfitting(n, features, decay=decay, ridge=ridge)
    return _share(1.2, n, features) * factor * factor


def effective_dimension_remainder(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""Distance of the mean sum of what is learned from `effective_dimension`: at most $1 / n$ of
    it.

    Source: measured; the largest was $0.34 \pm 0.33$, in units of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    dimension = omniscient.effective_dimension(n, features, decay=decay, ridge=ridge)
    return _share(1.0, n, features) * dimension


def learnability_remainder(n: float, features: int) -> float:
    r"""Distance of the mean share that is learned of a feature from `learnability`: at most
    $1 / n$.

    Source: measured on features 1, 3, 10 and 30; the largest was $0.3 \pm 0.2$, in units of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    return _share(1.0, n, features)


def ensemble_remainder(n: float, features: int) -> float:
    r"""Distance of the mean of CGCV / R of an ensemble from 1: at most $2 / n$.

    Source: measured on 1 and 4 members of half of the samples and 2 of four fifths, with a ridge,
    at 124 random points and 5 of the largest; the largest was $0.7 \pm 0.5$, in units of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    return _share(2.0, n, features)

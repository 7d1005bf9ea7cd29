"""Wei, Hu & Steinhardt, 2203.06176: the omniscient risk of digits, their own population."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Interval, OneOf, Sizes
from ntval.claims.procedures import Means
from ntval.claims.sampling import kept
from ntval.claims.wei_hu_steinhardt.real_data import ENOUGH_DIGITS, digits
from ntval.claims.wei_hu_steinhardt.setting import PAPER
from ntval.claims.wei_hu_steinhardt.splits import Error, Ridge, Split, pool_of, relative, splits
from ntval.observables import regression
from ntval.regimes import RealData
from ntval.theory import wei_hu_steinhardt as theory


def pool_error(draw: Split, ridge: float) -> float:
    """Mean over all rows of the pool, the fitted ones too, of the squared error."""
    predicted = draw.data.gram[:, draw.data.train] @ draw.coefficients(ridge)
    return regression.risk(predicted, draw.data.labels)


@kept
def _spectrum(pool: RealData) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of K / M, and the labels' mean square on each eigenvector."""
    subject = pool_of(pool)
    w, vectors = np.linalg.eigh(subject.gram / len(subject.gram))
    energies = ((vectors.T @ subject.labels) ** 2).sum(axis=1) / len(subject.gram)
    return np.maximum(w, 0.0), energies


@splits
def _plug_in_risk(
    draw: Split,
    error: Error = pool_error,
    ridge: Ridge = relative,
    predicted: Callable[..., float] = theory.plug_in_risk,
) -> list[float]:
    """The error over the pool, over what is predicted of it."""
    point = draw.point
    spectrum = _spectrum(replace(point, n=1, n_test=1, ridge=0.0, relative_ridge=0.0))
    used = relative(draw.gram, point.relative_ridge)
    measured = error(draw, ridge(draw.gram, point.relative_ridge))
    return [measured / predicted(*spectrum, point.n, ridge=used)]


plug_in_risk = Claim(
    name="wei_hu_steinhardt.plug_in_risk",
    source=f"{PAPER}; the omniscient risk (recalled), of the data at hand: measured in the spec, "
    "trap T6, and here.",
    statement="Over random splits of scikit-learn's 1797 digits, the mean of the error over all of "
    "them, over the omniscient risk of the pool's own spectrum, is 1 up to 0.02 (0.001/c)^(1/3), "
    "c >= 0.001 the ridge as a share of the trace: what is fitted is a seventh to a quarter of it.",
    needs=("labels", "theorem's setting"),
    points={
        "quick": digits(300, relative_ridge=1e-3),
        "standard": (*digits(250, 400, relative_ridge=1e-3), *digits(300, relative_ridge=0.01)),
        "thorough": (
            *digits(250, 300, 400, relative_ridge=1e-3),
            *digits(250, 400, relative_ridge=0.01),
            *digits(300, relative_ridge=0.1),
        ),
    },
    domain=Domain(
        {"data": OneOf(("digits",)), "n": Sizes((250, 300, 400)), "n_test": Sizes((1000,))}
        | {"relative_ridge": Interval(1e-3, 0.1)},
        (ENOUGH_DIGITS,),
        RealData,
    ),
    subject=pool_of,
    procedure=Means(
        _plug_in_risk,
        labels=("error over the pool / omniscient risk",),
        formula=1.0,
        remainder=theory.plug_in_remainder,
        at=lambda point: {"relative_ridge": point.relative_ridge},
        resolution=0.02,
        pilot=16,
        first=32,
        most=512,
    ),
    faults=(
        "pool_without_fitted_rows",
        "plug_in_without_overfitting",
        "labels_permuted",
        "plug_in_at_a_ridge_over_n",
    ),
)

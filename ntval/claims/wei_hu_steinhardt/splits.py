"""Random splits of labelled data, and the errors of regressions on them.

What is random is the split, and with it whatever a claim says so: a data set is one fixed pool, of
which every split is as likely as any other. Splits with keys of their own are independent given the
pool, so means over them are those that a claim is about, and evidence against it is an e-value. No
claim speaks of a population that the pool was drawn from: splits share rows, which no number of
them makes independent of the pool.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Array, Float

from ntval.claims import sampling
from ntval.claims.sampling import kept
from ntval.observables import regression
from ntval.observables.generalized_cross_validation import CrossValidation
from ntval.regimes import RealData
from ntval.subjects.labelled import finite_width_split, labelled_pool, resplit, sized
from ntval.subjects.subject import LabelledGram

Estimates = Callable[..., CrossValidation]
# The absolute ridge of a share of the trace of a Gram matrix.
Ridge = Callable[[Float[np.ndarray, "n n"], float], float]

# Ridges, as shares of the trace, among which one is picked or by which bounds are compared.
GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
# The error that an estimate is compared with, and the norm of a regression that bounds it.
Error = Callable[["Split", float], float]
Norm = Callable[["Split", float], float]

# Besides n training rows, bounds are compared at n over these.
PARTS = (4, 2)

_pool = kept(labelled_pool)


def pool_of(point: RealData) -> LabelledGram:
    """The pool of a point; one kernel for all sizes and ridges."""
    smallest = replace(point, n=1, n_test=1, ridge=0.0, relative_ridge=0.0)
    return sized(_pool(smallest), point)


def relative(gram: Float[np.ndarray, "n n"], share: float) -> float:
    """The ridge that is this share of the trace."""
    return share * float(np.trace(gram))


class Split:
    """What one replicate sees: a kernel at a fresh split."""

    def __init__(self, key: Array, point: RealData, subject: LabelledGram) -> None:
        self.point = point
        self.data = self._fresh(key, point, subject)

    def _fresh(self, key: Array, point: RealData, subject: LabelledGram) -> LabelledGram:
        return resplit(subject, key)

    @functools.cached_property
    def gram(self) -> Float[np.ndarray, "n n"]:
        """The kernel of the training rows."""
        return self.data.gram[np.ix_(self.data.train, self.data.train)]

    @functools.cached_property
    def labels(self) -> Float[np.ndarray, "n outputs"]:
        """The labels of the training rows."""
        return self.data.labels[self.data.train]

    @functools.cached_property
    def rows(self) -> Float[np.ndarray, "m n"]:
        """The kernel between test rows and training rows."""
        return self.data.gram[np.ix_(self.data.test, self.data.train)]

    def of_control(self) -> Split:
        """The same split of the kernel at random weights."""
        control = self.data.control
        assert control is not None, f"{self.data.name} has no control"
        return self._with(gram=control)

    def of_first(self, n: int) -> Split:
        """The same test rows with the first n training rows."""
        return self._with(train=self.data.train[:n])

    def _with(self, **changed: np.ndarray) -> Split:
        other = Split.__new__(Split)
        other.point, other.data = self.point, replace(self.data, **changed)
        return other

    def coefficients(self, ridge: float) -> Float[np.ndarray, "n outputs"]:
        """Coefficients of the regression, an output a column: of all ridges > 0 from one
        eigendecomposition, which is this side's own."""
        if ridge == 0:
            return regression.kernel_ridge(self.gram, self.labels, ridge=0.0).coefficients
        w, vectors, projected = self._spectrum
        return vectors @ (projected / (w + ridge)[:, None])

    @functools.cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        w, vectors = np.linalg.eigh(self.gram)
        return w, vectors, vectors.T @ self.labels

    def test_error(self, ridge: float) -> float:
        """Mean over the test rows of the squared error, summed over outputs."""
        predicted = self.rows @ self.coefficients(ridge)
        return regression.risk(predicted, self.data.labels[self.data.test])

    def norm_bound(self, ridge: float) -> float:
        r"""$\|\hat f\|_K \sqrt{\operatorname{tr} K} / n$: the Rademacher complexity of the ball in
        which the regression lies, up to a constant."""
        solved = self.coefficients(ridge)
        norm = float((solved * (self.gram @ solved)).sum())
        return float(np.sqrt(norm * np.trace(self.gram))) / len(self.gram)


class NetworkSplit(Split):
    """A fresh split of the kernel of a fresh random network."""

    def _fresh(self, key: Array, point: RealData, subject: LabelledGram) -> LabelledGram:
        return finite_width_split(point, key)


splits = functools.partial(sampling.looped, replicate=Split)
network_splits = functools.partial(sampling.looped, replicate=NetworkSplit)


@dataclass(frozen=True)
class OverRidges:
    """Of one split, numbers at every ridge of a grid."""

    errors: Float[np.ndarray, "ridges"]
    norms: Float[np.ndarray, "ridges"]
    found: CrossValidation


def over_ridges(
    split: Split,
    estimates: Estimates,
    ridge: Ridge,
    error: Error,
    norm: Norm,
) -> OverRidges:
    """Errors, norm bounds and estimates of a split at the ridges of `GRID`."""
    ridges = ridges_of(split, GRID, ridge)
    return OverRidges(
        np.array([error(split, r) for r in ridges]),
        np.array([norm(split, r) for r in ridges]),
        estimates(split.gram, split.labels, ridges=ridges),
    )


def correlations(each: Sequence[OverRidges]) -> tuple[float, float]:
    """Correlations of the log of the error with that of the norm bound and with that of GCV, over
    all ridges of all of these splits."""
    errors, norms, gcv = (
        np.log(np.concatenate(columns))
        for columns in zip(*((of.errors, of.norms, of.found.gcv) for of in each), strict=True)
    )
    by_norm, by_gcv = (float(np.corrcoef(errors, of)[0, 1]) for of in (norms, gcv))
    return by_norm, by_gcv


def ridges_of(draw: Split, shares: tuple[float, ...], ridge: Ridge) -> Float[np.ndarray, "ridges"]:
    """Absolute ridges of shares of the trace of a split's kernel."""
    return np.array([ridge(draw.gram, share) for share in shares])

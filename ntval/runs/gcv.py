r"""GCV and LOO of a kernel at labelled data, beside the risk on samples that were left out.

The data is split into folds. A fit to all folds but one is judged by what GCV and LOO say of it
from its own training data, and by its error on the fold that it has not seen.

Intervals hold for the risk of these fits: each sample is left out once, and the mean of the n
errors is about normal given the fits (Bayle, Bayle, Janson & Mackey, 2007.12671; recalled). Those
of GCV and LOO come from the spread of their terms. What GCV is apart from the held-out risk is a
mean over samples too, of a sample's term less its error when it was left out; a sample that is hard
is so in both, which makes the difference better known than either. Best known is what GCV is apart
from LOO, whose terms are of the same fits; the mean of LOO is the risk of a fit to n - 1 samples
(Luntz & Brailovsky, 1969; recalled).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ntval.arrays import AnyArray, ArrayLike, float64, require_gram, rounding_or_all
from ntval.data.labels import Targets, targets_of
from ntval.data.sets import array_of, inputs_of, is_array
from ntval.errors import GramError, InputError
from ntval.observables.curve_agreement import agreement_threshold, ridge_at
from ntval.observables.generalized_cross_validation import (
    CrossValidation,
    cross_validation,
    require_ridges,
    require_seen,
)
from ntval.observables.regression import input_rounding, require_positive
from ntval.runs.grams import gram_at, infinite_gram, network_of, weights_of
from ntval.runs.risk_estimates import Curve, Each, RiskEstimates
from ntval.subjects.subject import GramSubject, NetworkSubject

# Ridges relative to the trace of K, in powers of ten, beside 0.
_POWERS = np.arange(-7.0, 1.5, 0.5)
_FEWEST = 8  # samples
# A ridge this many times the trace makes every prediction 0.
_MOST = 1e6
# The largest of labels is this at least, and its inverse at most. The spread of squared errors is
# a fourth power, up to 1e240: within float64, with 68 digits to spare for sums and good fits.
_LEAST = 1e-60


def gcv(
    gram_or_network: Any,
    x: Float[AnyArray, "n *shape"] | ArrayLike | None = None,
    y: Any = None,
    *,
    params: Any = None,
    infinite: bool = False,
    classes: bool | None = None,
    ridges: Float[np.ndarray, "ridges"] | ArrayLike | None = None,
    folds: int | None = None,
    seed: int = 0,
    name: str | None = None,
    rounding: float = 0.0,
    callback: Callable[[int, int], None] | None = None,
) -> RiskEstimates:
    """GCV, LOO and the held-out risk of kernel ridge regression of y, over a grid of ridges.

    gram_or_network: a Gram matrix (n, n), with y alone; or a network as `check_network` takes it,
        with inputs x of shape (n, *input_shape).
    y: numbers (n,) or (n, outputs), or one class a sample: whole numbers or words. Classes become 1
        and 0, minus 1 over their number. `classes` says which it is where that is not plain.
    params: the network's weights; drawn by `seed` where it holds none.
    infinite: the kernel of infinite width instead of that at these weights.
    ridges: absolute, in K + ridge I; without them 0 and powers of ten relative to the trace of K.
    folds: how many parts the data is split into, at random by `seed`; samples that K does not tell
        apart stay together. Without it 5, and fewer of less than 20 samples.
    rounding: of K's entries, relative to its largest eigenvalue, where they were of a lower
        precision than they are passed in.
    callback: is called with the number of folds done and of all.

    Returns: `RiskEstimates`; `ntval.runs.risk_reading.reading` puts them into sentences.
    Raises: `InputError`, `GramError` and `NetworkError`, each one line, for what cannot be used.
    """
    if y is None:
        raise InputError("gcv needs y, a label for each sample; pass y=...")
    if is_array(gram_or_network):
        gram: Any = array_of("gram", gram_or_network)
        called = name or "Gram matrix"
    else:
        if x is None:
            raise InputError("gcv needs x, inputs for the network; pass them, or a Gram matrix.")
        rows, integers = inputs_of("x", x)
        network = network_of("gcv", gram_or_network, params, rows.shape[1:], integers)
        called = name or network.name
        targets_of(y, len(rows), classes=classes)  # refused before the kernel is computed
        with float64():
            if infinite:
                gram = infinite_gram(network, rows)
            else:
                gram = gram_at(network, weights_of(network, rows.shape[1:], seed), rows)
    matrix = require_gram("gram", gram)
    targets = targets_of(y, len(matrix), classes=classes)
    _require_scale(targets)
    folds = folds_of(len(matrix), folds)
    w = np.linalg.eigvalsh(matrix)
    rounding = max(rounding, input_rounding(gram))
    require_positive(w, rounding)
    grid, left_out = _usable(ridges, matrix, w)
    if len(grid) == 0:
        raise GramError(left_out[-1][1])
    repeated = _repeated(matrix)
    parts = _folds(len(matrix), repeated, folds, np.random.default_rng(seed))
    if len(parts) < 2:
        raise GramError(
            f"gram needs samples that it tells apart, got {len(matrix)} that are all alike; look "
            "at the inputs."
        )

    def over(grid: Each, left_out: tuple[tuple[float, str], ...]) -> RiskEstimates:
        given = called, matrix, targets, grid, left_out, repeated, parts, rounding, callback
        return _estimates(*given)

    try:
        return over(grid, left_out)
    except GramError as error:  # without a ridge, on a rank in doubt in some fold
        if len(grid) < 2 or grid[0] > 0:
            raise
        return over(grid[1:], ((0.0, str(error)), *left_out))


def _require_scale(targets: Targets) -> None:
    """Refuse labels whose squares, or the spread of them, are lost."""
    size = float(np.abs(targets.values).max())
    if size > 0 and not _LEAST <= size <= 1 / _LEAST:
        raise InputError(
            f"y needs numbers from {_LEAST:g} to {1 / _LEAST:g}, whose squares are well within "
            f"float64, got {size:.3g} at most; rescale it."
        )


def folds_of(n: int, folds: int | None) -> int:
    """How many parts n samples are split into: as many as are asked for, or 5 where n allows.

    Raises: `InputError` unless there are two parts or more, of 4 samples or more each.
    """
    if n < _FEWEST:
        raise InputError(
            f"gcv needs {_FEWEST} samples or more, two folds of 4, got {n}; pass more."
        )
    folds = min(5, n // 4) if folds is None else folds
    if not 2 <= folds <= n // 4:
        raise InputError(
            f"folds needs 2 to n / 4 = {n // 4}, got {folds!r}; pass more samples or another "
            "number of folds."
        )
    return folds


def risk_of(
    subject: NetworkSubject | GramSubject, x: Any, y: Any, *, seed: int
) -> Callable[[], RiskEstimates]:
    """Function that gives `gcv` of what a run examines, at as many inputs as it takes.

    Whole numbers as floats are numbers here.
    Raises: `InputError` for labels that `gcv` does not take, several Gram matrices, and a network
    without inputs; the function, what `gcv` raises.
    """
    if isinstance(subject, NetworkSubject) and x is None:
        raise InputError("y needs x, the inputs it belongs to; pass both.")
    if isinstance(subject, GramSubject) and len(subject.grams) > 1:
        raise InputError(f"y needs one Gram matrix, got {len(subject.grams)}; pass one.")
    n = subject.num_inputs if isinstance(subject, GramSubject) else len(x)
    labels = array_of("y", y)
    classes = None if labels.dtype.kind in "iubUSO" else False
    targets_of(labels, n, classes=classes)
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[: subject.num_inputs])

    def risk() -> RiskEstimates:
        some: dict[str, Any] = {
            "y": labels[chosen],
            "classes": classes,
            "seed": seed,
            "name": subject.name,
        }
        if isinstance(subject, GramSubject):
            gram = subject.grams[0][np.ix_(chosen, chosen)]
            return gcv(gram, rounding=len(gram) * subject.rounding, **some)
        rows = np.asarray(x, dtype=np.float64)[chosen]
        shape = subject.network.input_shape or rows.shape[1:]
        return gcv(subject.network, rows.reshape(len(rows), *shape), **some)

    return risk


def _usable(
    ridges: Any, matrix: Float[np.ndarray, "n n"], w: Float[np.ndarray, "n"]
) -> tuple[Each, tuple[tuple[float, str], ...]]:
    """Ridges ascending, and those left out with the reason: what rounding loses."""
    trace = float(np.trace(matrix))
    if trace <= 0:
        raise InputError(f"gram needs a positive trace, got {trace:.3g}; it is no kernel's.")
    if ridges is None:
        grid = np.concatenate([[0.0], trace * 10.0**_POWERS])
    else:
        given = np.atleast_1d(np.asarray(ridges))
        grid = np.unique(require_ridges(given.astype(float) if given.dtype.kind in "iu" else given))
        if grid[-1] > _MOST * trace:
            raise InputError(
                f"ridges needs numbers up to {_MOST * trace:.3g}, {_MOST:g} times the trace of K, "
                f"got {grid[-1]:.3g}: every prediction would be 0; pass smaller ones."
            )
    kept, left_out = [], []
    for ridge in grid.tolist():
        try:
            if ridge > 0:
                require_seen(ridge, w, input_rounding(matrix))
            kept.append(ridge)
        except GramError as error:
            left_out.append((ridge, str(error)))
    return np.array(kept), tuple(left_out)


def _repeated(matrix: Float[np.ndarray, "n n"]) -> tuple[tuple[int, int], ...]:
    """Pairs of samples whose rows of K are equal up to rounding."""
    diagonal = np.diag(matrix)
    both = diagonal[:, None] + diagonal[None, :]
    close = np.argwhere(np.triu(both - 2 * matrix <= rounding_or_all(64, float) * both, k=1))
    allowed = rounding_or_all(64 * len(matrix), float) * np.abs(matrix).max()
    return tuple(
        (int(i), int(j)) for i, j in close if np.abs(matrix[i] - matrix[j]).max() <= allowed
    )


def _folds(
    n: int, repeated: Sequence[tuple[int, int]], folds: int, rng: np.random.Generator
) -> list[Int[np.ndarray, "_"]]:
    """Disjoint parts of range(n), in random order; rows of a pair lie in one."""
    group = np.arange(n)
    for i, j in repeated:
        group[group == group[j]] = group[i]
    members = [np.flatnonzero(group == g) for g in rng.permutation(np.unique(group))]
    parts: list[list[int]] = [[] for _ in range(folds)]
    for rows in sorted(members, key=len, reverse=True):  # stable: singles stay in random order
        min(parts, key=len).extend(rows.tolist())
    return [rng.permutation(np.array(part, dtype=int)) for part in parts if part]


def _estimates(
    name: str,
    matrix: Float[np.ndarray, "n n"],
    targets: Targets,
    grid: Each,
    left_out: tuple[tuple[float, str], ...],
    repeated: tuple[tuple[int, int], ...],
    parts: Sequence[Int[np.ndarray, "_"]],
    rounding: float,
    callback: Callable[[int, int], None] | None,
) -> RiskEstimates:
    n, y = len(matrix), targets.values
    losses, wrong = np.zeros((len(grid), n)), np.zeros((len(grid), n))
    constant = np.zeros(n)
    found: list[CrossValidation] = []
    order = np.concatenate(parts)
    trains = [np.setdiff1d(order, part) for part in parts]
    for done, (part, train) in enumerate(zip(parts, trains, strict=True)):
        inner = matrix[np.ix_(train, train)]
        estimates = cross_validation(inner, y[train], ridges=grid, rounding=rounding)
        predicted = np.einsum("mn,rno->rmo", matrix[np.ix_(part, train)], estimates.coefficients)
        losses[:, part] = ((predicted - y[part]) ** 2).sum(axis=-1)
        wrong[:, part] = predicted.argmax(axis=-1) != y[part].argmax(axis=-1)
        constant[part] = ((y[train].mean(axis=0) - y[part]) ** 2).sum(axis=-1)
        found.append(estimates)
        if callback is not None:
            callback(done + 1, len(parts))
    gcv_curve = _averaged([e.gcv_terms for e in found], trains, losses)
    held_out = _over_folds(losses, parts)
    chosen, best = int(np.argmin(gcv_curve.mean)), int(np.argmin(held_out.mean))
    scale = max(float(held_out.mean[best]), np.finfo(float).tiny)
    unit = 2.0 ** np.floor(np.log2(np.abs(matrix).max()))  # squares of entries are representable
    kappa = agreement_threshold(matrix[np.ix_(order, order)] / unit)
    last = matrix[np.ix_(trains[-1], trains[-1])] / unit
    return RiskEstimates(
        name=name,
        n=n,
        folds=len(parts),
        classes=targets.classes,
        ridges=grid,
        trace=float(np.trace(matrix)),
        gcv=gcv_curve,
        leave_one_out=_averaged([e.leave_one_out_terms for e in found], trains, losses),
        held_out=held_out,
        bias=_averaged([e.gcv_terms - e.leave_one_out_terms for e in found], trains),
        error_rate=None if targets.classes is None else _over_folds(wrong, parts),
        train_error=np.mean([e.train_error for e in found], axis=0),
        effective_dimension=np.mean([e.effective_dimension for e in found], axis=0),
        leverage_dispersion=np.mean([e.leverage_dispersion for e in found], axis=0),
        constant=float(constant.mean()),
        gain=_paired(constant - losses[chosen], 1.0),
        regret=_paired(losses[chosen] - losses[best], scale),
        agreement_ridge=None if kappa is None else unit * ridge_at(last, kappa),
        repeated=repeated,
        left_out=left_out,
    )


def _averaged(
    terms: Sequence[Float[np.ndarray, "ridges _"]],
    trains: Sequence[Int[np.ndarray, "_"]],
    losses: Float[np.ndarray, "ridges n"] | None = None,
) -> Curve:
    """The mean over folds of an estimate with such terms, and its excess over the held-out risk.

    Training sets overlap, so the error is that of the mean over samples of a sample's mean term.
    """
    n = sum(map(len, trains)) // (len(trains) - 1)  # each sample is left out once
    each = np.zeros((len(terms[0]), n))
    for train, found in zip(trains, terms, strict=True):
        each[:, train] += found * (n / len(train) / len(terms))
    excess = None
    if losses is not None:
        excess = Curve((each - losses).mean(axis=1), _error(each - losses))
    return Curve(each.mean(axis=1), _error(each), excess)


def _error(each: Float[np.ndarray, "ridges n"]) -> Each:
    """The standard error of the means over samples."""
    return each.std(axis=1, ddof=1) / np.sqrt(each.shape[1])


def _over_folds(
    losses: Float[np.ndarray, "ridges n"], parts: Sequence[Int[np.ndarray, "_"]]
) -> Curve:
    """The mean over samples left out, with the spread within folds."""
    n = losses.shape[1]
    within = sum(losses[:, part].var(axis=1) * len(part) for part in parts) / (n - len(parts))
    return Curve(losses.mean(axis=1), np.sqrt(within / n))


def _paired(differences: Float[np.ndarray, "n"], scale: float) -> tuple[float, float]:
    """Mean and standard error of differences at each sample, in units of a scale."""
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return float(differences.mean() / scale), float(error / scale)

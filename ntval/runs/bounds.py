"""Every bound on the smallest eigenvalue of a network's kernel that its data allows, beside the
eigenvalue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ntval.arrays import AnyArray, ArrayLike, float64
from ntval.data.sets import inputs_of
from ntval.errors import InputError, NtvalError
from ntval.observables import spectra
from ntval.runs.eigenvalue_bounds import (
    EigenvalueBound,
    of_any_gram,
    of_infinite_width,
    of_layers,
)
from ntval.runs.grams import gram_at, network_of, weights_of

EMPIRICAL, INFINITE = "K at these weights", "K of infinite width"


@dataclass(frozen=True)
class Bounds:
    """Bounds on smallest eigenvalues, beside what they are.

    `measured`, `certified`: by kernel, the computed smallest eigenvalue, and a lower bound of it
        with rounding included, None where entries of many scales allow none.
    `rows`: the bounds, of each kernel and side the tightest first; those not applied last.
    """

    measured: dict[str, float]
    certified: dict[str, float | None]
    rows: tuple[EigenvalueBound, ...]

    def __repr__(self) -> str:
        """The eigenvalue of each kernel, between the tightest bounds."""
        lines = []
        for of, value in self.measured.items():
            sides = {}
            for row in self.rows:
                if row.of == of and row.value is not None and not row.vacuous:
                    sides.setdefault(row.side, f"{row.value:.4g} ({row.name})")
            ends = [f"{side} bound {words}" for side, words in sorted(sides.items())]
            lines.append("; ".join([f"{of}: smallest eigenvalue {value:.6g}", *ends]))
        return "\n".join(lines)

    def ratio(self, row: EigenvalueBound) -> float | None:
        """A bound over the eigenvalue: 1 is tight, 0 is vacuous; None where there is neither."""
        truth = self.measured.get(row.of, 0.0)
        return row.value / truth if row.value is not None and truth > 0 else None

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [
            {**vars(row), "vacuous": row.vacuous, "ratio": self.ratio(row)} for row in self.rows
        ]
        return {
            "schema": "ntval.bounds/1",
            "measured": self.measured,
            "certified": self.certified,
            "bounds": rows,
        }


def bounds(
    x: Float[AnyArray, "n *shape"] | ArrayLike,
    network: Any,
    params: Any = None,
    *,
    seed: int = 0,
    failure: float = 1e-6,
) -> Bounds:
    """Bounds on the smallest eigenvalue of `network`'s kernel at the inputs `x`.

    network: one of ntval's, an `Mlp`, or whatever `check_network` takes as a model that holds its
    weights. For another than ours only what holds of every Gram matrix is known.

    Without `params` weights are drawn by `seed`; bounds in probability need that they are drawn,
    and hold given all layers but the last two. `failure` is the probability of each that it fails.

    Raises: `InputError` on malformed inputs, or a network without weights.
    """
    if not 0 < failure < 1:
        raise InputError(f"failure needs to be between 0 and 1, got {failure!r}; e.g. 1e-6.")
    rows, integers = inputs_of("x", x)
    network = network_of("bounds", network, params, rows.shape[1:], integers)
    drawn = network.init_fn is not None
    with float64():
        params = weights_of(network, rows.shape[1:], seed)
        gram = gram_at(network, params, rows)
        found = [
            *of_any_gram(gram, EMPIRICAL),
            *of_layers(network, params, rows, EMPIRICAL, drawn=drawn, failure=failure),
        ]
        grams = {EMPIRICAL: gram}
        infinite = of_infinite_width(network, rows, INFINITE)
        if infinite is not None:
            grams[INFINITE], of_limit = infinite
            found += of_limit
    return Bounds(
        {of: spectra.min_eigenvalue(gram) for of, gram in grams.items()},
        {of: _certified(gram) for of, gram in grams.items()},
        tuple(sorted(found, key=_tightest_first)),
    )


def _certified(gram: Float[np.ndarray, "n n"]) -> float | None:
    try:
        return spectra.certified_min_eigenvalue(gram)
    except NtvalError:  # no Cholesky factor of any shift runs
        return None


def _tightest_first(row: EigenvalueBound) -> tuple:
    value = math.inf if row.value is None else row.value if row.side == "upper" else -row.value
    return row.of, row.value is None, row.side, value

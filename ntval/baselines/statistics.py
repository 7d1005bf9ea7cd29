"""Statistics of a baseline: samples that are kept as counts, and what drift of them is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from ntval.claims.budget import CONFIRMATIONS
from ntval.evidence import two_samples
from ntval.evidence.sequential import MISS
from ntval.evidence.two_samples import Frame

# An entry with this evidence is measured again; correct code reaches it once in 20 at most.
SUSPICION = math.log(20)

# Relative drift to detect when no claim sets a resolution.
DRIFT = 0.03


@dataclass(frozen=True)
class Statistic:
    """A statistic's sample: values counted in `frame`, their estimate and its standard error.

    A value is the mean of `draws` draws that share a key, and may share inputs. `remainder` and
    `resolution` are the claim's at one key, None where no claim fixes the mean. `smallest_gap` is
    the drift that a comparison sees with probability 1 - `sequential.MISS`.
    """

    label: str
    frame: Frame
    counts: tuple[int, ...]
    estimate: float
    standard_error: float
    draws: int = 1
    remainder: float | None = None
    resolution: float | None = None
    smallest_gap: float = math.inf

    @property
    def n(self) -> int:
        """Number of values."""
        return sum(self.counts)


def relative(pilot: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "k"]:
    """`DRIFT` of each statistic's size."""
    return DRIFT * np.abs(np.nan_to_num(pilot)).mean(axis=0)


def frames_of(
    pilot: Float[np.ndarray, "n k"], floors: Float[np.ndarray, "k"] | float = 0.0
) -> tuple[Frame, ...]:
    """Frames that are as wide as what has to be seen, at least."""
    each = zip(pilot.T, np.broadcast_to(floors, pilot.shape[1]), strict=True)
    return tuple(two_samples.frame_of(x, floor=float(floor)) for x, floor in each)


def counted(
    labels: Sequence[str], frames: Sequence[Frame], x: Float[np.ndarray, "n k"], draws: int = 1
) -> tuple[Statistic, ...]:
    """The k statistics of a sample whose values are means of so many draws."""
    with np.errstate(invalid="ignore"):
        means, errors = x.mean(axis=0), x.std(axis=0, ddof=1) / math.sqrt(len(x))
    return tuple(
        Statistic(
            label,
            frame,
            tuple(map(int, frame.counts(x[:, i]))),
            float(means[i]),
            float(errors[i]),
            draws,
        )
        for i, (label, frame) in enumerate(zip(labels, frames, strict=True))
    )


def sized(statistics: Sequence[Statistic], level: float) -> tuple[Statistic, ...]:
    """The statistics, each with the drift of it that is seen at `level`."""
    k = len(statistics)
    return tuple(
        replace(s, smallest_gap=smallest_gap(np.array(s.counts), s.frame, s.n, k, level))
        for s in statistics
    )


def smallest_gap(
    counts: Int[np.ndarray, "levels"], frame: Frame, n: int, k: int, level: float
) -> float:
    """The drift that is first suspected and then confirmed by repetitions of the same size, n.

    The evidence of k statistics is the mean of their e-values: that of one alone has to be k times
    as large.
    """
    looks = (((n, n), SUSPICION), ((n, (1 + CONFIRMATIONS) * n), -math.log(level)))
    return max(
        two_samples.smallest_gap(counts, frame, sizes, log_e=log_e + math.log(k), miss=MISS / 2)
        for sizes, log_e in looks
    )

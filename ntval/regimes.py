"""Regimes: points of a theorem's space, and the ladders that sizes are drawn from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import isfinite

from ntval.activations import activation
from ntval.errors import InputError

# Each new array shape compiles anew, so sizes come from short ladders (DESIGN.md, section 7).
N_LADDER = (4, 8, 16)
D_LADDER = (3, 8, 20)
WIDTH_LADDER = (16, 64, 256)


@dataclass(frozen=True)
class Regime:
    """A point of a theorem's space: hashable, and JSON by `as_dict`.

    `n` samples in `d` dimensions, hidden `widths`, the name of an activation (None when the
    network brings its own), an absolute `ridge` in K + ridge I, and label noise.
    """

    n: int
    d: int
    widths: tuple[int, ...] = ()
    activation: str | None = "relu"
    ridge: float = 0.0
    noise_std: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        for name, value in (("n", self.n), ("d", self.d), *(("widths", w) for w in self.widths)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"Regime needs an integer {name} >= 1, got {name}={value!r}.")
        for name in ("ridge", "noise_std"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise InputError(f"Regime needs a finite {name} >= 0, got {name}={value!r}.")
        if self.activation is not None:
            activation(self.activation)

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths)

    @property
    def degree(self) -> int:
        """The l with d^l <= n < d^(l+1): the highest degree that n samples can learn."""
        if self.d == 1:
            raise InputError("Regime.degree needs d >= 2, got d=1: every power of 1 is 1.")
        degree = 0
        while self.d ** (degree + 1) <= self.n:
            degree += 1
        return degree

    def as_dict(self) -> dict:
        """The regime as JSON-ready values."""
        return dataclasses.asdict(self) | {"widths": list(self.widths)}

    def __str__(self) -> str:
        """The regime as code that can be pasted, defaults left out."""
        shown = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
        return f"Regime({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

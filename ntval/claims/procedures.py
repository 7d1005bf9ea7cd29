"""How a claim is tested: one record for each form of theorem.

| a theorem's form | procedure | what controls the error |
|---|---|---|
| two expressions are equal | `Identity` | a rounding allowance; no probability |
| an inequality holds surely | `Bound` | a certificate from both sides |
| an inequality holds with probability at least 1 - delta | `ProbableBound` | an e-value |
| a mean equals a value, or lies within a margin of it | `Means` | an e-value |
| an error decays like a power | `Slopes` | an e-value, of slopes |

`examine(key, point, subject)` measures and predicts, `decide(examination, alpha, effort)` gives
the verdict, `statistical` says whether chance has a part in it, `formula` is the function of
`theory` that the claim is about. A measurement takes what it uses of theory as options:
`taking(energies=...)` is the procedure with another option, where a fault is planted.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Array, Float

from ntval.claims.sampling import PILOT, Sampler
from ntval.errors import InputError
from ntval.evidence import exact, sequential
from ntval.evidence.allowance import allowance
from ntval.evidence.exact import Bracket, Comparison
from ntval.evidence.sequential import Draw, Sample, Trials
from ntval.evidence.verdict import Decision
from ntval.regimes import Point
from ntval.subjects.subject import Subject

# What a procedure measured and predicted: what baselines, figures and planted faults read.
Examination = tuple[Comparison, ...] | tuple[Bracket, ...] | Sample | Trials

# A number of theory: a function whose arguments are found by their names, a value, or several.
Formula = Callable[..., Any] | float | tuple[Callable[..., Any] | float, ...]

Options = Mapping[str, object]


@runtime_checkable
class Procedure(Protocol):
    """What all five records have in common."""

    statistical: ClassVar[bool]

    @property
    def formula(self) -> Formula | None: ...

    def examine(self, key: Array, point: Point, subject: Subject) -> Any: ...

    def decide(self, examination: Any, *, alpha: float, effort: float) -> Decision: ...

    def draw(self, key: Array, point: Point, subject: Subject) -> Draw: ...

    def taking(self, **options: object) -> Procedure: ...


_P = TypeVar("_P", "Identity", "Bound", "Means", "Slopes", "ProbableBound")


def _taking(procedure: _P, measure: Callable, options: Options) -> _P:
    """The procedure with these options of its measurement, which are its arguments with a default.

    Raises: `InputError` on an option that the measurement does not have.
    """
    parameters = inspect.signature(measure).parameters.values()
    known = [p.name for p in parameters if p.default is not p.empty and p.name != "stream"]
    for name in options:
        if name not in known:
            raise InputError(
                f"taking needs options of {getattr(measure, '__name__', measure)!r}, got {name!r}; "
                f"it has {', '.join(map(repr, known)) or 'none'}."
            )
    return replace(procedure, options={**procedure.options, **options})


def value_of(formula: Formula, arguments: Mapping[str, object]) -> Any:
    """The value of a formula at the arguments that it names, whatever else is in `arguments`."""
    if isinstance(formula, tuple):
        return np.array([value_of(part, arguments) for part in formula], dtype=float)
    if not callable(formula):
        return formula
    names = inspect.signature(formula).parameters
    return formula(**{name: arguments[name] for name in names if name in arguments})


@dataclass(frozen=True)
class Identity:
    """Two expressions are equal, up to rounding.

    `compare(key, point, subject, **options)`: gives the comparisons.
    """

    compare: Callable[..., Sequence[Comparison]]
    _: KW_ONLY
    formula: Formula | None = None
    options: Options = field(default_factory=dict)
    statistical: ClassVar[bool] = False

    def examine(self, key: Array, point: Point, subject: Subject) -> tuple[Comparison, ...]:
        """Both expressions, and how far rounding can part them."""
        return tuple(self.compare(key, point, subject, **self.options))

    def decide(
        self, examination: tuple[Comparison, ...], *, alpha: float, effort: float
    ) -> Decision:
        """The verdict; `alpha` and `effort` have no part in it."""
        return exact.identity(examination)

    def taking(self, **options: object) -> Identity:
        """The same with options of `compare`."""
        return _taking(self, self.compare, options)

    def draw(self, key: Array, point: Point, subject: Subject) -> Draw:
        """Nothing is drawn: chance has no part in it."""
        raise TypeError("Identity draws nothing; examine it")


@dataclass(frozen=True)
class Bound:
    """An inequality holds surely.

    `enclose(key, point, subject, **options)`: gives quantities, each between two certificates.
    """

    enclose: Callable[..., Sequence[Bracket]]
    _: KW_ONLY
    formula: Formula | None = None
    options: Options = field(default_factory=dict)
    statistical: ClassVar[bool] = False

    def examine(self, key: Array, point: Point, subject: Subject) -> tuple[Bracket, ...]:
        """The quantities, each between two certificates, and their bounds."""
        return tuple(self.enclose(key, point, subject, **self.options))

    def decide(self, examination: tuple[Bracket, ...], *, alpha: float, effort: float) -> Decision:
        """The verdict; `alpha` and `effort` have no part in it."""
        return exact.bound(examination)

    def taking(self, **options: object) -> Bound:
        """The same with options of `enclose`."""
        return _taking(self, self.enclose, options)

    def draw(self, key: Array, point: Point, subject: Subject) -> Draw:
        """Nothing is drawn: chance has no part in it."""
        raise TypeError("Bound draws nothing; examine it")


# Names of statistics, or a function of the point that gives them.
Labels = tuple[str, ...] | Callable[[Any], tuple[str, ...]]
# A number a statistic, one for all, or a function of the point that gives them.
Each = float | tuple[float, ...] | Callable[[Any], Float[np.ndarray, "k"]]


def _no_arguments(point: Point) -> dict[str, object]:
    return {}


@dataclass(frozen=True)
class Means:
    """Means equal what theory predicts, or lie within a margin of it.

    `sampler(key, point, subject, stream=..., **options)`: gives the function that draws.
    `labels`: the names of the statistics.
    `formula`: the means; 0 where the statistics are differences already.
    `remainder`: how far theory lets the means depart.
    `bias(key, point, subject, pilot)`: a measured part of the remainder.
    `unknown`: why a bias that is infinite is not known, and the way out.
    `wrong`: the means of the nearest wrong theory, by default of a quantity that is absent; where
        remainder and resolution reach it, the claim is vacuous.
    `at(point)`: the arguments of `formula` and `remainder` by name.
    `resolution`: the departure beyond the remainder that has to be seen.
    `pilot`: the number of draws that set the span.
    `first`, `most`: the draws before the first look, and at an effort of 1 before the last.
    """

    sampler: Sampler
    _: KW_ONLY
    labels: Labels
    formula: Formula = 0.0
    remainder: Formula = 0.0
    bias: Callable[..., float] | None = None
    unknown: str = ""
    wrong: Formula = 0.0
    at: Callable[[Any], Mapping[str, object]] = _no_arguments
    resolution: Each = 0.0
    pilot: int = 32
    first: int = 64
    most: int = 4096
    options: Options = field(default_factory=dict)
    statistical: ClassVar[bool] = True
    kind: ClassVar[str] = "means"

    def draw(self, key: Array, point: Point, subject: Subject) -> Draw:
        """The function that draws what is measured."""
        return self.sampler(key, point, subject, **self.options)

    def examine(self, key: Array, point: Point, subject: Subject) -> Sample:
        """What is measured, what is predicted, and an allowance from a pilot of correct code."""
        arguments = self.at(point)
        pilot = self.sampler(key, point, subject, stream=PILOT)(0, self.pilot)
        remainder = np.asarray(value_of(self.remainder, arguments), dtype=float)
        if self.bias is not None:
            remainder = remainder + self.bias(key, point, subject, pilot)
        return Sample(
            self.draw(key, point, subject),
            self.labels(point) if callable(self.labels) else self.labels,
            np.asarray(value_of(self.formula, arguments), dtype=float),
            allowance(pilot, remainder=remainder, resolution=_each(self.resolution, point)),
            np.asarray(value_of(self.wrong, arguments), dtype=float),
            self.unknown,
        )

    def decide(self, examination: Sample, *, alpha: float, effort: float) -> Decision:
        """The verdict, at a false-alarm probability of at most `alpha`."""
        return sequential.means(
            examination,
            alpha=alpha,
            effort=effort,
            first=self.first,
            most=self.most,
            kind=self.kind,
        )

    def taking(self, **options: object) -> Means:
        """The same with options of `sampler`; the pilot speaks of correct code, and keeps its."""
        return _taking(self, self.sampler, options)


def _each(value: Each, point: Point) -> Float[np.ndarray, "k"] | float:
    found = value(point) if callable(value) else value
    return np.array(found) if isinstance(found, tuple) else found


@dataclass(frozen=True)
class Slopes(Means):
    """An error decays like a power: `Means` of slopes on log-log axes, one a block of draws.

    `formula`: the exponent.
    """

    labels: Labels = ("slope",)
    pilot: int = 16
    first: int = 16
    most: int = 256
    kind: ClassVar[str] = "slopes"


@dataclass(frozen=True)
class ProbableBound:
    """An inequality holds with probability at least 1 - `failure`.

    `sampler`: draws the room that the inequality leaves, negative where it is broken.
    `resolution`: a probability of failure so much larger has to be seen.
    `formula`: the bound, where it can be vacuous; `trivial` is what is known without the theorem.
    `at(point)`: the arguments of `formula` by name.
    `first`, `most`: as of `Means`.
    """

    sampler: Sampler
    _: KW_ONLY
    failure: float
    resolution: float
    formula: Formula | None = None
    trivial: float = -np.inf
    at: Callable[[Any], Mapping[str, object]] = _no_arguments
    first: int = 64
    most: int = 1024
    options: Options = field(default_factory=dict)
    statistical: ClassVar[bool] = True

    def draw(self, key: Array, point: Point, subject: Subject) -> Draw:
        """The function that draws the room."""
        return self.sampler(key, point, subject, **self.options)

    def examine(self, key: Array, point: Point, subject: Subject) -> Trials:
        """The room that the inequality leaves, and whether the bound says anything."""
        vacuous = False
        if self.formula is not None:
            vacuous = bool(np.any(value_of(self.formula, self.at(point)) <= self.trivial))
        return Trials(self.draw(key, point, subject), vacuous)

    def decide(self, examination: Trials, *, alpha: float, effort: float) -> Decision:
        """The verdict, at a false-alarm probability of at most `alpha`."""
        return sequential.probable_bound(
            examination,
            failure=self.failure,
            resolution=self.resolution,
            alpha=alpha,
            effort=effort,
            first=self.first,
            most=self.most,
        )

    def taking(self, **options: object) -> ProbableBound:
        """The same with options of `sampler`."""
        return _taking(self, self.sampler, options)


def formulas_of(procedure: Procedure) -> tuple[Callable[..., Any], ...]:
    """The functions of theory that a procedure predicts by."""
    return _functions(procedure.formula)


def remainders_of(procedure: Procedure) -> tuple[Callable[..., Any], ...]:
    """The functions of theory that say how far a prediction may be off, and on which domain."""
    return _functions(getattr(procedure, "remainder", None))


def _functions(parts: Any) -> tuple[Callable[..., Any], ...]:
    parts = parts if isinstance(parts, tuple) else (parts,)
    return tuple(
        part.func if isinstance(part, functools.partial) else part
        for part in parts
        if callable(part)
    )

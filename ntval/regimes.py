"""Points of a theorem's space.

| point | a theorem about |
|---|---|
| `Regime` | a network on generated inputs |
| `PowerLaw` | regression on features whose spectrum and target fall like powers |
| `RealData` | kernel regression on labelled data with a split |

All are hashable, JSON by `as_dict`, and read again by `point_of`.
"""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, no_type_check

from ntval.activations import activation
from ntval.errors import InputError, unknown_name


def require_counts(point: object, *names: str) -> None:
    """Refuse counts that are no whole numbers >= 1, and make those of NumPy Python's."""
    for name in names:
        object.__setattr__(point, name, _count(point, name, getattr(point, name)))


def _count(point: object, name: str, value: Any) -> int:
    if type(value) is int and value >= 1:  # of the many, by far the most
        return value
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        kind = type(point).__name__
        raise InputError(f"{kind} needs an integer {name} >= 1, got {name}={value!r}.")
    return int(value)


def require_widths(point: Any) -> None:
    """Refuse widths that are no whole numbers >= 1, and make them a tuple."""
    if not isinstance(point.widths, tuple | list):
        raise InputError(
            f"{type(point).__name__} needs widths as a tuple, got widths={point.widths!r}; of one "
            "hidden layer (64,)."
        )
    widths = tuple(_count(point, "widths", width) for width in point.widths)
    object.__setattr__(point, "widths", widths)


def require_nonnegative(point: object, **numbers: float) -> None:
    """Refuse numbers that are negative or not finite."""
    for name, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            kind = type(point).__name__
            raise InputError(f"{kind} needs a finite {name} >= 0, got {name}={value!r}.")


def _as_code(point: Any) -> str:
    """The point as code that can be pasted, defaults left out."""
    shown = {
        item.name: getattr(point, item.name)
        for item in dataclasses.fields(point)
        if getattr(point, item.name) != item.default
    }
    words = ", ".join(f"{name}={value!r}" for name, value in shown.items())
    return f"{type(point).__name__}({words})"


# Of fully connected networks: see `ntval.networks.mlp`.
PARAMETRIZATIONS = ("ntk", "standard", "montanari_zhong")

# Of inputs: see `ntval.data.laws`.
INPUT_LAWS = ("sphere", "gaussian", "cube", "anisotropic", "low_rank", "clustered")


@no_type_check  # checks its fields by itself, in its own words
@dataclass(frozen=True)
class Regime:
    """A point of a theorem's space: hashable, and JSON by `as_dict`.

    `n` samples in `d` dimensions, hidden `widths`, the name of an activation (None when the
    network has its own), an absolute `ridge` in K + ridge I, and label noise; of a fully connected
    network the standard deviations of its weights and biases, its `outputs`, and its
    `parametrization`, a name of `PARAMETRIZATIONS`, or None for that of the theorem. `inputs`: the
    law of the samples, a name of `INPUT_LAWS`, each with a mean square norm of d, times
    `input_scale`. `target_mix`: the share of a target's energy, which is 1, on degrees 0, 2 and 3,
    in equal parts; the rest is linear.
    """

    n: int
    d: int
    widths: tuple[int, ...] = ()
    activation: str | None = "relu"
    ridge: float = 0.0
    noise_std: float = 0.0
    w_std: float = math.sqrt(2.0)
    b_std: float = 0.5
    outputs: int = 1
    parametrization: str | None = None
    inputs: str = "sphere"
    input_scale: float = 1.0
    target_mix: float = 0.0

    def __post_init__(self) -> None:
        require_counts(self, "n", "d", "outputs")
        require_widths(self)
        require_nonnegative(
            self,
            ridge=self.ridge,
            noise_std=self.noise_std,
            w_std=self.w_std,
            b_std=self.b_std,
            input_scale=self.input_scale,
            target_mix=self.target_mix,
        )
        if self.target_mix > 1:
            raise InputError(
                f"Regime needs a target_mix between 0 and 1, got {self.target_mix!r}; it is a "
                "share."
            )
        if self.inputs not in INPUT_LAWS:
            raise unknown_name("inputs", self.inputs, INPUT_LAWS)
        if self.parametrization not in (None, *PARAMETRIZATIONS):
            raise unknown_name("parametrization", self.parametrization, PARAMETRIZATIONS)
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

    def as_dict(self) -> dict[str, Any]:
        """The regime as JSON-ready values; scales, outputs, parametrization and inputs where they
        are not the usual ones, so that seeds from before they were fields give the same draws."""
        left_out = {f.name for f in dataclasses.fields(self) if getattr(self, f.name) == f.default}
        left_out -= {"widths", "activation", "ridge", "noise_std"}
        values = dataclasses.asdict(self) | {"widths": list(self.widths)}
        return {name: value for name, value in values.items() if name not in left_out}

    def __str__(self) -> str:
        """The regime as code that can be pasted, defaults left out."""
        return _as_code(self)


@no_type_check  # checks its fields by itself, in its own words
@dataclass(frozen=True)
class PowerLaw:
    r"""Ridge regression on n samples of `features` features, of which number i = 1, 2, ... has
    variance $i^{-\text{decay}}$, and the target a share proportional to $i^{-\text{alignment}}$ of
    its mean square 1.

    `ridge`: absolute, in K + ridge I. `noise_std`: of the labels.
    `law`: that of the whitened features, a name of `LAWS`. Samples that are not alike or not
    independent: `row_spread` s scales every tenth sample by $(1 + 9 s)^{1/2}$ and the others by
    $(1 - s)^{1/2}$; samples i and j have the correlation `row_correlation` to the power |i - j|;
    each of the n samples occurs `copies` times.

    Raises: `InputError` for values outside of their ranges.
    """

    n: int
    features: int
    decay: float = 1.5
    alignment: float = 1.8
    ridge: float = 0.0
    noise_std: float = 0.0
    law: str = "gaussian"
    row_spread: float = 0.0
    row_correlation: float = 0.0
    copies: int = 1

    def __post_init__(self) -> None:
        require_counts(self, "n", "features", "copies")
        require_nonnegative(
            self,
            decay=self.decay,
            alignment=self.alignment,
            ridge=self.ridge,
            noise_std=self.noise_std,
            row_spread=self.row_spread,
            row_correlation=self.row_correlation,
        )
        for name in ("row_spread", "row_correlation"):
            if not getattr(self, name) < 1:
                raise InputError(f"PowerLaw needs {name} < 1, got {getattr(self, name)!r}.")
        if self.law not in LAWS:
            raise unknown_name("law", self.law, LAWS)

    def as_dict(self) -> dict[str, Any]:
        """The point as JSON-ready values; what makes samples unlike where it is not the usual, so
        that seeds from before there were such samples give the same draws."""
        values = dataclasses.asdict(self)
        for item in dataclasses.fields(self)[-3:]:
            if values[item.name] == item.default:
                del values[item.name]
        return {"kind": "power_law", **values}

    def __str__(self) -> str:
        """The point as code that can be pasted, defaults left out."""
        return _as_code(self)


LAWS = ("gaussian", "rademacher", "uniform")


@no_type_check  # checks its fields by itself, in its own words
@dataclass(frozen=True)
class RealData:
    """Kernel regression on `n` labelled samples of a data set, tested on `n_test` others.

    `data`: the name of a data set, or the path of an .npz file with x and y.
    `network`: whose kernel it is, a name of `NETWORKS`.
    `widths`, `activation`: of a fully connected network.
    `ridge`: absolute, in K + ridge I. `relative_ridge`: the same as a share of the trace of K.

    Raises: `InputError` for values outside of their ranges, and for two ridges.
    """

    data: str
    n: int
    n_test: int
    widths: tuple[int, ...] = (1,)
    activation: str = "relu"
    ridge: float = 0.0
    relative_ridge: float = 0.0
    network: str = "infinite_width"

    def __post_init__(self) -> None:
        require_counts(self, "n", "n_test")
        require_widths(self)
        require_nonnegative(self, ridge=self.ridge, relative_ridge=self.relative_ridge)
        if self.ridge and self.relative_ridge:
            raise InputError(
                f"RealData needs one ridge, got ridge={self.ridge!r} and "
                f"relative_ridge={self.relative_ridge!r}; leave one at 0."
            )
        if self.network not in NETWORKS:
            raise unknown_name("network", self.network, NETWORKS)
        activation(self.activation)

    def as_dict(self) -> dict[str, Any]:
        """The point as JSON-ready values."""
        return {"kind": "real_data", **dataclasses.asdict(self), "widths": list(self.widths)}

    def __str__(self) -> str:
        """The point as code that can be pasted, defaults left out."""
        return _as_code(self)


# Of real data: the infinite-width kernel of a fully connected network, the empirical one of a
# random draw of it, and those of two pretrained networks.
NETWORKS = ("infinite_width", "finite_width", "efficientnet_lite0", "minilm")

Point = Regime | PowerLaw | RealData

_KINDS: dict[str | None, type[Regime] | type[PowerLaw] | type[RealData]] = {
    None: Regime,
    "power_law": PowerLaw,
    "real_data": RealData,
}


def point_of(record: Mapping[str, Any]) -> Point:
    """The point that `as_dict` made a record of.

    Raises: `InputError` when it is none: an unknown kind, a field too many or too few, a value
    outside of its range.
    """
    given = dict(record)
    kind = given.pop("kind", None)
    if kind not in _KINDS:
        known = ", ".join(repr(name) for name in _KINDS if name)
        raise InputError(f"point needs a kind among {known}, or none for a Regime, got {kind!r}.")
    try:
        return _KINDS[kind](**given)
    except TypeError as error:
        name = _KINDS[kind].__name__
        raise InputError(f"point needs the fields of a {name}, got others: {error}.") from None


def point_from_code(text: str) -> Point:
    """The point that its code makes, e.g. "Regime(n=60, d=20, widths=(4,))"; nothing is executed.

    Raises: `InputError` when it is no call of a kind of point with literal arguments by name.
    """
    kinds = {kind.__name__: kind for kind in _KINDS.values()}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("no such call")
        values = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        return kinds[call.func.id](**values)
    except InputError:
        raise
    except (SyntaxError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"point needs code such as Regime(n=60, d=20, widths=(4,)), of a kind among "
            f"{', '.join(kinds)}, with its fields by name, got {text!r} ({error})."
        ) from None

"""Networks, data and Gram matrices of your own: as a `Subject`, and with the claims about it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from ntval import adapters, data
from ntval.arrays import as_float64, float64
from ntval.claims import CLAIMS, Claim
from ntval.claims.claim import ROADS, Subject
from ntval.claims.gram_matrices import entry_rounding, gram_subject
from ntval.data import Data, require_distinct
from ntval.errors import InputError, NetworkError
from ntval.networks import Network
from ntval.regimes import Regime

WIDTHS = (32, 64, 128, 256)


@dataclass(frozen=True)
class NotRun:
    """A claim that does not apply, with the reason."""

    claim: str
    reason: str


def inputs_from(source: Data, shape: tuple[int, ...]):
    """Function of (key, n): n random distinct rows of the data, each of `shape`.

    All of them come in their own order.
    """
    rows = np.asarray(source.x, dtype=np.float64).reshape(len(source.x), *shape)

    def inputs(key, n: int):
        if n > len(rows):
            raise InputError(
                f"data needs at least {n} rows here, got {len(rows)} in {source.name}."
            )
        if n == len(rows):
            return jax.numpy.asarray(rows)
        chosen = jax.random.choice(key, len(rows), (n,), replace=False)
        return jax.numpy.asarray(rows)[chosen]

    return inputs


def network_subject(
    network: Network, source: Data | None, rungs: Mapping[int, Network] = MappingProxyType({})
) -> Subject:
    """Your network at rows of your data, or at uniform inputs on the sphere; `rungs` are the same
    network at growing width.

    Raises: `NetworkError` when the data does not fit, `InputError` when no input shape is known.
    """
    if source is not None:
        network = adapters.fitted(network, source.input_shape)
        inputs = inputs_from(source, network.input_shape or ())
        return _subject(network, inputs, rungs, len(source.x))
    if network.input_shape is None and not adapters.misfit(network, adapters.DEFAULT_SHAPE):
        network = replace(network, input_shape=adapters.DEFAULT_SHAPE)
    if network.input_shape is None:
        raise InputError(
            f"network {network.name!r} needs the shape of one input; pass --data, or wrap it as "
            "Network(..., input_shape=...)."
        )
    shape, d = network.input_shape, math.prod(network.input_shape)
    return _subject(
        network, lambda key, n: data.sphere(key, n, d).reshape(n, *shape), rungs, _MOST_INPUTS
    )


def memory_words(subject: Subject) -> str:
    """What a network of yours will take: parameters, bytes of K and of its Jacobian, the road."""
    network, n = subject.network, subject.inputs_there
    if network.apply_fn is None or network.input_shape is None:
        return ""
    with float64():
        params = adapters.params_shape(network, network.input_shape)
        x = jax.ShapeDtypeStruct((n, *network.input_shape), np.float64)
        outputs = math.prod(jax.eval_shape(network.apply_fn, params, x).shape[1:])
    size = adapters.num_params(params)
    rows = 8 * n * size * outputs
    how = f"road: {'operator' if _too_long(size) else 'jacobian'}"
    if rows > _MEMORY and not _too_long(size):
        how += f", in tiles within {_bytes(_MEMORY)}"
    return (
        f"{size:,} parameters; at {n} inputs K takes {_bytes(8 * n * n)}, its Jacobian "
        f"{_bytes(rows)}; {how}."
    )


_MEMORY = 256 * 2**20  # what `kernels.jacobian` keeps its tiles within


def _too_long(num_params: int) -> bool:
    """Whether not even two rows of a Jacobian fit: K then comes from products alone."""
    return 2 * 8 * num_params > _MEMORY


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


# As many inputs as a claim about all of them is examined at: an eigenvalue problem of a second.
_MOST_INPUTS = 512


def _subject(network: Network, inputs, rungs: Mapping[int, Network], n: int) -> Subject:
    roads = ROADS
    if network.input_shape is not None:
        params = adapters.params_shape(network, network.input_shape)
        if _too_long(adapters.num_params(params)):
            roads = {**ROADS, "jacobian": ROADS["operator"]}
    return Subject(
        network,
        inputs,
        roads,
        rungs=tuple(
            Subject(replace(rung, input_shape=network.input_shape), inputs, own=True, width=width)
            for width, rung in rungs.items()
        ),
        own=True,
        inputs_there=min(n, _MOST_INPUTS),
    )


def claims_for(
    network: Network | None = None,
    source: Data | None = None,
    *,
    rungs: Mapping[int, Network] = MappingProxyType({}),
    claims: Mapping[str, Claim] = CLAIMS,
    profile: str = "quick",
) -> list[tuple[Claim, Regime] | NotRun]:
    """Every claim with its regimes, about your network, your data, both, or ntval's own.

    With data alone, ntval's networks are examined at rows of the data.
    """
    if network is not None:
        return claims_about(network_subject(network, source, rungs), claims=claims, profile=profile)
    found: list[tuple[Claim, Regime] | NotRun] = []
    for claim in claims.values():
        if source is None:
            found += [(claim, regime) for regime in claim.regimes[profile]]
            continue
        d = math.prod(source.input_shape)
        about = _at_inputs(claim, inputs_from(source, (d,)))
        cells = [(about, replace(regime, d=d)) for regime in claim.regimes[profile]]
        subject = about.subject(cells[0][1])
        if subject.grams is not None:
            found.append(NotRun(claim.name, "it is about Gram matrices, not about inputs"))
        else:
            found += _or_reason(claim, subject, cells)
    return found


def claims_about(
    subject: Subject, *, claims: Mapping[str, Claim] = CLAIMS, profile: str = "quick"
) -> list[tuple[Claim, Regime] | NotRun]:
    """Every claim with its regimes, about one subject of your own."""
    d = math.prod(subject.network.input_shape or ())
    found: list[tuple[Claim, Regime] | NotRun] = []
    for claim in claims.values():
        most = subject.inputs_there
        n = (
            most
            if claim.every_input or subject.grams is not None
            else min(most, claim.regimes[profile][0].n)
        )
        cells = [(_about(claim, subject), Regime(n=n, d=d, activation=None))]
        found += _or_reason(claim, subject, cells)
    return found


def _or_reason(claim: Claim, subject: Subject, cells: list) -> list:
    reason = claim.unmet_need(subject)
    return [NotRun(claim.name, reason)] if reason else cells


def _about(claim: Claim, subject: Subject) -> Claim:
    return replace(claim, subject=lambda regime: subject)


def _at_inputs(claim: Claim, inputs) -> Claim:
    def moved(subject: Subject) -> Subject:
        return replace(
            subject, inputs=inputs, own=True, rungs=tuple(moved(rung) for rung in subject.rungs)
        )

    return replace(claim, subject=lambda regime: moved(claim.subject(regime)))


def subject_of(
    model: Any,
    params: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    kernel_fn: Callable | None = None,
    init: Callable | None = None,
    widths: Sequence[int] = WIDTHS,
    name: str | None = None,
) -> Subject:
    """What is examined: the network at its data, with rungs at growing width, or Gram matrices."""
    if x is None and y is not None:
        raise InputError("y needs x, the inputs it belongs to; pass both.")
    if _is_array(model):
        return _of_grams(model, params, x, kernel_fn, init, name)
    source = None if x is None else _data(x, y)
    rungs: dict[int, Network] = {}
    if isinstance(model, str):
        network = adapters.load(model)
    elif init is not None:
        rungs = {width: _rung(model, init, width, name) for width in _widths(widths)}
        network = rungs[max(rungs)]
    else:
        network = adapters.network_from(_with(model, params), name=name)
    if name is not None:
        network = replace(network, name=name)
    if kernel_fn is not None:
        network = replace(network, kernel_fn=_twin(kernel_fn))
    twin = network.kernel_fn
    rungs = {width: replace(rung, kernel_fn=twin) for width, rung in rungs.items()}
    with float64():
        return network_subject(network, source, rungs)


def _is_array(model: Any) -> bool:
    """Whether a Gram matrix was brought: an array of NumPy, JAX, torch or the like."""
    return hasattr(model, "__array__") and hasattr(model, "shape") and not callable(model)


def _of_grams(grams, params, x, kernel_fn, init, name) -> Subject:
    """Gram matrices (n, n) or (draws, n, n), and their reference: an array, or kernel_fn at x."""
    if params is not None or init is not None:
        raise InputError("a Gram matrix has no params and no init; leave them out.")
    dtype = np.asarray(grams).dtype
    grams = as_float64("model", grams)
    grams = grams[None] if grams.ndim == 2 else grams
    if grams.ndim != 3 or grams.shape[1] != grams.shape[2] or 0 in grams.shape:
        raise InputError(
            f"model needs a Gram matrix (n, n), or (draws, n, n) at independent weights, got shape "
            f"{grams.shape}."
        )
    reference = None
    if callable(kernel_fn):
        if x is None:
            raise InputError("kernel_fn needs x, the inputs of the Gram matrix; pass both.")
        with float64():
            reference = _twin(kernel_fn)(_data(x, None).x, None, "ntk")
    elif kernel_fn is not None:
        reference = kernel_fn
    if reference is not None:
        reference = as_float64("kernel_fn", reference)
        if reference.shape != grams.shape[1:]:
            raise InputError(
                f"kernel_fn needs to give a matrix of shape {grams.shape[1:]}, as the Gram matrix "
                f"has, got {reference.shape}."
            )
    rounding = entry_rounding(dtype, _CONTRACTED)
    subject = gram_subject(grams, reference, rounding, own=True)
    return replace(subject, network=replace(subject.network, name=name or "Gram matrix"))


# Parameters that an entry of a Gram matrix brought as such is taken to be a contraction over.
_CONTRACTED = 4096


def _data(x: Any, y: Any) -> Data:
    x = as_float64("x", x)
    if x.ndim < 2 or x.size == 0:
        raise InputError(
            f"x needs shape (n, *input_shape) with n >= 1, got {x.shape}; "
            "a single input of d numbers is x[None], n scalars are x[:, None]."
        )
    require_distinct("x", x)
    if y is not None:
        y = np.asarray(y)
        y = as_float64("y", y if np.issubdtype(y.dtype, np.floating) else y.astype(float))
        if y.shape != (len(x),):
            raise InputError(f"y needs shape ({len(x)},), one value a row of x, got {y.shape}.")
    return Data("x", x, y)


def _with(model: Any, params: Any) -> Any:
    if params is None:
        return model
    if isinstance(model, Network):
        return replace(model, init_fn=None, params=params)
    if isinstance(model, tuple | list) and len(model) == 3:
        return Network(None, model[1], model[2], params=params)
    return (model, params)


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    found = tuple(widths)
    if len(found) < 4 or list(found) != sorted(set(found)) or found[0] < 1:
        raise InputError(
            f"widths needs at least four growing whole numbers, got {widths!r}; "
            f"for instance {WIDTHS}."
        )
    return found


def _rung(model: Any, init: Callable, width: int, name: str | None) -> Network:
    """The network at one width: `init` gives all of it, or weights for `model`."""
    first = init(jax.random.key(0), width)
    name = name or getattr(model, "__name__", None) or "network"
    if adapters.is_network(first):
        return adapters.network_from(lambda key: init(key, width), name=name)
    apply_fn = getattr(model, "apply_fn", None) or getattr(model, "apply", None) or model
    if not callable(apply_fn):
        raise NetworkError(
            f"init needs to return a network, or weights for a model with a forward pass, got "
            f"{type(first).__name__} and model={model!r}."
        )
    network = Network(lambda key, shape: (None, init(key, width)), apply_fn)
    return adapters.network_from(network, name=name)


def _twin(kernel_fn: Callable) -> Callable:
    """`kernel_fn` as one of (x1, x2, get); a function of (x1, x2) is its NTK."""
    if not callable(kernel_fn):
        raise InputError(
            f"kernel_fn needs a function kernel_fn(x1, x2, get), got {type(kernel_fn).__name__}."
        )
    try:
        parameters = inspect.signature(kernel_fn).parameters
    except (TypeError, ValueError):
        return kernel_fn
    takes_get = "get" in parameters or any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    if takes_get or len(parameters) >= 3:
        return kernel_fn

    def twin(x1, x2=None, get="ntk"):
        return kernel_fn(x1, x1 if x2 is None else x2)

    return twin

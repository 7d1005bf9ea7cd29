"""A user's network as a subject."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import float64
from ntval.data import spheres
from ntval.data.sets import Data
from ntval.errors import InputError, NetworkError
from ntval.kernels.methods import METHODS, Method
from ntval.networks import loading, structure
from ntval.networks.network import Network, num_params
from ntval.subjects.inputs import inputs_from
from ntval.subjects.subject import Ladder, NetworkSubject


def network_subject(
    network: Network, source: Data | None, rungs: Mapping[int, Network] = MappingProxyType({})
) -> NetworkSubject:
    """A user's network at rows of the user's data, or at uniform inputs on the sphere; `rungs` are
    the same network at growing width.

    Raises: `NetworkError` when the data does not fit, `InputError` when no input shape is known.
    """
    if source is not None:
        network = loading.fitted(network, source.input_shape, source.integers)
        rungs = {
            width: loading.fitted(rung, source.input_shape, source.integers)
            for width, rung in rungs.items()
        }
        inputs = inputs_from(source, network.input_shape or ())
        n = min(len(source.x), MOST_INPUTS)
        subject = _subject(network, inputs, rungs, n, any_input=False)
        return replace(subject, note=f"{subject.note} {source.note}".rstrip())
    if network.input_shape is None and not loading.misfit(network, loading.DEFAULT_SHAPE):
        network = replace(network, input_shape=loading.DEFAULT_SHAPE)
    if network.input_shape is None:
        if reason := loading.training_mode(network):
            raise NetworkError(
                f"network {network.name!r} needs inference mode, got {reason}. If it is in that, "
                "pass x (--data on the command line): no flat input fits it."
            )
        raise InputError(
            f"network {network.name!r} needs the shape of one input; pass x (--data on the command "
            "line), or wrap it as Network(..., input_shape=...)."
        )
    shape, d = network.input_shape, math.prod(network.input_shape)
    return _subject(
        network,
        lambda key, n: spheres.sphere(key, n, d).reshape(n, *shape),
        rungs,
        MOST_INPUTS,
        any_input=True,
    )


# As many inputs as a claim about all of them is examined at: an eigenvalue problem of a second.
MOST_INPUTS = 512
_MEMORY = 256 * 2**20  # what `kernels.jacobian` keeps its tiles within


def _subject(
    network: Network,
    inputs: Callable[[Array, int], Float[Array, "n *shape"]],
    rungs: Mapping[int, Network],
    n: int,
    *,
    any_input: bool,
) -> NetworkSubject:
    shape = network.input_shape or ()
    params = loading.params_shape(network, shape)
    size = num_params(params)
    methods = _methods(network, params, size)
    too_long = methods["jacobian"] is METHODS["operator"]
    wider = tuple(
        NetworkSubject(
            replace(rung, input_shape=shape),
            inputs,
            from_user=True,
            any_input=any_input,
            num_inputs=n,
        )
        for rung in rungs.values()
    )
    return NetworkSubject(
        network,
        inputs,
        methods,
        ladder=Ladder("width", tuple(rungs), wider) if rungs else None,
        from_user=True,
        any_input=any_input,
        num_inputs=n,
        note=_memory_note(network, params, size, n, too_long)
        + (NO_FORWARD_MODE if methods["operator"] is METHODS["jacobian"] else "")
        + (_shape_note(shape) if any_input else "")
        + _precision_note(network, params, shape)
        + _held_note(network, shape),
    )


NO_FORWARD_MODE = " Without forward-mode derivatives (jax.custom_vjp), so not by the operator."


def _methods(network: Network, params: Any, size: int) -> Mapping[str, Method]:
    """The methods by name; in the place of one that cannot compute K, the one that is left."""

    def traced(name: str) -> bool:
        x = jax.ShapeDtypeStruct((2, *(network.input_shape or ())), np.float64)
        try:
            jax.eval_shape(functools.partial(METHODS[name], network), params, x)
        except TypeError:
            return False
        except Exception:  # a user's rule may raise anything: the claim that meets it tells where
            pass
        return True

    with float64():
        forward_mode = traced("operator") or not traced("jacobian")
    if not forward_mode:
        return {**METHODS, "operator": METHODS["jacobian"]}
    # Where not even two rows of a Jacobian fit, K comes from products alone.
    too_long = 2 * 8 * size > _MEMORY
    return {**METHODS, "jacobian": METHODS["operator"]} if too_long else METHODS


def _memory_note(network: Network, params: Any, size: int, n: int, too_long: bool) -> str:
    """What a user's network will take: parameters, bytes of K and of its Jacobian, the method."""
    with float64():
        x = jax.ShapeDtypeStruct((n, *(network.input_shape or ())), np.float64)
        outputs = math.prod(jax.eval_shape(network.apply_fn, params, x).shape[1:])
    rows = 8 * n * size * outputs
    how = f"method: {'operator' if too_long else 'jacobian'}"
    if rows > _MEMORY and not too_long:
        how += f", in tiles within {_bytes(_MEMORY)}"
    return (
        f"{size:,} parameters; at {n} inputs K takes {_bytes(8 * n * n)}, its Jacobian "
        f"{_bytes(rows)}; {how}."
    )


def _shape_note(shape: tuple[int, ...]) -> str:
    """What is fed to a network whose user passed no inputs."""
    return f" Inputs are uniform on the sphere, of shape {shape}: pass x (--data) for yours."


def _precision_note(network: Network, params: Any, shape: tuple[int, ...]) -> str:
    """The precision that the forward pass meets, where it is below float64."""
    x = jax.ShapeDtypeStruct((2, *shape), np.float64)
    lowest = structure.lowest_precision(network.apply_fn, params, x)
    return "" if lowest == np.float64 else f" Computes in {lowest.name}, and is judged by that."


def _held_note(network: Network, shape: tuple[int, ...]) -> str:
    """What is differentiated, where a part of what the user passed is not."""
    with float64():
        held = loading.held_constant(network, shape)
    return f" Differentiated: params; held constant: {held}." if held else ""


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"

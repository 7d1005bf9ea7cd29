"""A function without one of the things that part its derivative from its values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core as core
import jax.numpy as jnp

from ntval.networks.origins import bodies_of

_CALLS = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat", "remat2"}
_RULES = {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
_ROUNDING = {"round", "floor", "ceil"}
# Takes an equation and its operands; gives its outputs, or None to leave it as it is.
Change = Callable[[Any, Sequence[Any]], list[Any] | None]


def without_rules(eqn: Any, operands: Sequence[Any]) -> list[Any] | None:
    """Custom derivative rules are left out: the derivative is that of the operations inside."""
    if eqn.primitive.name not in _RULES:
        return None
    (body,) = bodies_of([eqn.params.get("call_jaxpr", eqn.params.get("fun_jaxpr"))])
    consts = getattr(eqn.params.get("call_jaxpr", eqn.params.get("fun_jaxpr")), "consts", ())
    return _evaluated(body, consts, operands, without_rules)


def without_stops(eqn: Any, operands: Sequence[Any]) -> list[Any] | None:
    """`stop_gradient` is left out."""
    return list(operands) if eqn.primitive.name == "stop_gradient" else None


def without_rounding(eqn: Any, operands: Sequence[Any]) -> list[Any] | None:
    """Rounding to whole numbers, and casts to integers, are left out."""
    name = eqn.primitive.name
    if name in _ROUNDING:
        return list(operands)
    if name == "convert_element_type" and jnp.issubdtype(operands[0].dtype, jnp.floating):
        to_integers = jnp.issubdtype(eqn.params["new_dtype"], jnp.integer)
        return list(operands) if to_integers else None
    return None


def rewritten(function: Callable, change: Change) -> Callable:
    """`function` of one array, of which every operation is changed by `change`, in calls as well;
    what loops and branches do inside is left as it is.

    Raises: what tracing it raises, or operations that do not take what `change` hands them.
    """

    def changed(argument: Any) -> Any:
        closed = jax.make_jaxpr(function)(argument)
        (value,) = _evaluated(closed.jaxpr, closed.consts, [argument], change)
        return value

    return changed


def _evaluated(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any], change: Change) -> list[Any]:
    """Outputs of a jaxpr, operation by operation."""
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))

    def value(var: Any) -> Any:
        if not isinstance(var, core.Literal):
            return values[var]
        aval: Any = var.aval
        return jnp.asarray(var.val, aval.dtype)

    for eqn in jaxpr.eqns:
        operands = [value(var) for var in eqn.invars]
        outs = change(eqn, operands)
        if outs is None and eqn.primitive.name in _CALLS:
            closed = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
            (body,) = bodies_of([closed])
            outs = _evaluated(body, getattr(closed, "consts", ()), operands, change)
        if outs is None:
            inputs = {var: value(var) for var in eqn.invars if not isinstance(var, core.Literal)}
            alone = jaxpr.replace(
                constvars=[],
                invars=[*inputs],
                outvars=eqn.outvars,
                eqns=[eqn],
            )
            outs = core.jaxpr_as_fun(core.ClosedJaxpr(alone, ()))(*inputs.values())
        values.update(zip(eqn.outvars, outs, strict=True))
    return [value(var) for var in jaxpr.outvars]

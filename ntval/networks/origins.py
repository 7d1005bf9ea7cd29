"""What every value of a network's forward pass depends on, read off its jaxpr.

Nothing is computed. The walk enters calls, custom derivatives, branches and loops; a loop is
walked until the origins of what it carries no longer change.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.extend.core as core
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

# A leaf of the parameters by its number, followed by the slices that were taken of it. Of a leaf
# that a loop takes apart, a step has the slice "now", and what it is handed has those "before".
Leaf = tuple[Any, ...]


@dataclass(frozen=True)
class Origin:
    """What a value depends on.

    `x`: whether on the input; `floats`: whether on input or parameters by floating-point values
    all the way; `leaves`: the leaves of the parameters that it depends on; `matrices`: those that
    have multiplied what depends on x as matrices, and the slices that were taken of the products.
    """

    x: bool = False
    floats: bool = False
    leaves: frozenset[Leaf] = frozenset()
    matrices: frozenset[Leaf] = frozenset()

    def __or__(self, other: Origin) -> Origin:
        return Origin(
            self.x or other.x,
            self.floats or other.floats,
            self.leaves | other.leaves,
            self.matrices | other.matrices,
        )


NOTHING = Origin()
# What is called with every equation, the origins of its operands and those of its outputs.
Note = Callable[[Any, list[Origin], list[Origin]], None]

MATRIX_PRODUCTS = {"dot_general", "conv_general_dilated", "ragged_dot_general", "ragged_dot"}
_SLICES = {"slice", "split", "dynamic_slice", "gather"}
_MOST_SLICES = 3  # of one leaf: a loop that slices what it carries would go on without end


def read(apply_fn: Callable, params: Any, x: Any, note: Note, *, dtype: npt.DTypeLike) -> None:
    """Notes every equation of `apply_fn(params, x)` that its output depends on.

    `params` and `x` are arrays or shapes; those in float64 are taken as `dtype`.
    Raises: what the forward pass raises when it is traced.
    """

    def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
        own = jnp.result_type(leaf)
        return jax.ShapeDtypeStruct(jnp.shape(leaf), np.dtype(dtype) if own == np.float64 else own)

    params, x = jax.tree.map(shape_of, params), shape_of(x)
    leaves = [
        Origin(floats=is_float(leaf), leaves=frozenset({(number,)}))
        for number, leaf in enumerate(jax.tree.leaves(params))
    ]
    jaxpr = jax.make_jaxpr(apply_fn)(params, x).jaxpr
    _walk(jaxpr, [*leaves, Origin(x=True, floats=is_float(x))], note)


def is_float(aval: Any) -> bool:
    """Whether a value has a floating dtype, real or complex."""
    return hasattr(aval, "dtype") and jnp.issubdtype(aval.dtype, jnp.inexact)


def _walk(jaxpr: Any, origins: Sequence[Origin], note: Note) -> list[Origin]:
    """Origins of the outputs of a jaxpr, given those of its inputs."""
    known = dict(zip(jaxpr.invars, origins, strict=True))

    def origin(var: Any) -> Origin:
        return NOTHING if isinstance(var, core.Literal) else known.get(var, NOTHING)

    for eqn in _needed(jaxpr):
        operands = [origin(var) for var in eqn.invars]
        outs = [
            replace(out, floats=out.floats and is_float(var.aval))
            for var, out in zip(eqn.outvars, _outputs(eqn, operands, note), strict=True)
        ]
        note(eqn, operands, outs)
        known.update(zip(eqn.outvars, outs, strict=True))
    return [origin(var) for var in jaxpr.outvars]


def _needed(jaxpr: Any) -> list[Any]:
    """The equations that an output depends on; of a call or a loop, every output counts."""
    needed = {var for var in jaxpr.outvars if not isinstance(var, core.Literal)}
    eqns = []
    for eqn in reversed(jaxpr.eqns):
        if needed.intersection(eqn.outvars):
            needed.update(var for var in eqn.invars if not isinstance(var, core.Literal))
            eqns.append(eqn)
    return eqns[::-1]


def _outputs(eqn: Any, operands: list[Origin], note: Note) -> list[Origin]:
    """Origins of the outputs of one equation."""
    name, params, number = eqn.primitive.name, eqn.params, len(eqn.outvars)
    if name == "scan":
        consts, carried = params["num_consts"], params["num_consts"] + params["num_carry"]
        steps = [
            replace(xs, leaves=frozenset((*leaf, "now") for leaf in xs.leaves))
            for xs in operands[carried:]
        ]
        return _loop(params["jaxpr"], operands[:consts], operands[consts:carried], steps, note)
    if name == "while":
        first = params["cond_nconsts"]
        second = first + params["body_nconsts"]
        carry = _loop(params["body_jaxpr"], operands[first:second], operands[second:], [], note)
        _walk(params["cond_jaxpr"].jaxpr, operands[:first] + carry, note)
        return carry
    everything = functools.reduce(operator.or_, operands, NOTHING)
    if bodies := bodies_of(list(params.values())):
        index, inputs = (operands[0], operands[1:]) if name == "cond" else (NOTHING, operands)
        outs = [index] * number
        for body in bodies:
            fits = (len(body.invars), len(body.outvars)) == (len(inputs), number)
            found = _walk(body, inputs if fits else [everything] * len(body.invars), note)
            found = found if fits else [everything] * number
            outs = [out | other for out, other in zip(outs, found, strict=True)]
        return outs
    if name in MATRIX_PRODUCTS and everything.x:
        weights = [operand.leaves for operand in operands if not operand.x]
        everything = replace(everything, matrices=everything.matrices.union(*weights))
    if name in _SLICES:
        return [_sliced(eqn, operands, everything, index) for index in range(number)]
    return [everything] * number


def _loop(
    body: Any, consts: list[Origin], carry: list[Origin], steps: list[Origin], note: Note
) -> list[Origin]:
    """Origins of what a loop carries, and of what it stacks."""
    now = {leaf for origin in steps for leaf in origin.leaves}

    def before(leaves: frozenset[Leaf]) -> frozenset[Leaf]:
        return frozenset(_before(leaf, now) for leaf in leaves)

    while True:
        outs = _walk(body.jaxpr, [*consts, *carry, *steps], note)
        joined = [
            one | replace(other, leaves=before(other.leaves), matrices=before(other.matrices))
            for one, other in zip(carry, outs[: len(carry)], strict=True)
        ]
        if joined == carry:
            return joined + outs[len(carry) :]
        carry = joined


def _before(leaf: Leaf, now: set[Leaf]) -> Leaf:
    """A weight of one step, as the next steps see it."""
    for own in now:
        if leaf[: len(own)] == own:
            return (*own[:-1], "before", *leaf[len(own) :])
    return leaf


def bodies_of(value: Any) -> list[Any]:
    """The jaxprs among the parameters of an equation."""
    if isinstance(value, core.ClosedJaxpr):
        return [value.jaxpr]
    if isinstance(value, core.Jaxpr):
        return [value]
    if isinstance(value, tuple | list):
        return [body for part in value for body in bodies_of(part)]
    return []


def _sliced(eqn: Any, operands: list[Origin], everything: Origin, index: int) -> Origin:
    """A slice: a part of a weight is a weight of its own, as is a part of a matrix product.

    Rows of a weight that x chooses, as of tokens, are a product with that matrix.
    """
    sliced, *starts = operands
    where = (
        eqn.primitive.name,
        index,
        str(sorted((name, str(value)) for name, value in eqn.params.items())),
        *(str(v) if isinstance(v, core.Literal) else id(v) for v in eqn.invars[1:]),
    )
    if not everything.x:
        refined = {
            leaf if where in leaf or len(leaf) > _MOST_SLICES else (*leaf, where)
            for leaf in sliced.leaves
        }
        return replace(everything, leaves=frozenset(refined).union(*(o.leaves for o in starts)))
    if not sliced.x:
        return replace(everything, matrices=everything.matrices | sliced.leaves)
    if not sliced.matrices:
        return everything
    return replace(everything, matrices=everything.matrices | {("part", where)})

"""What the forward pass of a network says about the network, read without computing it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from ntval.arrays import AnyArray, float64
from ntval.networks.origins import MATRIX_PRODUCTS, Origin, bodies_of, is_float, read

_PRODUCTS = {
    *MATRIX_PRODUCTS,
    "mul",
    "div",
    "pow",
    "scatter-mul",
    "scatter_mul",
    "triangular_solve",
}
# Kernels in other languages, of which nothing is known: they may multiply.
_OPAQUE = {"pallas_call", "ffi_call", "pure_callback", "dot_product_attention_fwd_wrapper"}

# Words in the names of `jax.lax.DotAlgorithmPreset`; TF32 rounds to the 10 bits of float16.
_ALGORITHMS = {
    "F8": "float8_e5m2",
    "BF16": "bfloat16",
    "F16": "float16",
    "TF32": "float16",
    "F32": "float32",
}
_BY_BITS = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


def lowest_precision(
    apply_fn: Callable, params: Any, x: Shaped[AnyArray, "n *shape"] | jax.ShapeDtypeStruct
) -> np.dtype:
    """The floating dtype of lowest precision on the way from `params` and `x` to the output.

    `params` and `x` are arrays or shapes in float64; one in less counts itself. Counted are the
    values that depend on them by floating-point values all the way: no constants, no masks.
    `reduce_precision` counts as the dtype of as many bits, a product with a stated algorithm as
    what that rounds to. The dtype may be one that `jnp.finfo` knows and `np.finfo` does not:
    bfloat16, float8.

    Accuracy: blind to rounding that no dtype shows. That is the default precision of a device's
    products in float32, what kernels in other languages and derivatives of a custom_vjp do inside,
    and numbers that were rounded before they were passed.
    Never raises. A forward pass that cannot be traced in float64, such as one that carries float32
    through a loop, is traced in float32. One that cannot be traced at all gives float64: it cannot
    be differentiated either.
    """
    found: list[np.dtype] = []

    def note(eqn: Any, operands: list[Origin], outs: list[Origin]) -> None:
        inputs = zip(eqn.invars, operands, strict=True)
        for var, origin in (*inputs, *zip(eqn.outvars, outs, strict=True)):
            if origin.floats and is_float(var.aval):
                found.append(jnp.finfo(var.aval.dtype).dtype)
        if any(origin.floats for origin in outs):
            found.extend(_rounded_to(eqn))

    for dtype in (np.float64, np.float32):
        try:
            with float64():
                read(apply_fn, params, x, note, dtype=dtype)
        except Exception:  # whatever a user's forward pass raises
            found = [np.dtype(np.float32)]
        else:
            return max(found, key=_eps, default=np.dtype(np.float64))
    return np.dtype(np.float64)


def _eps(dtype: np.dtype) -> float:
    return float(jnp.finfo(dtype).eps)


def _rounded_to(eqn: Any) -> list[np.dtype]:
    """The dtypes that an equation rounds to inside."""
    if eqn.primitive.name == "reduce_precision":
        bits = eqn.params["mantissa_bits"]
        fitting = [name for name in _BY_BITS if jnp.finfo(name).nmant <= bits]
        return [jnp.dtype((fitting or _BY_BITS[-1:])[0])]
    algorithm = eqn.params.get("precision")
    if hasattr(algorithm, "lhs_precision_type"):
        types = (
            algorithm.lhs_precision_type,
            algorithm.rhs_precision_type,
            algorithm.accumulation_type,
        )
        return [jnp.finfo(dtype).dtype for dtype in types]
    words = str(getattr(algorithm, "name", "")).split("_")
    return [jnp.dtype(_ALGORITHMS[word]) for word in words if word in _ALGORITHMS]


def multiplies_branches(
    apply_fn: Callable, params: Any, x: Shaped[AnyArray, "n *shape"] | jax.ShapeDtypeStruct
) -> bool:
    """Whether the network multiplies branches of different weights, or uses a weight repeatedly.

    The bias of the mean kernel at finite width is derived for networks in which every layer
    multiplies by one random matrix with independent entries. For products of several it is 1.4 to
    2.3 times larger (measured: attention, products of branches); for repeated weights nothing is
    derived.

    `params` and `x` are arrays or shapes. True when both factors of a product depend on x, and
    behind different matrices, different slices of one matrix's product, or each on a leaf of
    `params` that the other does not depend on: attention, gates, products of branches. Factors of
    GELU, softmax and LayerNorm are behind the same matrices, and a raw parameter that scales does
    not depend on x.
    True, too, when a weight multiplies what is behind the same weight, and when the steps of a
    loop share parameters and hand on what they made of x: tied weights, recurrent networks.

    Accuracy: cautious. True for sums that a loop collects with shared parameters, for products of
    values at different positions, for factors of which one skips a layer, for kernels in other
    languages. Not seen are products written as sums of logarithms, branches that are chosen
    instead of multiplied by `lax.cond`, and products of matrices before they meet x.
    Never raises: a forward pass that cannot be traced gives True.
    """
    found: list[bool] = []

    def note(eqn: Any, operands: list[Origin], outs: list[Origin]) -> None:
        found.append(_multiplies(eqn.primitive.name, operands) or _repeats(eqn, operands, outs))

    try:
        with float64():
            read(apply_fn, params, x, note, dtype=np.float64)
    except Exception:  # whatever a user's forward pass raises
        return True
    return any(found)


def _multiplies(name: str, operands: list[Origin]) -> bool:
    """Whether an operation multiplies branches of different weights."""
    if name in ("reduce_prod", "cumprod"):
        return bool(operands[0].x and operands[0].matrices)
    if name == "select_n":  # a choice by what depends on x is a product with 0 and 1
        return any(_differ(operands[0], case) for case in operands[1:])
    known = name in _PRODUCTS or name in _OPAQUE
    return known and any(_differ(*pair) for pair in itertools.combinations(operands, 2))


def _differ(one: Origin, other: Origin) -> bool:
    if not (one.x and other.x):
        return False
    if one.matrices and other.matrices and one.matrices != other.matrices:
        return True
    return bool(one.leaves - other.leaves and other.leaves - one.leaves)


def _repeats(eqn: Any, operands: list[Origin], outs: list[Origin]) -> bool:
    """Whether an operation uses a weight again behind that weight."""
    name, params = eqn.primitive.name, eqn.params
    if name in MATRIX_PRODUCTS:
        weights = {leaf for origin in operands if not origin.x for leaf in origin.leaves}
        behind = {leaf for origin in operands if origin.x for leaf in origin.matrices}
        return bool(weights & behind)
    if name == "scan":
        shared, carried = operands[: params["num_consts"]], outs[: params["num_carry"]]
    elif name == "while":
        consts = params["cond_nconsts"]
        shared, carried = operands[consts : consts + params["body_nconsts"]], outs
    else:
        return False
    used = any(origin.leaves and not origin.x for origin in (*shared, *carried))
    return used and any(origin.leaves and origin.x for origin in carried)


_SUMS = {"add", "add_any", "sub"}


def biases(
    apply_fn: Callable, params: Any, x: Shaped[AnyArray, "n *shape"] | jax.ShapeDtypeStruct
) -> frozenset[int]:
    """The leaves of `params`, by their numbers, that are added to what depends on x, and do nothing
    else to it: biases, shifts of normalizations, embeddings of places; whatever their shape.

    A weight is multiplied with what depends on x, be it a head of shape (1, width) or a scale of
    shape (width,). The other operations that a leaf meets on its way, as by a constant or by
    another leaf, are not asked about.

    Never raises: a forward pass that cannot be traced has none.
    """
    added: set[int] = set()
    otherwise: set[int] = set()

    def note(eqn: Any, operands: list[Origin], outs: list[Origin]) -> None:
        if bodies_of(list(eqn.params.values())) or not any(origin.x for origin in operands):
            return  # what a call does is noted inside
        met = {leaf[0] for origin in operands if not origin.x for leaf in origin.leaves}
        (added if eqn.primitive.name in _SUMS else otherwise).update(met)

    try:
        with float64():
            read(apply_fn, params, x, note, dtype=np.float64)
    except Exception:  # whatever a user's forward pass raises
        return frozenset()
    return frozenset(added - otherwise)

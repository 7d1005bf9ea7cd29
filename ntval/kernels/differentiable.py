"""Validation of an `apply_fn` and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from ntval.arrays import AnyArray
from ntval.errors import InputError, NetworkError

Outputs = Literal["trace", "full"] | int
# The tree and, leaf by leaf, whether it is differentiated.
Structure = tuple[Any, tuple[bool, ...]]


def float64_params(params: Any) -> Any:
    """`params` with floating leaves in float64, all leaves as arrays.

    Raises: `NetworkError`, naming the leaf, on a leaf that is no real array or not finite, and
    when no leaf is floating.
    """
    paths, treedef = jax.tree_util.tree_flatten_with_path(params)
    leaves = [_float64_leaf("params" + jax.tree_util.keystr(path), leaf) for path, leaf in paths]
    if not any(_is_floating(leaf) for leaf in leaves):
        got = ", ".join(sorted({str(leaf.dtype) for leaf in leaves})) or "no leaves"
        raise NetworkError(
            f"params needs a floating-point leaf to differentiate by, got {got}; "
            "pass the trainable parameters."
        )
    return treedef.unflatten(leaves)


def partition(params: Any) -> tuple[list[AnyArray], list[Any], Structure]:
    """The leaves to differentiate by, those held constant, and what `merge` needs to undo it."""
    leaves, treedef = jax.tree.flatten(params)
    floating = tuple(_is_floating(leaf) for leaf in leaves)
    theta = [leaf for leaf, differentiated in zip(leaves, floating, strict=True) if differentiated]
    held = [
        leaf for leaf, differentiated in zip(leaves, floating, strict=True) if not differentiated
    ]
    return theta, held, (treedef, floating)


def merge(structure: Structure, theta: list[AnyArray], held: list[Any]) -> Any:
    """The tree that `partition` took apart."""
    treedef, floating = structure
    theta_leaves, held_leaves = iter(theta), iter(held)
    return treedef.unflatten(
        [next(theta_leaves if differentiated else held_leaves) for differentiated in floating]
    )


def raveled(params: Any) -> tuple[Float[Array, "p"], Callable[[Float[Array, "p"]], Any]]:
    """The parameters in one vector, and the function that makes `params` of such a vector; leaves
    that are not floating, such as counters and keys, keep their values and are no part of it."""
    theta, held, structure = partition(params)
    flat, unravel = ravel_pytree(theta)
    return flat, lambda vector: merge(structure, unravel(vector), held)


def outputs_of(apply_fn: Callable, params: Any, x: Float[AnyArray, "n *shape"]) -> int:
    """Number of outputs of `apply_fn`, found from shapes alone.

    Raises: `NetworkError` when it raises or does not return (n, outputs) or (n,) floats.
    """
    needs = f"apply_fn needs to map x of shape {x.shape} to outputs of shape ({len(x)}, outputs)"
    try:
        y = jax.eval_shape(apply_fn, params, x)
    except Exception as error:
        raise NetworkError(
            f"{needs}, got {type(error).__name__}: {error}; "
            "check it by apply_fn(params, x), x with a leading sample axis."
        ) from error
    if not hasattr(y, "shape"):
        raise NetworkError(f"{needs}, got a {type(y).__name__}; return the outputs alone.")
    if len(y.shape) not in (1, 2) or y.shape[0] != len(x) or 0 in y.shape:
        raise NetworkError(
            f"{needs}, got {y.shape}; keep the sample axis first and flatten the others."
        )
    if not jnp.issubdtype(y.dtype, jnp.floating):
        raise NetworkError(
            f"{needs} in floating point, got dtype {y.dtype}; return logits, not classes."
        )
    return y.shape[1] if len(y.shape) == 2 else 1


def require_outputs(outputs: Outputs | str, num_outputs: int) -> Outputs:
    """`outputs` as it is.

    Raises: `InputError` unless it is "trace", "full" or the index of an output.
    """
    if outputs in ("trace", "full"):
        return outputs
    if isinstance(outputs, bool | str) or not isinstance(outputs, int | np.integer):
        raise InputError(f"outputs needs 'trace', 'full' or an index, got {outputs!r}.")
    if not 0 <= outputs < num_outputs:
        raise InputError(f"outputs needs an index in [0, {num_outputs}), got {outputs}.")
    return int(outputs)


def _float64_leaf(name: str, leaf) -> Array:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf
    array = np.asarray(leaf)
    if jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise NetworkError(
                f"{name} needs finite entries, got {array[~np.isfinite(array)][0]}; "
                "lower the learning rate or draw anew."
            )
    elif not jnp.issubdtype(array.dtype, jnp.integer) and array.dtype != bool:
        raise NetworkError(
            f"{name} needs a real array, got {type(leaf).__name__} of dtype {array.dtype}; "
            "close over it in apply_fn."
        )
    return jnp.asarray(array)


def _is_floating(leaf) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def require_finite(what: str, values: Float[np.ndarray, "n ..."], start: int) -> None:
    """Raises: `NetworkError` unless `values`, one entry a row of x from `start`, are finite."""
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        raise not_finite(what, f"at x[{start + int(np.argmin(finite))}]")


def not_finite(what: str, where: str) -> NetworkError:
    """The error of a network whose values or derivatives are not finite somewhere."""
    has_none = ", or mend what has none there, as a norm at 0" * (what == "derivatives")
    return NetworkError(
        f"apply_fn needs finite {what}, got others {where}; rescale the inputs or the "
        f"parameters{has_none}."
    )

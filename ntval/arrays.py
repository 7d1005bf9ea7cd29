"""Arrays: float64 without touching global flags, rounding allowances, and validation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, Float

from ntval.errors import GramError, InputError

# An array of JAX or of NumPy.
AnyArray = Array | np.ndarray
# What NumPy makes an array of. `Float[AnyArray, "n n"] | ArrayLike` says a shape that the function
# checks by itself, in its own words.
ArrayLike = Any

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2


def float64() -> AbstractContextManager[None]:
    """Context in which JAX computes in float64, compiles, and broadcasts over ranks, whatever the
    caller's flags are; they come back on exit."""
    return _x64(enabled=True)


def float32() -> AbstractContextManager[None]:
    """Context in which JAX computes in float32 as it does for most: numbers of NumPy's float64, as
    constants of a network are, become float32. The caller's flags come back on exit."""
    return _x64(enabled=False)


@contextlib.contextmanager
def _x64(*, enabled: bool) -> Iterator[None]:
    enable_x64 = getattr(jax, "enable_x64", None)
    if enable_x64 is None:  # jax < 0.8
        from jax.experimental import enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    with enable_x64(enabled), jax.numpy_rank_promotion("allow"), jax.disable_jit(False):
        yield


def rounding_allowance(operations: float, *, dtype: npt.DTypeLike = np.float64) -> float:
    r"""Relative error that `operations` successive roundings can cause.

    $$\gamma_m = \frac{m u}{1 - m u}$$

    with $u$ the unit roundoff of `dtype`.

    Source: Higham (2002), Lemma 3.1 (recalled).
    Raises: `InputError` when $m u \ge 1$: there is no bound then.
    """
    unit = float(jnp.finfo(dtype).eps) / 2  # NumPy has none of bfloat16
    if operations * unit >= 1:
        raise InputError(
            f"rounding_allowance needs operations * u < 1, got operations={operations:g} "
            f"in {jnp.dtype(dtype)}; use a wider dtype."
        )
    return operations * unit / (1 - operations * unit)


def rounding_or_all(operations: float, dtype: npt.DTypeLike) -> float:
    """`rounding_allowance`, or 1, all of the quantity, where so many operations leave nothing."""
    unit = float(jnp.finfo(dtype).eps)
    return rounding_allowance(operations, dtype=dtype) if operations * unit < 1 else 1.0


def as_float64(
    name: str, value: ArrayLike, *, way_out: str = "remove or impute such entries"
) -> Float[np.ndarray, "..."]:
    """`value` as a NumPy float64 array, refused when it is not finite floating point; `way_out`
    is what the message advises then.

    NumPy, since outside of `float64()` JAX would silently make it float32.

    Raises: `InputError` on non-numeric, integer, complex, NaN or infinite input.
    """
    array = np.asarray(value)
    if array.dtype == object:
        raise InputError(
            f"{name} needs a numeric array, got dtype object; stack it into one array."
        )
    if not (np.issubdtype(array.dtype, np.floating) or array.dtype == jnp.bfloat16):
        raise InputError(
            f"{name} needs floating-point entries, got dtype {array.dtype}; "
            f"convert it, e.g. {name}.astype(float)."
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"{name} needs finite entries, got {array[where]} at index {list(where)}; {way_out}."
        )
    return array


def require_inputs(
    x1: ArrayLike, x2: ArrayLike | None = None
) -> tuple[Float[np.ndarray, "n1 *shape"], Float[np.ndarray, "n2 *shape"] | None]:
    """Kernel inputs (n1, *shape) and (n2, *shape) in NumPy float64; `x2` stays None.

    Raises: `InputError` on rank < 2, no rows, unlike dtypes or unlike input shapes.
    """
    first = _require_rows("x1", x1)
    if x2 is None:
        return first, None
    if np.asarray(x1).dtype != np.asarray(x2).dtype:
        raise InputError(
            f"x1 and x2 need one dtype, got {np.asarray(x1).dtype} and {np.asarray(x2).dtype}; "
            "cast one of them."
        )
    second = _require_rows("x2", x2)
    if first.shape[1:] != second.shape[1:]:
        raise InputError(
            f"x1 and x2 need rows of one shape, got {first.shape[1:]} and {second.shape[1:]}; "
            "give both the same features."
        )
    return first, second


def _require_rows(name: str, value: ArrayLike) -> Float[np.ndarray, "n *shape"]:
    array = as_float64(name, value)
    if array.ndim < 2:
        raise InputError(
            f"{name} needs shape (n, d), got {array.shape}; reshape it, e.g. {name}[:, None]."
        )
    if 0 in array.shape:
        raise InputError(f"{name} needs n >= 1 and d >= 1, got shape {array.shape}; add rows.")
    return array


def require_gram(name: str, gram: ArrayLike) -> Float[np.ndarray, "n n"]:
    """`gram` as a symmetric float64 array.

    Asymmetry below the rounding of n-term inner products is averaged away.
    Raises: `InputError` on entries that are not finite floats, `GramError` on a matrix that is
    not square or not symmetric.
    """
    matrix = as_float64(name, gram)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise GramError(f"{name} needs shape (n, n) with n >= 1, got {matrix.shape}.")
    asymmetry = np.abs(matrix - matrix.T)
    unit = float(jnp.finfo(np.asarray(gram).dtype).eps)
    allowed = max(unit / 2, UNIT_ROUNDOFF) * (len(matrix) + 1) * np.abs(matrix).max()
    if asymmetry.max() > allowed:
        i, j = np.unravel_index(asymmetry.argmax(), matrix.shape)
        raise GramError(
            f"{name} needs a symmetric matrix, got {matrix[i, j]:.6g} at [{i}, {j}] and "
            f"{matrix[j, i]:.6g} at [{j}, {i}]; pass (K + K.T) / 2 if the difference is intended."
        )
    return (matrix + matrix.T) / 2

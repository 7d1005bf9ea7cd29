r"""Empirical NTK of any `apply_fn`, by tiled contraction of its Jacobian in bounded memory.

Each row of the Jacobian is made by applying `apply_fn` to a batch of one. A network that couples
the samples of a batch (batch normalization in training mode) is therefore seen here as it acts on
single samples; `operator` applies it to the whole batch, and `kernel_identities.batch_independence`
is the claim that tells the two apart.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval import arrays
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import InputError, NetworkError
from ntval.kernels.differentiable import (
    Outputs,
    Structure,
    float64_params,
    merge,
    outputs_of,
    partition,
    require_finite,
    require_outputs,
)
from ntval.kernels.inputs import symmetric

# Samples of the block that is held for one of those that pass by it.
_TALLNESS = 8


def ntk(
    apply_fn: Callable,
    params: Any,
    x1: Float[AnyArray, "n1 *shape"] | ArrayLike,
    x2: Float[AnyArray, "n2 *shape"] | ArrayLike | None = None,
    *,
    outputs: Outputs | str = "trace",
    memory: float = 256 * 2**20,
) -> Float[Array, "n1 n2 *outputs_outputs"]:
    r"""Empirical NTK of `apply_fn` at `params`; see `gram` for the formula and `outputs`.

    Float64 whatever the precision of `params`; bitwise symmetric when `x2` is None. Integer and
    boolean leaves of `params`, and PRNG keys, are held constant.

    Blocks of Jacobian rows are made by vmapped reverse mode: one is held while smaller ones pass by
    it and are contracted with it. It has as many samples, a power of two, and as many outputs as
    keep rows and intermediate values, as XLA counts them for the compiled programs, within `memory`
    bytes beyond result, parameters and inputs; never fewer than one sample and one output.

    Accuracy: $\gamma_m$ of the same expression in absolute values, with m the operations that one
    product of derivatives passes through, at most the number of parameters plus the depth.
    Raises: `InputError` on malformed inputs or options; `NetworkError` when `params` have nothing
    to differentiate, or `apply_fn` raises, returns other than (n, outputs) or (n,), or a value or
    derivative that is not finite.
    """
    _require_memory(memory)
    with arrays.float64():
        x1, x2 = arrays.require_inputs(x1, x2)
        params = float64_params(params)
        num_outputs = outputs_of(apply_fn, params, x1[:1])
        outputs = require_outputs(outputs, num_outputs)
        theta, held, structure = partition(params)
        plan = _plan(
            apply_fn, structure, theta, held, x1.shape, x2, num_outputs, outputs, int(memory)
        )
        kernel = _tiled(plan, theta, held, x1, x2, num_outputs, outputs)
        if not np.isfinite(kernel).all():
            for x in (x1,) if x2 is None else (x1, x2):
                require_finite_derivatives(apply_fn, params, x)
            raise NetworkError(
                "apply_fn needs derivatives whose products are finite; rescale the inputs or the "
                "parameters."
            )
        return jnp.asarray(kernel)


def gram(
    apply_fn: Callable,
    params: Any,
    x1: Float[AnyArray, "n1 *shape"],
    x2: Float[AnyArray, "n2 *shape"] | None = None,
    *,
    outputs: Outputs = "trace",
) -> Float[Array, "n1 n2 *outputs_outputs"]:
    r"""The core of `ntk`: traceable, not tiled, in the precision of its inputs.

    $$K_{ij} = \frac{1}{O} \sum_o \langle \nabla_\theta f_o(x_i), \nabla_\theta f_o(x'_j) \rangle$$

    for `outputs="trace"`, the mean over the $O$ outputs, as neural-tangents has it with
    `trace_axes=(-1,)`; the summand of one output o for `outputs=o`; and
    $K_{ijop} = \langle \nabla_\theta f_o(x_i), \nabla_\theta f_p(x'_j) \rangle$ for
    `outputs="full"`.

    Source: definition of the empirical NTK.
    Raises: `NetworkError` on what can be told from shapes alone.
    """
    num_outputs = outputs_of(apply_fn, params, x1[:1])
    outputs = require_outputs(outputs, num_outputs)
    theta, held, structure = partition(params)
    cotangents = jnp.eye(num_outputs)
    if outputs not in ("trace", "full"):
        cotangents = cotangents[outputs : outputs + 1]
    _, rows1 = _block_rows(apply_fn, structure, theta, held, x1, cotangents)
    rows2 = rows1
    if x2 is not None:
        _, rows2 = _block_rows(apply_fn, structure, theta, held, x2, cotangents)
    kernel = _contraction(rows1, rows2, full=outputs == "full")
    kernel = symmetric(kernel) if x2 is None else kernel
    if outputs == "full":
        shape = (len(x1), num_outputs, -1, num_outputs)
        return kernel.reshape(shape).transpose(0, 2, 1, 3)
    return kernel / len(cotangents)


def rows(
    apply_fn: Callable, params: Any, x: Float[AnyArray, "n *shape"] | ArrayLike
) -> Float[Array, "n outputs num_params"]:
    """The Jacobian of `apply_fn` at `params`, one row a sample and output.

    Columns follow the floating leaves of `params` in the order of `jax.tree.leaves`, each
    flattened. Nothing is tiled: the memory needed is a small multiple of the result.

    Raises: as `ntk`.
    """
    with arrays.float64():
        x, _ = arrays.require_inputs(x)
        params = float64_params(params)
        num_outputs = outputs_of(apply_fn, params, x[:1])
        theta, held, structure = partition(params)
        program = _cached(_rows_program, apply_fn, structure)
        values, jacobian = program(theta, held, x, jnp.eye(num_outputs))
        require_finite("values", np.asarray(values), 0)
        require_finite("derivatives", np.asarray(jacobian), 0)
        return jacobian


def require_finite_derivatives(
    apply_fn: Callable, params: Any, x: Float[AnyArray, "n *shape"]
) -> None:
    """Refuse a network that has none at some input; one input at a time, whatever the memory.

    Raises: `NetworkError` naming the first input whose value or derivative is not finite.
    """
    with arrays.float64():
        params = float64_params(params)
        theta, held, structure = partition(params)
        cotangents = jnp.eye(outputs_of(apply_fn, params, x[:1]))
        program = _cached(_rows_program, apply_fn, structure)
        for i in range(len(x)):
            values, derivatives = program(theta, held, jnp.asarray(x[i : i + 1]), cotangents)
            require_finite("values", np.asarray(values), i)
            require_finite("derivatives", np.asarray(derivatives), i)


def _require_memory(memory: float) -> None:
    if not memory > 0:
        raise InputError(f"memory needs a positive number of bytes, got {memory!r}.")


def _block_rows(
    apply_fn: Callable,
    structure: Structure,
    theta: list[AnyArray],
    held: list[AnyArray],
    x: Float[AnyArray, "n *shape"],
    cotangents: Float[Array, "c outputs"],
) -> tuple[Float[Array, "n outputs"], list[Float[Array, "n c _"]]]:
    """Outputs, and leaf by leaf the derivatives of the outputs' combinations `cotangents`."""

    def of_sample(sample):
        values, pullback = jax.vjp(
            lambda theta: apply_fn(merge(structure, theta, held), sample[None]).reshape(-1), theta
        )
        (leaves,) = jax.vmap(pullback)(cotangents.astype(values.dtype))
        return values, [leaf.reshape(len(cotangents), -1) for leaf in leaves]

    return jax.vmap(of_sample)(x)


def _contraction(rows1, rows2, *, full: bool) -> Float[Array, "r1 r2"]:
    """Products of rows: summed over outputs, or of each sample and output with each other."""

    def matrix(leaf):
        return leaf.reshape(-1, leaf.shape[2]) if full else leaf.reshape(len(leaf), -1)

    products = [matrix(a) @ matrix(b).T for a, b in zip(rows1, rows2, strict=True)]
    return sum(products[1:], start=products[0])


@dataclass(frozen=True)
class _Plan:
    """Compiled programs for one size of blocks, and the bytes that running them takes.

    A block of `tile` samples is held while blocks of `inner` samples pass by it; both have `chunk`
    outputs. Products of a tall and a narrow block run near the rate of large ones.
    """

    tile_rows: Callable
    inner_rows: Callable
    contraction: Callable
    tile: int
    inner: int
    chunk: int
    peak: int


@functools.lru_cache(maxsize=16)
def _rows_program(apply_fn: Callable, structure: Structure) -> Callable:
    def flat_rows(theta, held, x, cotangents):
        values, leaves = _block_rows(apply_fn, structure, theta, held, x, cotangents)
        return values, jnp.concatenate(leaves, axis=-1)

    return jax.jit(flat_rows)


@functools.lru_cache(maxsize=64)
def _block_program(
    apply_fn: Callable,
    structure: Structure,
    specs: tuple[tuple, tuple],
    shape: tuple[int, ...],
    num_outputs: int,
    sizes: tuple[int, int, int],
    full: bool,
) -> _Plan:
    theta, held = (list(spec) for spec in specs)
    tile, inner, chunk = sizes
    cotangents = jax.ShapeDtypeStruct((chunk, num_outputs), np.float64)

    @functools.cache
    def rows_program(samples: int):
        x = jax.ShapeDtypeStruct((samples, *shape), np.float64)
        program = jax.jit(functools.partial(_block_rows, apply_fn, structure))
        return program.lower(theta, held, x, cotangents).compile()

    def block(samples: int) -> list[jax.ShapeDtypeStruct]:
        sizes = [int(np.prod(leaf.shape)) for leaf in theta]
        return [jax.ShapeDtypeStruct((samples, chunk, size), np.float64) for size in sizes]

    contraction = jax.jit(functools.partial(_contraction, full=full))
    contraction = contraction.lower(block(tile), block(inner)).compile()
    row_bytes = 8 * chunk * sum(int(np.prod(leaf.shape)) for leaf in theta)
    peak = max(
        _working_bytes(rows_program(tile)),
        tile * row_bytes + _working_bytes(rows_program(inner)),
        (tile + inner) * row_bytes + _working_bytes(contraction),
    )
    return _Plan(rows_program(tile), rows_program(inner), contraction, tile, inner, chunk, peak)


def _working_bytes(program) -> int:
    """Bytes of a compiled program beyond its arguments."""
    analysis = program.memory_analysis()
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes if analysis else 0


def _cached(program: Callable, *key):
    """`program(*key)` from its cache, or made anew when the key cannot be hashed."""
    try:
        hash(key)
    except TypeError:
        return inspect.unwrap(program)(*key)
    return program(*key)


def _plan(apply_fn, structure, theta, held, shape, x2, num_outputs, outputs, memory) -> _Plan:
    """The largest block, on a ladder of halves, whose programs stay within `memory`."""
    specs = tuple(
        tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
        for leaves in (theta, held)
    )
    longest = max(shape[0], 0 if x2 is None else len(x2))
    row_bytes = 8 * sum(leaf.size for leaf in theta)
    capacity = max(1, memory // (2 * row_bytes))
    chunk = min(num_outputs if outputs in ("trace", "full") else 1, capacity)
    tile = min(_power_of_two_below(capacity // chunk), 2 * _power_of_two_below(longest))
    while True:
        inner = tile if tile >= longest else max(1, tile // _TALLNESS)
        plan = _cached(
            _block_program,
            apply_fn,
            structure,
            specs,
            shape[1:],
            num_outputs,
            (tile, inner, chunk),
            outputs == "full",
        )
        if plan.peak <= memory or tile == chunk == 1:
            return plan
        tile, chunk = (tile // 2, chunk) if tile > 1 else (1, (chunk + 1) // 2)


def _power_of_two_below(value: int) -> int:
    return 1 << (max(1, value).bit_length() - 1)


def _tiled(plan: _Plan, theta, held, x1, x2, num_outputs: int, outputs: Outputs) -> np.ndarray:
    """The kernel, block by block: upper triangle and mirror image when `x2` is None."""
    x1 = np.asarray(x1)
    second = x1 if x2 is None else np.asarray(x2)
    full = outputs == "full"
    selected = range(num_outputs) if outputs in ("trace", "full") else range(outputs, outputs + 1)
    chunks = _ranges(len(selected), plan.chunk)
    kept = len(selected) if full else 1
    result = np.zeros((len(x1), kept, len(second), kept))

    def rows_of(program, size, x, samples, chunk):
        """Rows of a block: samples padded by the last one, outputs by rows of zeros."""
        padded = np.minimum(np.arange(samples[0], samples[0] + size), samples[1] - 1)
        cotangents = np.zeros((plan.chunk, num_outputs))
        cotangents[np.arange(chunk[1] - chunk[0]), selected[slice(*chunk)]] = 1.0
        values, block = program(theta, held, jnp.asarray(x[padded]), jnp.asarray(cotangents))
        require_finite("values", np.asarray(values), samples[0])
        return block

    for chunk1 in chunks:
        for samples1 in _ranges(len(x1), plan.tile):
            rows1 = rows_of(plan.tile_rows, plan.tile, x1, samples1, chunk1)
            for chunk2 in chunks if full else [chunk1]:
                for samples2 in _ranges(len(second), plan.inner):
                    below = (chunk2[0], samples2[0]) < (chunk1[0], samples1[0])
                    if x2 is None and below:
                        continue
                    same = x2 is None and (samples1, chunk1) == (samples2, chunk2)
                    rows2 = rows1
                    if not (same and plan.inner == plan.tile):
                        rows2 = rows_of(plan.inner_rows, plan.inner, second, samples2, chunk2)
                    target = result[
                        slice(*samples1),
                        slice(*chunk1) if full else slice(1),
                        slice(*samples2),
                        slice(*chunk2) if full else slice(1),
                    ]
                    width = plan.chunk if full else 1
                    piece = np.asarray(plan.contraction(rows1, rows2))
                    piece = piece.reshape(plan.tile, width, plan.inner, width)
                    target += piece[tuple(slice(size) for size in target.shape)]
    if x2 is None:
        _mirror(result, chunks if full else [(0, 1)], plan.tile)
    if full:
        return result.transpose(0, 2, 1, 3)
    return result[:, 0, :, 0] / len(selected)


def _ranges(length: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def _mirror(result: np.ndarray, chunks: list[tuple[int, int]], tile: int) -> None:
    """Fills the blocks that `_tiled` left out, in place: those under the block diagonal."""
    for chunk1 in chunks:
        for chunk2 in chunks:
            if chunk1 < chunk2:
                above = result[:, slice(*chunk1), :, slice(*chunk2)]
                result[:, slice(*chunk2), :, slice(*chunk1)] = above.transpose(2, 3, 0, 1)
        inside = result[:, slice(*chunk1), :, slice(*chunk1)]
        for start, stop in _ranges(len(result), tile):
            inside[start:stop, :, :start] = inside[:start, :, start:stop].transpose(2, 3, 0, 1)
            square = inside[start:stop, :, start:stop]
            matrix = square.reshape(square.shape[0] * square.shape[1], -1)
            square[:] = (np.triu(matrix) + np.triu(matrix, 1).T).reshape(square.shape)

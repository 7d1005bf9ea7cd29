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
from ntval.errors import InputError
from ntval.kernels.deep_mlp import symmetric
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


def ntk(
    apply_fn: Callable,
    params: Any,
    x1: Float[Array, "n1 *shape"],
    x2: Float[Array, "n2 *shape"] | None = None,
    *,
    outputs: Outputs = "trace",
    memory: float = 256 * 2**20,
) -> Float[Array, "n1 n2 *outputs_outputs"]:
    r"""Empirical NTK of `apply_fn` at `params`; see `gram` for the formula and `outputs`.

    Float64 whatever the precision of `params`; bitwise symmetric when `x2` is None. Integer and
    boolean leaves of `params`, and PRNG keys, are held constant.

    Blocks of Jacobian rows, two at a time, are made by vmapped reverse mode and contracted. A block
    holds as many samples, a power of two, and as many outputs as keep rows and intermediate values,
    as counted by XLA for the compiled program, within `memory` bytes beyond result, parameters and
    inputs; never fewer than one sample and one output. Each row is made about n / (2 tile) times.

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
        require_outputs(outputs, num_outputs)
        theta, held, structure = partition(params)
        plan = _plan(
            apply_fn, structure, theta, held, x1.shape, x2, num_outputs, outputs, int(memory)
        )
        return jnp.asarray(_tiled(plan, theta, held, x1, x2, num_outputs, outputs))


def gram(
    apply_fn: Callable,
    params: Any,
    x1: Float[Array, "n1 *shape"],
    x2: Float[Array, "n2 *shape"] | None = None,
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
    require_outputs(outputs, num_outputs)
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
    apply_fn: Callable, params: Any, x: Float[Array, "n *shape"]
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


def _require_memory(memory: float) -> None:
    if not memory > 0:
        raise InputError(f"memory needs a positive number of bytes, got {memory!r}.")


def _block_rows(
    apply_fn: Callable,
    structure: Structure,
    theta: list[Array],
    held: list[Array],
    x: Float[Array, "n *shape"],
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
    """Compiled programs for one block size, and the bytes that running them takes."""

    rows: Callable
    contraction: Callable
    tile: int
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
    tile: int,
    chunk: int,
    full: bool,
) -> _Plan:
    theta, held = (list(spec) for spec in specs)
    x = jax.ShapeDtypeStruct((tile, *shape), np.float64)
    cotangents = jax.ShapeDtypeStruct((chunk, num_outputs), np.float64)
    rows_program = (
        jax.jit(functools.partial(_block_rows, apply_fn, structure))
        .lower(theta, held, x, cotangents)
        .compile()
    )
    block = [
        jax.ShapeDtypeStruct((tile, chunk, int(np.prod(leaf.shape))), np.float64) for leaf in theta
    ]
    contraction = jax.jit(functools.partial(_contraction, full=full)).lower(block, block).compile()
    block_bytes = sum(8 * leaf.size for leaf in block)
    working = max(_working_bytes(rows_program) - block_bytes, _working_bytes(contraction))
    return _Plan(rows_program, contraction, tile, chunk, 2 * block_bytes + working)


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
        plan = _cached(
            _block_program,
            apply_fn,
            structure,
            specs,
            shape[1:],
            num_outputs,
            tile,
            chunk,
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
    kept = len(selected) if full else 1
    result = np.zeros((len(x1), kept, len(second), kept))
    blocks1 = _blocks(len(x1), selected, plan)
    blocks2 = _blocks(len(second), selected, plan)
    for index, block1 in enumerate(blocks1):
        rows1 = _rows_of_block(plan, theta, held, x1, block1, selected, num_outputs)
        for block2 in blocks2[index:] if x2 is None else blocks2:
            if not full and block1[1] != block2[1]:
                continue
            mirrored = x2 is None and block1 == block2
            rows2 = rows1
            if not mirrored:
                rows2 = _rows_of_block(plan, theta, held, second, block2, selected, num_outputs)
            piece = np.asarray(plan.contraction(rows1, rows2))
            if mirrored:
                piece = np.triu(piece) + np.triu(piece, 1).T
            chunk = plan.chunk if full else 1
            piece = piece.reshape(plan.tile, chunk, plan.tile, chunk)
            place1, place2 = (_place(block, full) for block in (block1, block2))
            target = result[*place1, *place2]
            piece = piece[tuple(slice(size) for size in target.shape)]
            target += piece
            if x2 is None and not mirrored:
                result[*place2, *place1] += piece.transpose(2, 3, 0, 1)
    require_finite("derivatives", result, 0)
    if full:
        return result.transpose(0, 2, 1, 3)
    return result[:, 0, :, 0] / len(selected)


Block = tuple[tuple[int, int], tuple[int, int]]


def _blocks(n: int, selected: range, plan: _Plan) -> list[Block]:
    """Ranges of samples and of positions in `selected`, outputs outermost."""
    return [
        ((start, min(start + plan.tile, n)), (first, min(first + plan.chunk, len(selected))))
        for first in range(0, len(selected), plan.chunk)
        for start in range(0, n, plan.tile)
    ]


def _place(block: Block, full: bool) -> tuple[slice, slice]:
    samples, outputs = block
    return slice(*samples), slice(*outputs) if full else slice(1)


def _rows_of_block(plan: _Plan, theta, held, x, block: Block, selected: range, num_outputs: int):
    """Rows of a block: samples padded by the last one, outputs by zero rows."""
    (start, stop), (first, last) = block
    samples = np.minimum(np.arange(start, start + plan.tile), stop - 1)
    cotangents = np.zeros((plan.chunk, num_outputs))
    cotangents[np.arange(last - first), selected[first:last]] = 1.0
    values, block_rows = plan.rows(theta, held, jnp.asarray(x[samples]), jnp.asarray(cotangents))
    require_finite("values", np.asarray(values), start)
    return block_rows

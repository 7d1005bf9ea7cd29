r"""Empirical NTK of a network of layers with closed forms, without a row of its Jacobian.

A forward pass of one sample is written with the layers of `networks.layers`. One backward pass
gives inputs $a_t$ and gradients $d_t$ at the outputs of every layer, at tokens or positions t:

| layer | its part of $K(x, x')$ |
|---|---|
| `dense` | $\sum_{t,u} (a_t \cdot a'_u) (d_t \cdot d'_u)$, with a bias $(a_t \cdot a'_u + 1)$ |
| `affine` | $s \cdot s' + e \cdot e'$, $s = \sum_t d_t \circ \hat x_t$, $e = \sum_t d_t$ |
| `embedding` | $\sum_{t,u} 1[i_t = i'_u] \, d_t \cdot d'_u$ |

Tokens without a gradient, as padding is, are left out. What is summed is n x n, never n x P: 22
million parameters of a transformer cost as little as their layers' inputs and outputs.

Source: chain rule (derived).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from ntval import arrays
from ntval.arrays import AnyArray
from ntval.errors import InputError, NetworkError
from ntval.networks.layers import untapped

# A forward pass of one sample: (params, x, tap) -> (outputs,).
Forward = Callable[..., Float[Array, "outputs"]]

_SAMPLES = 32  # of one backward pass
_ROWS = 1024  # tokens on a side of a tile
_MEMORY = 2**30


class _Layer:
    """What is recorded of one layer: inputs and gradients of each token, and its sample."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, inputs: np.ndarray, gradients: np.ndarray, first: int) -> None:
        """More samples, the first of them number `first`."""
        count, width = len(gradients), gradients.shape[-1]
        d = gradients.reshape(count, -1, width)
        a = inputs.reshape(count, d.shape[1], -1)
        sample, token = np.nonzero((d != 0).any(axis=2))
        self._parts.append((a[sample, token], d[sample, token], first + sample))

    def gram(self, n: int) -> Float[np.ndarray, "n n"]:
        """The layer's part of the kernel, in float64."""
        a, d, sample = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        d = d.astype(np.float64)
        if self.kind == "affine":
            sums = np.zeros((n, 2 * d.shape[1]))
            np.add.at(sums, sample, np.concatenate([d * a, d], axis=1))
            return sums @ sums.T
        if self.kind == "embedding":
            return _blocks(n, sample, lambda i, j: (a[i] == a[j].T) * (d[i] @ d[j].T))
        a, bias = a.astype(np.float64), 1.0 if self.kind == "dense with bias" else 0.0
        return _blocks(n, sample, lambda i, j: (a[i] @ a[j].T + bias) * (d[i] @ d[j].T))


def ntk(
    apply_fn: Forward,
    params: Any,
    x: Shaped[AnyArray, "n *shape"],
    *,
    memory: int = _MEMORY,
) -> Float[np.ndarray, "n n"]:
    """Empirical NTK of `apply_fn` at `params`, the mean over its outputs, bitwise symmetric.

    `apply_fn(params, x, tap)`: gives outputs of one sample, of shape (outputs,), by the layers of
    `networks.layers`; every array of `params` enters one layer, once. `memory`: bytes that records
    of layers may take; with more layers there are more backward passes.

    Accuracy: forward and backward passes in the precision of `params` and `x`, sums in float64.
    Raises: `InputError` without samples; `NetworkError` for outputs of another shape, a forward
    pass without layers, and one whose parameters enter otherwise: the kernel of the first two
    samples is held against their gradients, up to half of the digits.
    """
    with arrays.float64():
        x = np.asarray(x)
        if x.ndim < 1 or len(x) == 0:
            raise InputError(f"x needs shape (n, ...) with n >= 1, got {x.shape}; add rows.")
        params = jax.tree.map(jnp.asarray, params)
        kinds, shapes, sizes, outputs = _traced(apply_fn, params, x[0])
        kernel = np.zeros((len(x), len(x)))
        for group in _groups([size * len(x) for size in sizes], memory):
            recorded = _recorder(apply_fn, shapes, group)
            for output in range(outputs):
                layers = {number: _Layer(kinds[number]) for number in group}
                for first in range(0, len(x), _SAMPLES):
                    part = _padded(x[first : first + _SAMPLES])
                    found = recorded(params, part, output)
                    count = min(_SAMPLES, len(x) - first)
                    for number, (a, d) in zip(group, found, strict=True):
                        layers[number].add(np.asarray(a)[:count], np.asarray(d)[:count], first)
                for layer in layers.values():
                    kernel += layer.gram(len(x)) / outputs
        _require_whole(apply_fn, params, jnp.asarray(x[:2]), outputs, kernel)
        return (kernel + kernel.T) / 2


def _padded(x: Shaped[np.ndarray, "n *shape"]) -> Shaped[np.ndarray, "samples *shape"]:
    """As many samples as one program takes: the last is repeated."""
    return x[np.minimum(np.arange(_SAMPLES), len(x) - 1)]


def _traced(
    apply_fn: Forward, params: Any, x: Shaped[np.ndarray, "*shape"]
) -> tuple[list[str], list[jax.ShapeDtypeStruct], list[int], int]:
    """Of every layer its kind, its output's shape, and the bytes of a sample's record; and the
    number of outputs."""
    kinds: list[str] = []
    shapes: list[jax.ShapeDtypeStruct] = []
    sizes: list[int] = []

    def tap(kind: str, inputs: Array, output: Array) -> Array:
        kinds.append(kind)
        shapes.append(jax.ShapeDtypeStruct(output.shape, output.dtype))
        sizes.append((inputs.size + output.size) * output.dtype.itemsize)
        return output

    found = jax.eval_shape(lambda params, x: apply_fn(params, x, tap), params, x)
    shape = getattr(found, "shape", None)
    if shape is None or len(shape) != 1:
        raise NetworkError(
            f"apply_fn needs outputs of shape (outputs,) for one sample, got {shape}; take one "
            "sample in, and give a vector."
        )
    if not kinds:
        raise NetworkError(
            "apply_fn needs layers of ntval.networks.layers, got none; hand its `tap` to them."
        )
    return kinds, shapes, sizes, shape[0]


def _groups(sizes: Sequence[int], memory: int) -> list[list[int]]:
    """Layers whose records fit in memory together, in order; one at least."""
    groups: list[list[int]] = [[]]
    used = 0
    for number, size in enumerate(sizes):
        if groups[-1] and used + size > memory:
            groups.append([])
            used = 0
        groups[-1].append(number)
        used += size
    return groups


def _recorder(
    apply_fn: Forward, shapes: Sequence[jax.ShapeDtypeStruct], group: Sequence[int]
) -> Callable[..., list[tuple[Array, Array]]]:
    """Program (params, x, output): inputs of each layer of a group and gradients at its output.

    Zeros are added to the outputs of layers, and the network is differentiated by them.
    """

    def one(params: Any, x: Array, output: Array) -> list[tuple[Array, Array]]:
        def value(zeros: list[Array]) -> tuple[Array, list[Array]]:
            seen: list[Array] = []
            added = dict(zip(group, zeros, strict=True))
            number = -1

            def tap(kind: str, inputs: Array, output: Array) -> Array:
                nonlocal number
                number += 1
                if number not in added:
                    return output
                seen.append(inputs)
                return output + added[number]

            return apply_fn(params, x, tap)[output], seen

        zeros = [jnp.zeros(shapes[number].shape, shapes[number].dtype) for number in group]
        gradients, inputs = jax.grad(value, has_aux=True)(zeros)
        return list(zip(inputs, gradients, strict=True))

    return jax.jit(jax.vmap(one, in_axes=(None, 0, None)))


def _blocks(
    n: int,
    sample: Int[np.ndarray, "rows"],
    product: Callable[[slice, slice], Float[np.ndarray, "rows1 rows2"]],
) -> Float[np.ndarray, "n n"]:
    """Sums of `product` over the rows of each pair of samples; rows are in order of samples.

    Tiles of whole samples; those above the diagonal are those below it.
    """
    found = np.zeros((n, n))
    if len(sample) == 0:
        return found
    starts = np.flatnonzero(np.r_[True, sample[1:] != sample[:-1]])
    names, ends = sample[starts], np.r_[starts[1:], len(sample)]
    tiles: list[tuple[int, int]] = []  # from sample to sample, of those that have rows
    first = 0
    for k in range(len(starts)):
        if ends[k] - starts[first] > _ROWS and k > first:
            tiles.append((first, k))
            first = k
    tiles.append((first, len(starts)))
    for i, (low, high) in enumerate(tiles):
        rows = slice(starts[low], ends[high - 1])
        for left, right in tiles[: i + 1]:
            columns = slice(starts[left], ends[right - 1])
            block = np.add.reduceat(product(rows, columns), starts[low:high] - rows.start, axis=0)
            block = np.add.reduceat(block, starts[left:right] - columns.start, axis=1)
            found[np.ix_(names[low:high], names[left:right])] = block
            found[np.ix_(names[left:right], names[low:high])] = block.T
    return found


def _require_whole(
    apply_fn: Forward,
    params: Any,
    x: Shaped[Array, "two *shape"],
    outputs: int,
    kernel: Float[np.ndarray, "n n"],
) -> None:
    """Refuse a forward pass whose parameters do not enter one layer each."""

    def value(params: Any, x: Array) -> Float[Array, "outputs"]:
        return apply_fn(params, x, untapped)

    exact = np.zeros((len(x), len(x)))
    for output in range(outputs):
        rows = [
            np.concatenate([np.ravel(leaf).astype(np.float64) for leaf in jax.tree.leaves(tree)])
            for tree in (jax.grad(lambda p, z=z, o=output: value(p, z)[o])(params) for z in x)
        ]
        exact += np.array([[a @ b for b in rows] for a in rows]) / outputs
    leaves = jax.tree.leaves(params)
    digits = math.sqrt(max(float(jnp.finfo(leaf.dtype).eps) for leaf in leaves))
    gap = np.abs(kernel[: len(x), : len(x)] - exact).max()
    if not gap <= digits * np.abs(exact).max():
        raise NetworkError(
            f"apply_fn needs parameters that enter one layer of ntval.networks.layers each, once, "
            f"got a kernel that is off by {gap:.2g} of {np.abs(exact).max():.2g}; use such layers "
            "for all, or kernels.jacobian."
        )

"""What draws of a network say of its parts: kernels leaf by leaf, and of its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.sampling import draw_params, kept
from ntval.networks import structure
from ntval.networks.network import num_params
from ntval.subjects.subject import NetworkSubject

_LARGEST = 2**24  # numbers in a Jacobian, 128 MB: of a larger one the parts are not looked at


@dataclass(frozen=True)
class Leaves:
    """The leaves of a network's parameters.

    `names`: their paths. `shapes`: their shapes. `biases`: the numbers of those that are biases.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    biases: frozenset[int]

    @property
    def weights(self) -> tuple[int, ...]:
        """The numbers of the others."""
        return tuple(i for i in range(len(self.names)) if i not in self.biases)

    def output_axes(self, outputs: int) -> tuple[int, ...]:
        """The axes of the weights that may be that of what a layer gives, the last or the first, as
        libraries differ: those at which some weight, the head, has as many as there are outputs."""
        matrices = [self.shapes[i] for i in self.weights if len(self.shapes[i]) > 1]
        return tuple(a for a in (-1, 0) if any(shape[a] == outputs for shape in matrices))

    def fan_in(self, axis: int) -> Float[np.ndarray, "leaves"]:
        """What each weight is summed over, 1 of a bias: all axes but that of the outputs, which is
        the last or the first, as libraries differ."""
        return np.array(
            [
                1.0 if i in self.biases or len(shape) < 2 else math.prod(shape) / shape[axis]
                for i, shape in enumerate(self.shapes)
            ]
        )


@kept
def leaves_of(subject: NetworkSubject) -> Leaves:
    """The leaves of the network's parameters."""
    network = subject.network
    params = jax.eval_shape(lambda key: draw_params(network, key), jax.random.key(0))
    paths = jax.tree_util.tree_flatten_with_path(params)[0]
    x = jax.ShapeDtypeStruct((2, *_input_shape(subject)), np.float64)
    return Leaves(
        tuple(jax.tree_util.keystr(path) for path, _ in paths),
        tuple(leaf.shape for _, leaf in paths),
        structure.biases(network.apply_fn, params, x),
    )


def _input_shape(subject: NetworkSubject) -> tuple[int, ...]:
    inputs = jax.eval_shape(lambda key: subject.inputs(key, 1), jax.random.key(0))
    return inputs.shape[1:]


def outputs_of(subject: NetworkSubject, x: Float[Array, "n *shape"]) -> int:
    """The number of outputs."""
    network = subject.network
    params = jax.eval_shape(lambda key: draw_params(network, key), jax.random.key(0))
    return math.prod(jax.eval_shape(network.apply_fn, params, x).shape[1:])


def fits_in_memory(subject: NetworkSubject, x: Float[Array, "n *shape"]) -> bool:
    """Whether the Jacobian at all inputs is small enough to be looked at leaf by leaf."""
    shapes = jax.eval_shape(lambda key: draw_params(subject.network, key), jax.random.key(0))
    return len(x) * outputs_of(subject, x) * num_params(shapes) <= _LARGEST


@kept
def leaf_kernels(subject: NetworkSubject) -> Callable[..., Float[Array, "draws leaves n n"]]:
    """Function of (x, keys, factors): the kernel of the gradient by each leaf, at weights of which
    every leaf is multiplied by its factor. Compiled once, whatever the keys and factors."""
    network = subject.network

    def of_draw(x: Any, factors: Any, key: Any) -> Any:
        leaves, structure_ = jax.tree.flatten(draw_params(network, key))
        scaled = [factors[i] * leaf for i, leaf in enumerate(leaves)]
        jacobian = jax.jacrev(
            lambda leaves: network.apply_fn(structure_.unflatten(leaves), x).reshape(len(x), -1)
        )(scaled)
        outputs = jacobian[0].shape[1]
        rows = [j.reshape(len(x), outputs, -1) for j in jacobian]
        return jnp.stack([jnp.einsum("iop,jop->ij", row, row) / outputs for row in rows])

    return jax.jit(lambda x, keys, factors: jax.lax.map(lambda key: of_draw(x, factors, key), keys))


@kept
def _second_moments(subject: NetworkSubject) -> Callable:
    network = subject.network

    def of_draw(x: Any, key: Any) -> Any:
        outputs = network.apply_fn(draw_params(network, key), x).reshape(len(x), -1)
        return outputs @ outputs.T / outputs.shape[1]

    return jax.jit(lambda x, keys: jax.lax.map(lambda key: of_draw(x, key), keys, batch_size=64))


_OUTPUTS = 8192  # draws: outputs are Gaussian, so that one draw is as far off as its own size


def output_covariance(
    subject: NetworkSubject, x: Float[Array, "n *shape"], key: Array
) -> tuple[Float[np.ndarray, "n n"], float]:
    """The mean of f(x) f(x')^T over draws and outputs, which is the NNGP kernel at large width; and
    the norm of its standard error."""
    moments = np.asarray(_second_moments(subject)(x, jax.random.split(key, _OUTPUTS)))
    error = math.sqrt(moments.var(axis=0, ddof=1).sum() / len(moments))
    return moments.mean(axis=0), error

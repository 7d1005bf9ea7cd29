"""What planted faults do: changes of Gram matrices, methods, networks and initializations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from ntval.activations import Activation, activation
from ntval.arrays import AnyArray
from ntval.kernels import quadrature_oracle
from ntval.kernels.methods import Method
from ntval.networks.mlp import Mlp, Params
from ntval.theory import hermite

Gram = Float[Array, "n1 n2"]
Change = Callable[[Gram], Gram]
Init = Callable[[Array], Params]


def times(factor: float) -> Change:
    """Every entry times `factor`."""
    return lambda gram: factor * gram


def off_diagonal_times(factor: float) -> Change:
    """Entries off the diagonal times `factor`."""
    return lambda gram: gram * jnp.where(jnp.eye(*gram.shape, dtype=bool), 1.0, factor)


def row_times(factor: float) -> Change:
    """The first row and column of a Gram matrix, or the first row of a block."""

    def change(gram: Gram) -> Gram:
        gram = gram.at[0].multiply(factor)
        return gram.at[1:, 0].multiply(factor) if gram.shape[0] == gram.shape[1] else gram

    return change


def entry_times(factor: float) -> Change:
    """The largest entry off the diagonal, and its mirror image in a Gram matrix."""

    def change(gram: Gram) -> Gram:
        square = gram.shape[0] == gram.shape[1]
        size = jnp.abs(gram) * (1 - jnp.eye(len(gram))) if square else jnp.abs(gram)
        i, j = jnp.divmod(size.argmax(), gram.shape[1])
        gram = gram.at[i, j].multiply(factor)
        return gram.at[j, i].multiply(factor) if square else gram

    return change


def in_precision(dtype: DTypeLike) -> Change:
    """The matrix rounded to `dtype`."""
    return lambda gram: gram.astype(dtype).astype(jnp.float64)


def with_jitter(gram: Gram) -> Gram:
    """A millionth of the diagonal is added to it."""
    return gram + 1e-6 * jnp.diag(jnp.diag(gram)) if gram.shape[0] == gram.shape[1] else gram


def swapped_rows(gram: Gram) -> Gram:
    """The first two rows exchanged."""
    return jnp.concatenate([gram[1:2], gram[:1], gram[2:]])


def asymmetric(gram: Gram) -> Gram:
    """Entries off the diagonal grow by a millionth from column to column."""
    rows, columns = jnp.indices(gram.shape)
    return gram * (1 + 1e-6 * (columns - rows))


def shifted_down(gram: Gram) -> Gram:
    """Shift the smallest eigenvalue to -1 % of the mean diagonal."""
    if gram.shape[0] != gram.shape[1]:
        return gram
    floor = jnp.linalg.eigvalsh((gram + gram.T) / 2)[0] + 0.01 * jnp.trace(gram) / len(gram)
    return gram - floor * jnp.eye(len(gram))


def entry_exceeds_diagonal(gram: Gram) -> Gram:
    """Entry [0, 1] and its mirror image become 1.5 sqrt(K_00 K_11)."""
    if gram.shape[0] != gram.shape[1]:
        return gram
    value = 1.5 * jnp.sqrt(gram[0, 0] * gram[1, 1])
    return gram.at[0, 1].set(value).at[1, 0].set(value)


def without_biases(params: Any) -> Any:
    """Parameters with every vector set to 0."""
    return jax.tree.map(lambda leaf: leaf * 0 if jnp.ndim(leaf) == 1 else leaf, params)


def derivative_is_function(mlp: Mlp) -> Mlp:
    """sigma in place of sigma'."""
    fn: Activation = activation(mlp.activation)
    return replace(
        mlp, activation=replace(fn, name=f"{fn.name} for its derivative", derivative=fn.fn)
    )


def function_is_derivative(mlp: Mlp) -> Mlp:
    """sigma' in place of sigma."""
    fn: Activation = activation(mlp.activation)
    return replace(mlp, activation=replace(fn, name=f"{fn.name}' for itself", fn=fn.derivative))


def over_width(power: float) -> Callable[[Method], Method]:
    """A method whose kernel is divided by a power of the width."""

    def changed(method):
        return lambda network, params, x1, x2=None: (
            method(network, params, x1, x2) / network.mlp.widths[0] ** power
        )

    return changed


def without_layer(index: int) -> Callable[[Params], Params]:
    """Parameters whose layer number `index` has no gradient."""

    def change(params):
        return [
            jax.lax.stop_gradient(layer) if i == index % len(params) else layer
            for i, layer in enumerate(params)
        ]

    return change


def another_activation(name: str, other: str) -> Callable[[Mlp], Mlp]:
    """Takes one activation for another, and leaves networks with neither alone."""
    return lambda mlp: replace(mlp, activation=other) if mlp.activation == name else mlp


def gaussian_weights(init: Init) -> Init:
    """Weights of law N(0, I/d) in place of the unit sphere."""

    def broken(key):
        key_norm, key_weights = jax.random.split(key)
        (layer,) = init(key_weights)
        d, width = layer["w"].shape
        norms = jnp.sqrt(jax.random.chisquare(key_norm, d, (width,)) / d)
        return [{"w": layer["w"] * norms}]

    return broken


def without_input_factor(method: Method) -> Method:
    """The kernel without the factor <x, x'>/d of the first layer."""

    def broken(network, params, x1, x2=None):
        second = x1 if x2 is None else x2
        return method(network, params, x1, x2) / (x1 @ second.T / x1.shape[1])

    return broken


def gaussian_first_layer(
    mlp: Mlp,
    x1: Float[AnyArray, "n1 d"],
    x2: Float[AnyArray, "n2 d"] | None = None,
    get: str = "ntk",
) -> Gram:
    """Kernel of the first layer for weights of law N(0, I/d), the large-d limit of the sphere."""
    x2 = x1 if x2 is None else x2
    fn = activation(mlp.activation)
    d = x1.shape[1]
    entries = [
        [
            quadrature_oracle.expectation(
                fn.derivative, a @ a / d, b @ b / d, a @ b / d, breakpoints=fn.breakpoints
            )
            for b in np.asarray(x2)
        ]
        for a in np.asarray(x1)
    ]
    return jnp.asarray(entries) * (x1 @ x2.T / d)


def centered(gram: Gram) -> Gram:
    """Rows and columns with their means taken away."""
    return gram - gram.mean(axis=0) - gram.mean(axis=1, keepdims=True) + gram.mean()


def limit_energies(fn: Activation, d: int, degree: int) -> np.ndarray:
    """Squared Hermite coefficients, the limits of the energies."""
    coefficients = hermite.coefficients(fn.derivative, degree, breakpoints=fn.breakpoints)
    return np.concatenate([[0.0], coefficients[:degree] ** 2])


def only_in_float32(change: Change) -> Change:
    """`change` of a matrix that is computed in float32; others are left alone."""
    return lambda gram: change(gram) if gram.dtype == jnp.float32 else gram


def cancelling(gram: Gram) -> Gram:
    """A thousand times the largest entry added and taken away again."""
    large = 1000 * jnp.abs(gram).max()
    return (gram + large) - large


def tied_neurons(params: Params) -> Params:
    """Weights of every layer but the last: a quarter of the neurons are the first."""

    def tied(leaf):
        quarter = leaf.shape[-1] // 4
        return leaf.at[..., :quarter].set(leaf[..., :1])

    *hidden, last = params
    return [*({name: tied(leaf) for name, leaf in layer.items()} for layer in hidden), last]


def of_random_scale(init: Init) -> Init:
    """All weights of a draw times one random number."""

    def broken(key):
        factor = jnp.exp(0.3 * jax.random.normal(jax.random.fold_in(key, 1)))
        return jax.tree.map(lambda leaf: factor * leaf, init(key))

    return broken


def rectangular_times(factor: float) -> Callable:
    """Change of a kernel_fn: larger whenever x2 is given."""

    def change(kernel):
        def broken(x1, x2=None, get="ntk"):
            return kernel(x1, x2, get) * (1.0 if x2 is None else factor)

        return broken

    return change


def rectangular_method_times(factor: float) -> Callable:
    """Change of a method: larger whenever x2 is given."""

    def change(method: Method) -> Method:
        def broken(network, params, x1, x2=None):
            return method(network, params, x1, x2) * (1.0 if x2 is None else factor)

        return broken

    return change


def odd_last_row_times(factor: float) -> Callable:
    """Change of a public method: the last row of an odd number of rows is larger."""

    def change(method: Method) -> Method:
        def broken(network, params, x, memory=None):
            gram = method(network, params, x, memory)
            return gram.at[-1].multiply(factor) if len(x) % 2 else gram

        return broken

    return change


def custom_derivative_times(factor: float) -> Callable:
    """Change of a forward pass: its values stay, its derivative by a custom rule is larger."""

    def change(apply_fn):
        @jax.custom_jvp
        def broken(params, x):
            return apply_fn(params, x)

        @broken.defjvp
        def rule(primals, tangents):
            outputs, change = jax.jvp(apply_fn, primals, tangents)
            return outputs, factor * change

        return broken

    return change


def wrong_derivative(name: str, factor: float) -> Callable[[Activation], Callable]:
    """The derivative of an activation, that of one of them too large."""
    return lambda sigma: lambda t: sigma.derivative(t) * (factor if sigma.name == name else 1.0)


def half_without_gradient(apply_fn: Callable) -> Callable:
    """A forward pass whose values stay, half of them behind `stop_gradient`."""

    def broken(params, x):
        outputs = apply_fn(params, x)
        return (outputs + jax.lax.stop_gradient(outputs)) / 2

    return broken

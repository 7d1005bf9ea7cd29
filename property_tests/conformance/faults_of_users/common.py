"""What faults of users are made of: networks, twins, and changes of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntval import stax

Arguments = dict[str, Any]


@dataclass(frozen=True)
class UserFault:
    """One fault.

    `what`: what is wrong. `given()`: the arguments of `check_network`.
    """

    what: str
    given: Callable[[], Arguments]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Independent normal inputs."""
    return np.random.default_rng(seed).standard_normal(shape)


X = normal(24, 6)
IMAGES = normal(8, 6, 6, 2, seed=1)
NEAR = np.vstack([normal(12, 6, seed=2), normal(12, 6, seed=2) + 1e-3 * normal(12, 6, seed=3)])
LONG = normal(300, 6, seed=4)


# STAX, FULLY CONNECTED


def mlp(
    *widths: int,
    act: Any = stax.Relu,
    weight: float = 1.4,
    bias: float | None = 0.4,
    head_bias: float | None = 0.4,
    outputs: int = 1,
    parametrization: str = "ntk",
) -> Any:
    """Dense layers of these widths with an activation after each, and a linear head."""
    layers = [
        layer
        for width in widths
        for layer in (stax.Dense(width, weight, bias, parameterization=parametrization), act())
    ]
    head = stax.Dense(outputs, weight, head_bias, parameterization=parametrization)
    return stax.serial(*layers, head)


RELU = mlp(512)
TWO = mlp(128, 128)


def twin(model: Any, kernel: Any, x: np.ndarray = X) -> Callable[[], Arguments]:
    """A network with the kernel of another, or with a function in place of its kernel."""
    kernel_fn = kernel[2] if isinstance(kernel, tuple) else kernel
    return lambda: {"model": model, "x": x, "kernel_fn": kernel_fn}


def altered(alter: Callable[..., Any], kernel: Any = RELU) -> Callable:
    """The kernel `alter(K, x1, x2, given)` of a correct one; `given`: whether x2 was."""

    def kernel_fn(x1: Any, x2: Any = None, get: str = "ntk") -> Any:
        k = kernel[2](x1, x2, get)
        return alter(k, x1, x1 if x2 is None else x2, x2 is not None)

    return kernel_fn


def forward(apply: Callable, network: Any = RELU) -> Any:
    """The network with another forward pass, `apply(apply_fn, params, x)`."""
    init_fn, apply_fn, kernel_fn = network
    return init_fn, lambda params, x, **_: apply(apply_fn, params, x), kernel_fn


def weights(change: Callable, network: Any = RELU) -> Any:
    """The network with weights `change(key, params)`."""
    init_fn, apply_fn, kernel_fn = network

    def init(key: Any, shape: Any) -> Any:
        out, params = init_fn(key, shape)
        return out, change(jax.random.fold_in(key, 1), params)

    return init, apply_fn, kernel_fn


def alone(model: Any, x: np.ndarray = X) -> Callable[[], Arguments]:
    """A network as it is."""
    return lambda: {"model": model, "x": x}


def leaky(slope: float) -> Callable:
    """A leaky ReLU of this slope."""
    return lambda: stax.LeakyRelu(slope)


def off_diagonal(factor: float) -> Callable:
    """K times `factor`, but on its diagonal."""
    return altered(
        lambda k, x1, x2, given: jnp.where((x1[:, None] == x2[None]).all(axis=-1), k, factor * k)
    )


def cosines(x1: Any, x2: Any) -> Any:
    """Cosines between rows."""
    norms = jnp.linalg.norm(x1, axis=1)[:, None] * jnp.linalg.norm(x2, axis=1)
    return x1 @ x2.T / norms


def distances(x1: Any, x2: Any) -> Any:
    """Distances between rows."""
    return jnp.linalg.norm(x1[:, None] - x2[None], axis=-1)


def from_row(row: int, *, gram: bool = False) -> Callable:
    """K too large from this row on; of a `gram`, as if its features were."""

    def alter(k: Any, x1: Any, x2: Any, given: bool) -> Any:
        rows = jnp.arange(len(x1))[:, None] >= row
        columns = jnp.arange(len(x2)) >= row
        if gram:
            return jnp.where(rows, 1.2, 1.0) * jnp.where(columns, 1.2, 1.0) * k
        return jnp.where(rows | columns, 1.3 * k, k)

    return altered(alter)


def rounded(dtype: Any) -> Callable:
    """The twin computed in another precision."""

    def kernel_fn(x1: Any, x2: Any = None, get: str = "ntk") -> Any:
        second = None if x2 is None else x2.astype(dtype)
        return RELU[2](x1.astype(dtype), second, get)

    return kernel_fn


class Stale:
    """A twin that keeps the first kernel of each shape."""

    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}

    def __call__(self, x1: Any, x2: Any = None, get: str = "ntk") -> Any:
        shape = (len(x1), None if x2 is None else len(x2))
        if shape not in self.known:
            self.known[shape] = RELU[2](x1, x2, get)
        return self.known[shape]


def frozen(*kept: int) -> Callable:
    """A forward pass in which only these leaves of the weights are trained."""

    def apply(apply_fn: Callable, params: Any, x: Any) -> Any:
        leaves, structure = jax.tree.flatten(params)
        leaves = [
            leaf if i in kept else jax.lax.stop_gradient(leaf) for i, leaf in enumerate(leaves)
        ]
        return apply_fn(structure.unflatten(leaves), x)

    return apply


def of_leaves(change: Callable) -> Callable:
    """Weights of which `change(key, leaf)` is made of every leaf."""

    def changed(key: Any, params: Any) -> Any:
        leaves, structure = jax.tree.flatten(params)
        keys = jax.random.split(key, len(leaves))
        return structure.unflatten([change(k, leaf) for k, leaf in zip(keys, leaves, strict=True)])

    return changed


def uniform(bound: float) -> Callable:
    """Weights uniform up to a bound, in place of normal ones."""
    return of_leaves(
        lambda key, leaf: jax.random.uniform(key, leaf.shape, minval=-bound, maxval=bound)
    )


@jax.custom_jvp
def steep_relu(x: Any) -> Any:
    """ReLU with a derivative of 1.1 in place of 1."""
    return jnp.maximum(x, 0)


@steep_relu.defjvp
def _steep(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return steep_relu(x), jnp.where(x > 0, 1.1, 0.0) * t


def by_hand(sigma: Callable, network: Any = RELU) -> Any:
    """The network of one hidden layer with this function as its activation."""

    def apply(apply_fn: Callable, params: Any, x: Any) -> Any:
        (w, b), _, (v, c) = params
        hidden = sigma(1.4 * x @ w / len(w) ** 0.5 + 0.4 * b)
        return 1.4 * hidden @ v / len(v) ** 0.5 + 0.4 * c

    return forward(apply, network)


def batch_norm(apply_fn: Callable, params: Any, x: Any) -> Any:
    """Outputs divided by their spread in the batch."""
    y = apply_fn(params, x)
    return y / jnp.sqrt((y**2).mean() + 1e-5)


def dropout(apply_fn: Callable, params: Any, x: Any) -> Any:
    """Inputs dropped by a fixed key."""
    return apply_fn(params, 2 * x * jax.random.bernoulli(jax.random.key(0), 0.5, x.shape))


def fan_out(apply_fn: Callable, params: Any, x: Any) -> Any:
    """The first layer divided by the root of its fan-out: 512 in place of 6."""
    (w, b), *rest = params
    return apply_fn([(w * (6 / 512) ** 0.5, b), *rest], x)


def tied(apply_fn: Callable, params: Any, x: Any) -> Any:
    """Two hidden layers with the weights of the second behind both."""
    first, relu, second, *rest = params
    h = apply_fn([first, relu, second, *rest[:-1], rest[-1]], x)
    (w, b), (v, c), (u, a) = first, second, rest[-1]
    h = jax.nn.relu(1.4 * x @ w / 6**0.5 + 0.4 * b)
    for _ in range(2):
        h = jax.nn.relu(1.4 * h @ v / 128**0.5 + 0.4 * c)
    return 1.4 * h @ u / 128**0.5 + 0.4 * a


def one_sided(params_key: Any, params: Any) -> Any:
    """Second half of the neurons equal to the first."""
    (w, b), relu, (v, c) = params
    half = w.shape[1] // 2
    w = jnp.concatenate([w[:, :half], w[:, :half]], 1)
    b = jnp.concatenate([b[:, :half], b[:, :half]], 1)
    return [(w, b), relu, (jnp.concatenate([v[:half], v[:half]]), c)]


def branch(stopped: bool) -> Any:
    """A residual network, with the derivative of its branch stopped."""
    layers = stax.serial(stax.Dense(128, 1.4), stax.Relu(), stax.Dense(128, 1.4))
    stop = layers
    if stopped:
        init_fn, apply_fn, kernel_fn = layers

        def stopped_fn(params: Any, x: Any, **kwargs: Any) -> Any:
            return jax.lax.stop_gradient(apply_fn(params, x, **kwargs))

        stop = init_fn, stopped_fn, kernel_fn
    return stax.serial(
        stax.Dense(128),
        stax.FanOut(2),
        stax.parallel(stax.Identity(), stop),
        stax.FanInSum(),
        stax.Relu(),
        stax.Dense(1),
    )

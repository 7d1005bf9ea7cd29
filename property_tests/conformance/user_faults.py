"""Faults that users have in a network, in its infinite-width twin, or in a Gram matrix.

They are planted in what `check_network` is given, not in ntval: `USER_FAULTS` has each with the
claim that refutes it, a part of what the refutation is said to look like, or why it is missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox
import flax.linen as linen
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


TWINS = {
    "a W_std 2 % too large": UserFault(
        "W_std 1.428 in both layers of the twin, K 8 %", twin(RELU, mlp(512, weight=1.428))
    ),
    "a W_std 5 % too large": UserFault("W_std 1.47", twin(RELU, mlp(512, weight=1.47))),
    "a W_std 10 % too small": UserFault("W_std 1.26", twin(RELU, mlp(512, weight=1.26))),
    "a W_std 40 % too large, two layers": UserFault(
        "W_std 1.96 in three layers", twin(TWO, mlp(128, 128, weight=1.96))
    ),
    "a W_std 5 % too large, two layers": UserFault(
        "W_std 1.47 in three layers", twin(TWO, mlp(128, 128, weight=1.47))
    ),
    "a b_std 20 % too large": UserFault(
        "b_std 0.48", twin(RELU, mlp(512, bias=0.48, head_bias=0.48))
    ),
    "a b_std 40 % too large": UserFault(
        "b_std 0.56", twin(RELU, mlp(512, bias=0.56, head_bias=0.56))
    ),
    "no bias in the twin": UserFault("b_std None", twin(RELU, mlp(512, bias=None, head_bias=None))),
    "a bias in the twin alone": UserFault(
        "the network has none", twin(mlp(512, bias=None, head_bias=None), RELU)
    ),
    "no bias of the head": UserFault("of the twin", twin(RELU, mlp(512, head_bias=None))),
    "relu for leaky relu of 0.01": UserFault(
        "the twin's activation", twin(mlp(512, act=leaky(0.01)), RELU)
    ),
    "leaky relu of 0.1 for 0.01": UserFault(
        "the twin's slope", twin(mlp(512, act=leaky(0.01)), mlp(512, act=leaky(0.1)))
    ),
    "leaky relu of 0.2 for 0.1": UserFault(
        "the twin's slope", twin(mlp(512, act=leaky(0.1)), mlp(512, act=leaky(0.2)))
    ),
    "gelu for gelu by tanh": UserFault(
        "the twin is of the exact one",
        twin(mlp(512, act=lambda: stax.Gelu(approximate=True)), mlp(512, act=stax.Gelu)),
    ),
    "gelu for relu": UserFault("the twin's activation", twin(RELU, mlp(512, act=stax.Gelu))),
    "erf for tanh": UserFault(
        "the twin's activation", twin(by_hand(jnp.tanh), mlp(512, act=stax.Erf))
    ),
    "a layer missing": UserFault("in the twin", twin(TWO, RELU)),
    "a layer too many": UserFault("in the twin", twin(RELU, TWO)),
    "activation missing behind the last layer": UserFault(
        "the twin ends on ReLU", twin(RELU, stax.serial(RELU, stax.Relu()))
    ),
    "nngp for ntk": UserFault(
        "the twin ignores get", twin(RELU, lambda x1, x2=None, get="ntk": RELU[2](x1, x2, "nngp"))
    ),
    "sum over outputs": UserFault(
        "the twin is that of the sum over three outputs",
        twin(mlp(512, outputs=3), altered(lambda k, x1, x2, given: 3 * k)),
    ),
    "standard parametrization in the twin alone": UserFault(
        "the network has NTK parametrization", twin(RELU, mlp(512, parametrization="standard"))
    ),
    "standard parametrization in the network alone": UserFault(
        "the twin has NTK parametrization", twin(mlp(512, parametrization="standard"), RELU)
    ),
    "off where x2 is given": UserFault(
        "K(x1, x2) 20 % too large where x2 is given",
        twin(RELU, altered(lambda k, x1, x2, given: k * (1.2 if given else 1.0))),
    ),
    "off at equal inputs where x2 is given": UserFault(
        "K(x1, x2) 30 % too small there",
        twin(
            RELU,
            altered(
                lambda k, x1, x2, given: jnp.where(given & (distances(x1, x2) < 1e-9), 0.7 * k, k)
            ),
        ),
    ),
    "10 % off the diagonal": UserFault("K[i, j] of i != j", twin(RELU, off_diagonal(0.9))),
    "3 % off the diagonal": UserFault("K[i, j] of i != j", twin(RELU, off_diagonal(0.97))),
    "off at negative cosines": UserFault(
        "K 30 % too large there",
        twin(
            RELU,
            altered(lambda k, x1, x2, given: jnp.where(cosines(x1, x2) < 0, 1.3 * k, k)),
        ),
    ),
    "off at cosines below -0.7": UserFault(
        "K 30 % too large there",
        twin(
            RELU,
            altered(lambda k, x1, x2, given: jnp.where(cosines(x1, x2) < -0.7, 1.3 * k, k)),
        ),
    ),
    "off at near duplicates": UserFault(
        "K 10 % too small at different inputs nearer than 0.01; one pair in 24 rows",
        twin(
            RELU,
            altered(
                lambda k, x1, x2, given: jnp.where(
                    (distances(x1, x2) < 0.01) & (distances(x1, x2) > 1e-9), 0.9 * k, k
                )
            ),
            NEAR,
        ),
    ),
    "off from row 6 on": UserFault("a tile added twice", twin(RELU, from_row(6))),
    "off from row 16 on": UserFault("a tile added twice", twin(RELU, from_row(16))),
    "off from row 256 on": UserFault("a tile added twice", twin(RELU, from_row(256), LONG)),
    "features from row 16 on too large": UserFault(
        "K 1.2 times for each row beyond, so that it stays positive semi-definite",
        twin(RELU, from_row(16, gram=True)),
    ),
    "the transpose where x2 is given": UserFault(
        "K(x2, x1)",
        twin(RELU, altered(lambda k, x1, x2, given: k.T if given else k)),
    ),
    "x2 ignored": UserFault(
        "K(x1, x1) where x2 is given",
        twin(RELU, lambda x1, x2=None, get="ntk": RELU[2](x1, None, get)),
    ),
    "computed in float32": UserFault("of the twin", twin(RELU, rounded(jnp.float32))),
    "computed in bfloat16": UserFault("of the twin", twin(RELU, rounded(jnp.bfloat16))),
    "not symmetric": UserFault(
        "1 % more above the diagonal",
        twin(RELU, altered(lambda k, x1, x2, given: k + 0.01 * jnp.triu(k, 1))),
    ),
    "norms of x1 for both": UserFault(
        "K(x1, x2) multiplied by |x1| / |x2|",
        twin(
            RELU,
            altered(
                lambda k, x1, x2, given: (
                    k * jnp.linalg.norm(x1, axis=1)[:, None] / jnp.linalg.norm(x2, axis=1)
                )
            ),
        ),
    ),
    "not positive semi-definite": UserFault(
        "the diagonal 60 % too small",
        twin(
            RELU,
            altered(lambda k, x1, x2, given: jnp.where(distances(x1, x2) < 1e-9, 0.4 * k, k)),
        ),
    ),
    "jitter of 1e-3": UserFault(
        "on the diagonal where x2 is not given",
        twin(RELU, altered(lambda k, x1, x2, given: k if given else k + 1e-3 * jnp.eye(len(k)))),
    ),
    "jitter of 0.3": UserFault(
        "on the diagonal where x2 is not given",
        twin(RELU, altered(lambda k, x1, x2, given: k if given else k + 0.3 * jnp.eye(len(k)))),
    ),
    "inputs normalized in the twin": UserFault(
        "rows divided by their norm, times the root of d",
        twin(
            RELU,
            lambda x1, x2=None, get="ntk": RELU[2](
                *(
                    None if x is None else 6**0.5 * x / jnp.linalg.norm(x, axis=1, keepdims=True)
                    for x in (x1, x2)
                ),
                get,
            ),
        ),
    ),
    "kernel divided by its largest entry": UserFault(
        "normalized over the batch",
        twin(RELU, altered(lambda k, x1, x2, given: 3 * k / k.max())),
    ),
    "stale cache": UserFault(
        "K of the first inputs of each shape", lambda: {"model": RELU, "x": X, "kernel_fn": Stale()}
    ),
    "inputs not divided by the root of d": UserFault(
        "K of inputs times the root of 6",
        twin(
            RELU,
            lambda x1, x2=None, get="ntk": RELU[2](
                6**0.5 * x1, None if x2 is None else 6**0.5 * x2, get
            ),
        ),
    ),
}

NETWORKS = {
    "fan-out in place of fan-in": UserFault("in the first layer", alone(forward(fan_out))),
    "head frozen": UserFault("stop_gradient on its weights", alone(forward(frozen(0, 1)))),
    "biases frozen": UserFault("stop_gradient on them", alone(forward(frozen(0, 2)))),
    "uniform weights of the wrong scale": UserFault(
        "U(-1, 1): a variance of 1/3", alone(weights(uniform(1.0)))
    ),
    "a tenth of the weights is 0": UserFault(
        "masked",
        alone(
            weights(of_leaves(lambda key, leaf: leaf * jax.random.bernoulli(key, 0.9, leaf.shape)))
        ),
    ),
    "neurons in equal pairs": UserFault("half of them copied", alone(weights(one_sided))),
    "tied layers": UserFault(
        "two layers of one weight against a twin of independent ones",
        twin(forward(tied, TWO), mlp(128, 128, 128)),
    ),
    "a wrong derivative": UserFault("custom_jvp of slope 1.1", alone(by_hand(steep_relu))),
    "gradient stopped on a branch": UserFault("of a residual network", alone(branch(True))),
    "batch statistics": UserFault("outputs divided by their spread", alone(forward(batch_norm))),
    "dropout on": UserFault("with a fixed key", alone(forward(dropout))),
    "bfloat16 inside": UserFault(
        "weights and inputs in bfloat16, the output in float64",
        alone(
            forward(
                lambda f, p, x: f(
                    jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), p),
                    x.astype(jnp.bfloat16),
                ).astype(jnp.float64)
            )
        ),
    ),
    "second output twice as large": UserFault(
        "of two, against a twin of both",
        alone(forward(lambda f, p, x: f(p, x) * jnp.array([1.0, 2.0]), mlp(512, outputs=2))),
    ),
    "output shifted by that of the first row": UserFault(
        "f(x) - f(x[0])", alone(forward(lambda f, p, x: f(p, x) - f(p, x[:1])))
    ),
    "abs for relu": UserFault("the forward pass", alone(by_hand(jnp.abs))),
}


# STAX, CONVOLUTIONS


def cnn(
    *layers: Any,
    filters: tuple[int, int] = (3, 3),
    padding: str = "SAME",
    weight: float = 1.4,
    bias: float | None = 0.4,
    **options: Any,
) -> Any:
    """One convolution, ReLU, the layers, and a linear head."""
    first = stax.Conv(64, filters, padding=padding, W_std=weight, b_std=bias, **options)
    return stax.serial(first, stax.Relu(), *layers, stax.Dense(1))


POOL = (stax.AvgPool((2, 2), (2, 2)), stax.Flatten())
CNN = cnn(*POOL)


def images(model: Any, kernel: Any) -> Callable[[], Arguments]:
    """A network with the kernel of another, at images."""
    return twin(model, kernel, IMAGES)


CONVOLUTIONS = {
    "padding valid for same": UserFault("in the twin", images(CNN, cnn(*POOL, padding="VALID"))),
    "circular padding for same": UserFault(
        "in the twin", images(CNN, cnn(*POOL, padding="CIRCULAR"))
    ),
    "sum pooling for average": UserFault(
        "in the twin", images(CNN, cnn(stax.SumPool((2, 2), (2, 2)), stax.Flatten()))
    ),
    "global pooling for flatten": UserFault(
        "in the twin", images(cnn(stax.Flatten()), cnn(stax.GlobalAvgPool()))
    ),
    "filters of 5 by 5 for 3 by 3": UserFault(
        "in the twin", images(CNN, cnn(*POOL, filters=(5, 5)))
    ),
    "convolution's W_std 10 % too large": UserFault(
        "in the twin", images(CNN, cnn(*POOL, weight=1.54))
    ),
    "convolution without bias": UserFault("in the twin", images(CNN, cnn(*POOL, bias=None))),
}


# FLAX


class Linen(linen.Module):
    """A network of flax as its users write it, in the standard parametrization."""

    act: Callable = linen.relu
    width: int = 128
    draw: Any = linen.initializers.lecun_normal()
    use_bias: bool = True
    dtype: Any = None
    between: Callable = lambda x: x

    @linen.compact
    def __call__(self, x: Any) -> Any:
        options = {"kernel_init": self.draw, "use_bias": self.use_bias, "dtype": self.dtype}
        x = self.between(self.act(linen.Dense(self.width, **options)(x)))
        return linen.Dense(1, **options)(x)


class Norm(Linen):
    """The same with a layer in between that needs to be made inside."""

    layer: Callable = linen.LayerNorm

    @linen.compact
    def __call__(self, x: Any) -> Any:
        x = self.layer()(linen.Dense(self.width)(x))
        return linen.Dense(1)(self.act(x))


def linen_twin(
    *widths: int, act: Any = stax.Relu, bias: float | None = 0.0, parametrization: str = "standard"
) -> Any:
    """The twin of `Linen`: weights of variance 1 / fan-in, biases that are trained and start at
    0."""
    return mlp(
        *(widths or (128,)),
        act=act,
        weight=1.0,
        bias=bias,
        head_bias=bias,
        parametrization=parametrization,
    )


def _batch_softmax(x: Any) -> Any:
    return x.shape[-1] * jax.nn.softmax(x, axis=0)


INITIALIZERS = linen.initializers
FLAX = {
    "none": UserFault("the right twin: no fault", twin(Linen(), linen_twin())),
    "twin in the NTK parametrization": UserFault(
        "of a network in the standard one", twin(Linen(), linen_twin(parametrization="ntk"))
    ),
    "twin of another width": UserFault(
        "256 for 128, in the standard parametrization", twin(Linen(), linen_twin(256))
    ),
    "twin without biases": UserFault("in the twin", twin(Linen(), linen_twin(bias=None))),
    "network without biases": UserFault(
        "use_bias=False", twin(Linen(use_bias=False), linen_twin())
    ),
    "he_normal for lecun_normal": UserFault(
        "in the network", twin(Linen(draw=INITIALIZERS.he_normal()), linen_twin())
    ),
    "uniform(0.1) for lecun_normal": UserFault(
        "in the network", twin(Linen(draw=INITIALIZERS.uniform(0.1)), linen_twin())
    ),
    "silu for gelu": UserFault(
        "in the network", twin(Linen(act=linen.silu), linen_twin(act=stax.Gelu))
    ),
    "flax's leaky relu for one of 0.2": UserFault(
        "0.01 is flax's default", twin(Linen(act=linen.leaky_relu), linen_twin(act=leaky(0.2)))
    ),
    "a layer missing": UserFault("in the network", twin(Linen(), linen_twin(128, 128))),
    "LayerNorm in the network alone": UserFault("not in the twin", twin(Norm(), linen_twin())),
    "BatchNorm in training mode": UserFault(
        "use_running_average=False",
        alone(Norm(layer=lambda: linen.BatchNorm(use_running_average=False))),
    ),
    "dropout on": UserFault(
        "deterministic=False", alone(Norm(layer=lambda: linen.Dropout(0.5, deterministic=False)))
    ),
    "softmax over the batch": UserFault("axis 0", alone(Linen(between=_batch_softmax))),
    "bfloat16": UserFault("dtype=bfloat16 in every layer", alone(Linen(dtype=jnp.bfloat16))),
    "features sorted": UserFault(
        "jnp.sort over the batch", alone(Linen(between=lambda x: jnp.sort(x, axis=0)))
    ),
}


# EQUINOX


class Mlp(equinox.Module):
    """A network of one hidden layer in the NTK parametrization."""

    first: Any
    second: Any
    act: Callable = equinox.field(static=True)
    power: float = equinox.field(static=True)

    def __call__(self, x: Any) -> Any:
        hidden = self.act(self.first @ x / self.first.shape[1] ** 0.5)
        return self.second @ hidden / self.second.shape[1] ** self.power


class Deep(equinox.Module):
    """Two hidden layers of one width, of which the second may have the first one's weights."""

    layers: list
    factors: Any = equinox.field(static=True)

    def __call__(self, x: Any) -> Any:
        for w in self.layers[:-1]:
            x = jnp.tanh(w @ x / w.shape[1] ** 0.5)
        return self.layers[-1] @ x / x.shape[0] ** 0.5


def made(
    key: Any,
    width: int,
    *,
    act: Callable = jax.scipy.special.erf,
    power: float = 0.5,
    change: Any = None,
) -> Mlp:
    """The network at a width; `change(key, first, second)` changes its weights."""
    first, second, third = jax.random.split(key, 3)
    w, v = jax.random.normal(first, (width, 6)), jax.random.normal(second, (1, width))
    if change is not None:
        w, v = change(third, w, v)
    return Mlp(w, v, act, power)


def deep(key: Any, width: int, hidden: int | None = None) -> Deep:
    """Two hidden layers, the second of `hidden` neurons."""
    keys = jax.random.split(key, 3)
    shapes = (width, 6), (hidden or width, width), (1, hidden or width)
    return Deep([jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True)], None)


def library(key: Any, width: int) -> Any:
    """What equinox has."""
    return equinox.nn.MLP(6, 1, width, 1, jax.nn.relu, key=key)


def one_key(key: Any, width: int) -> Mlp:
    """Both layers drawn from one key."""
    return Mlp(
        jax.random.normal(key, (width, 6)),
        jax.random.normal(key, (1, width)),
        jax.scipy.special.erf,
        0.5,
    )


ERF = mlp(64, act=stax.Erf, weight=1.0, bias=None, head_bias=None)


def grown(kernel: Any = None, init: Callable = made, **options: Any) -> Callable[[], Arguments]:
    """A network of equinox at growing widths, with a twin."""

    def init_fn(key: Any, width: int) -> Any:
        return init(key, width, **options)

    twins = (
        {} if kernel is None else {"kernel_fn": kernel[2] if isinstance(kernel, tuple) else kernel}
    )
    return lambda: {"model": None, "x": X, "init": init_fn, **twins}


def changed(change: Callable) -> dict[str, Any]:
    """The option of `made` that changes its weights."""
    return {"change": change}


EQUINOX = {
    "none": UserFault("no fault", grown(ERF)),
    "equinox's own MLP": UserFault("the standard parametrization", grown(None, library)),
    "head divided by the width": UserFault("mean-field scaling", grown(ERF, power=1.0)),
    "head divided by a nearly right power": UserFault("width^0.48", grown(None, power=0.48)),
    "twin 5 % too large": UserFault("a constant", grown(altered(lambda k, a, b, g: 1.05 * k, ERF))),
    "twin 2 % too large": UserFault("a constant", grown(altered(lambda k, a, b, g: 1.02 * k, ERF))),
    "a layer of fixed width": UserFault(
        "the second of 16 neurons at every width", grown(None, deep, hidden=16)
    ),
    "a random scale": UserFault(
        "a standard deviation that is itself drawn, by 30 %",
        grown(None, **changed(lambda key, w, v: (w, v * (1 + 0.3 * jax.random.normal(key))))),
    ),
    "neurons all the same": UserFault(
        "one row repeated",
        grown(None, **changed(lambda key, w, v: (jnp.broadcast_to(w[:1], w.shape), v))),
    ),
    "neurons in equal pairs": UserFault(
        "half of them copied, head and all: the twin is the same, the variance doubled",
        grown(
            ERF,
            **changed(
                lambda key, w, v: (
                    jnp.concatenate([w[::2], w[::2]]),
                    jnp.concatenate([v[:, ::2], v[:, ::2]], 1),
                )
            ),
        ),
    ),
    "both layers from one key": UserFault(
        "in place of a split key: the same numbers, in both", grown(ERF, one_key)
    ),
    "the key ignored": UserFault(
        "the same weights from every key",
        grown(ERF, lambda key, width: made(jax.random.key(0), width)),
    ),
}


# A FUNCTION WITH A KERNEL BY HAND


def relu_net(params: Any, x: Any) -> Any:
    """One hidden layer of ReLU, normalized."""
    hidden = jax.nn.relu(x @ params["w"] / x.shape[1] ** 0.5)
    return hidden @ params["v"] * (2 / len(params["v"])) ** 0.5


def relu_params(key: Any, width: int) -> Any:
    """Its weights."""
    first, second = jax.random.split(key)
    return {
        "w": jax.random.normal(first, (6, width)),
        "v": jax.random.normal(second, (width, 1)),
    }


def arc_cosine(
    x1: Any,
    x2: Any,
    *,
    clip: float = 1.0,
    size: Callable = lambda x: jnp.sqrt((x**2).sum(axis=1) / x.shape[1]),
    angle: Callable = lambda c: jnp.arccos(c),
    step: float = 1.0,
    ramp: float = 1.0,
    pi: float = np.pi,
    cosine: Callable = lambda c: c,
) -> Any:
    """The kernel of `relu_net` as its author writes it."""
    s1, s2 = size(x1), size(x2)
    products = s1[:, None] * s2
    c = cosine(jnp.clip(x1 @ x2.T / x1.shape[1] / products, -clip, clip))
    theta = angle(c)
    kappa0 = (pi - theta) / pi
    kappa1 = (jnp.sin(theta) + (pi - theta) * c) / pi
    return products * (ramp * kappa1 + step * c * kappa0)


def hand(
    kernel: Callable | None = None,
    x: np.ndarray = X,
    widths: Any = (64, 128, 256, 512),
    **options: Any,
) -> Callable[[], Arguments]:
    """The function with a kernel by hand."""

    def kernel_fn(x1: Any, x2: Any = None) -> Any:
        return (kernel or arc_cosine)(x1, x1 if x2 is None else x2, **options)

    return lambda: {
        "model": relu_net,
        "x": x,
        "init": relu_params,
        "kernel_fn": kernel_fn,
        "widths": widths,
    }


def after(alter: Callable) -> Callable[[], Arguments]:
    """The right kernel, altered by `alter(K, x1, x2)`."""
    return hand(lambda x1, x2: alter(arc_cosine(x1, x2), x1, x2))


HAND = {
    "none": UserFault("no fault", hand()),
    "no clip": UserFault("arccos of 1 + 2e-16", hand(clip=1.0 + 1e-15)),
    "clipped at 0.99": UserFault("the largest cosine", hand(clip=0.99)),
    "clipped at 1 - 1e-6": UserFault("the largest cosine", hand(clip=1 - 1e-6)),
    "no step part": UserFault("the NNGP kernel alone", hand(step=0.0)),
    "factor 2 on one part": UserFault("the step part", hand(step=2.0)),
    "factor 1/2": UserFault("the He normalization forgotten", hand(step=0.5, ramp=0.5)),
    "pi rounded to 3.14": UserFault("0.05 %", hand(pi=3.14)),
    "pi rounded to 3": UserFault("4.5 %", hand(pi=3.0)),
    "absolute cosine": UserFault("|cos|", hand(cosine=jnp.abs)),
    "norms forgotten": UserFault(
        "the kernel of unit inputs", hand(size=lambda x: jnp.ones(len(x)))
    ),
    "constant bias": UserFault("+ 1", after(lambda k, x1, x2: k + 1.0)),
    "centered Gram matrix": UserFault(
        "rows and columns centered",
        after(lambda k, x1, x2: k - k.mean(0) - k.mean(1)[:, None] + k.mean()),
    ),
    "rounded to float16": UserFault(
        "and back", after(lambda k, x1, x2: k.astype(jnp.float16).astype(jnp.float64))
    ),
    "negative entries set to 0": UserFault("max(K, 0)", after(lambda k, x1, x2: jnp.maximum(k, 0))),
    "last row scaled": UserFault("1.2 times", after(lambda k, x1, x2: k.at[-1].multiply(1.2))),
    "input 0 alone": UserFault(
        "K 1.3 times at the input X[0], wherever it stands",
        after(
            lambda k, x1, x2: jnp.where(
                (distances(x1, jnp.asarray(X[:1])) < 1e-9)
                | (distances(jnp.asarray(X[:1]), x2) < 1e-9),
                1.3 * k,
                k,
            )
        ),
    ),
}


# GRAM MATRICES


def gram(change: Callable, draws: int = 0) -> Callable[[], Arguments]:
    """A Gram matrix that was computed elsewhere, with the twin; or several at independent
    weights."""

    def given() -> Arguments:
        with jax.enable_x64(True):
            if draws:
                keys = jax.random.split(jax.random.key(0), draws)
                grams = np.stack([_empirical(key) for key in keys])
            else:
                grams = np.asarray(arc_cosine(jnp.asarray(X), jnp.asarray(X)))
        return {"model": change(grams), "x": X, "kernel_fn": _reference}

    return given


def _reference(x1: Any, x2: Any = None) -> Any:
    return arc_cosine(x1, x1 if x2 is None else x2)


@jax.jit
def _empirical(key: Any) -> Any:
    """K of `relu_net` at 256 neurons."""
    params, x = relu_params(key, 256), jnp.asarray(X)
    rows = jax.jacobian(lambda p: relu_net(p, x)[:, 0])(params)
    rows = jnp.concatenate([r.reshape(len(x), -1) for r in jax.tree.leaves(rows)], 1)
    return rows @ rows.T


def _entry(k: np.ndarray) -> np.ndarray:
    k = k.copy()
    k[2, 5] *= 1.001
    k[5, 2] *= 1.001
    return k


def _swapped(k: np.ndarray) -> np.ndarray:
    order = np.arange(len(k))
    order[[3, 4]] = [4, 3]
    return k[np.ix_(order, order)]


GRAMS = {
    "none": UserFault("no fault", gram(lambda k: k)),
    "one entry": UserFault("0.1 %", gram(_entry)),
    "scale": UserFault("0.1 %", gram(lambda k: 1.001 * k)),
    "jitter of 1e-3": UserFault("on the diagonal", gram(lambda k: k + 1e-3 * np.eye(len(k)))),
    "two rows exchanged": UserFault("inputs in another order", gram(_swapped)),
    "stored in bfloat16": UserFault(
        "every entry", gram(lambda k: np.asarray(jnp.asarray(k, dtype=jnp.bfloat16)))
    ),
    "computed in float32, kept in float64": UserFault(
        "stored as float64", gram(lambda k: k.astype(np.float32).astype(float))
    ),
    "sum over four outputs": UserFault("four times K", gram(lambda k: 4 * k)),
    "not positive": UserFault("K - 0.5", gram(lambda k: k - 0.5 * np.eye(len(k)))),
    "one draw for the limit": UserFault("an empirical kernel", gram(lambda k: k[0], 1)),
    "draws": UserFault("no fault", gram(lambda k: k, 200)),
    "draws 10 % too large": UserFault("of 200", gram(lambda k: 1.1 * k, 200)),
    "draws 3 % too large": UserFault("of 200", gram(lambda k: 1.03 * k, 200)),
    "draws of the same weights": UserFault(
        "one of them 200 times", gram(lambda k: np.broadcast_to(k[:1], k.shape), 200)
    ),
    "draws without their biases": UserFault("K - 0.3", gram(lambda k: k - 0.3, 200)),
}

USER_FAULTS: dict[str, UserFault] = {
    f"{architecture}: {name}": fault
    for architecture, faults in {
        "stax": TWINS | NETWORKS,
        "cnn": CONVOLUTIONS,
        "flax": FLAX,
        "equinox": EQUINOX,
        "by hand": HAND,
        "Gram matrix": GRAMS,
    }.items()
    for name, fault in faults.items()
}


# WHAT COMES OF THEM


# The claim that refutes it, and a part of its diagnosis where that names the cause.
REFUTED: dict[str, tuple[str, str]] = {
    "stax: a W_std 2 % too large": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 5 % too large": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 10 % too small": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 40 % too large, two layers": ("mean_kernel", "a wrong scale"),
    "stax: a W_std 5 % too large, two layers": ("mean_kernel", "a wrong scale"),
    "stax: a b_std 20 % too large": ("mean_kernel", ""),
    "stax: a b_std 40 % too large": ("mean_kernel", ""),
    "stax: no bias in the twin": ("mean_kernel", "a missing bias"),
    "stax: a bias in the twin alone": ("mean_kernel", "a missing bias"),
    "stax: no bias of the head": ("mean_kernel", "a missing bias"),
    "stax: leaky relu of 0.1 for 0.01": ("mean_kernel", ""),
    "stax: leaky relu of 0.2 for 0.1": ("mean_kernel", ""),
    "stax: gelu for relu": ("mean_kernel", ""),
    "stax: erf for tanh": ("mean_kernel", ""),
    "stax: a layer missing": ("mean_kernel", ""),
    "stax: a layer too many": ("mean_kernel", ""),
    "stax: activation missing behind the last layer": ("mean_kernel", ""),
    "stax: nngp for ntk": ("mean_kernel", ""),
    "stax: sum over outputs": ("mean_kernel", "the sum over 3 outputs"),
    "stax: standard parametrization in the twin alone": ("mean_kernel", "another parametrization"),
    "stax: standard parametrization in the network alone": (
        "mean_kernel",
        "another parametrization",
    ),
    "stax: off where x2 is given": ("block_consistency", ""),
    "stax: 10 % off the diagonal": ("mean_kernel", "away from the diagonal"),
    "stax: 3 % off the diagonal": ("mean_kernel", "away from the diagonal"),
    "stax: off at negative cosines": ("mean_kernel", ""),
    "stax: off at near duplicates": ("mean_kernel", "and no other"),
    "stax: off from row 6 on": ("block_consistency", ""),
    "stax: off from row 16 on": ("positive_semidefinite", ""),
    "stax: off from row 256 on": ("positive_semidefinite", ""),
    "stax: x2 ignored": ("symmetry", ""),
    "stax: not symmetric": ("symmetry", ""),
    "stax: norms of x1 for both": ("symmetry", ""),
    "stax: not positive semi-definite": ("positive_semidefinite", ""),
    "stax: jitter of 0.3": ("mean_kernel", "on the diagonal"),
    "stax: inputs normalized in the twin": ("mean_kernel", ""),
    "stax: kernel divided by its largest entry": ("block_consistency", ""),
    "stax: stale cache": ("symmetry", ""),
    "stax: inputs not divided by the root of d": ("mean_kernel", "a wrong scale"),
    "stax: fan-out in place of fan-in": ("mean_kernel", ""),
    "stax: head frozen": ("finite_differences", ""),
    "stax: biases frozen": ("finite_differences", ""),
    "stax: uniform weights of the wrong scale": ("mean_kernel", "a wrong scale"),
    "stax: a tenth of the weights is 0": ("mean_kernel", ""),
    "stax: a wrong derivative": ("finite_differences", ""),
    "stax: gradient stopped on a branch": ("finite_differences", ""),
    "stax: batch statistics": ("batch_independence", "BatchNorm in training mode"),
    "stax: dropout on": ("batch_independence", "dropout left on"),
    "stax: second output twice as large": ("mean_kernel", ""),
    "stax: output shifted by that of the first row": (
        "batch_independence",
        "the place in the batch",
    ),
    "stax: abs for relu": ("mean_kernel", ""),
    "cnn: padding valid for same": ("mean_kernel", ""),
    "cnn: circular padding for same": ("mean_kernel", ""),
    "cnn: sum pooling for average": ("mean_kernel", "a wrong scale"),
    "cnn: global pooling for flatten": ("mean_kernel", ""),
    "cnn: filters of 5 by 5 for 3 by 3": ("mean_kernel", ""),
    "cnn: convolution's W_std 10 % too large": ("mean_kernel", "a wrong scale"),
    "cnn: convolution without bias": ("mean_kernel", "a missing bias"),
    "flax: twin in the NTK parametrization": ("mean_kernel", "another parametrization"),
    "flax: twin of another width": ("mean_kernel", ""),
    "flax: twin without biases": ("mean_kernel", "a missing bias"),
    "flax: network without biases": ("mean_kernel", "a missing bias"),
    "flax: he_normal for lecun_normal": ("mean_kernel", "a wrong scale"),
    "flax: uniform(0.1) for lecun_normal": ("mean_kernel", ""),
    "flax: silu for gelu": ("mean_kernel", ""),
    "flax: flax's leaky relu for one of 0.2": ("mean_kernel", ""),
    "flax: a layer missing": ("mean_kernel", ""),
    "flax: LayerNorm in the network alone": ("mean_kernel", ""),
    "flax: softmax over the batch": ("batch_independence", "the other inputs' values"),
    "flax: features sorted": ("batch_independence", "rows mixed up"),
    "equinox: equinox's own MLP": ("parametrization", "the standard parametrization"),
    "equinox: head divided by the width": ("parametrization", "a wrong power of its width"),
    "equinox: head divided by a nearly right power": (
        "parametrization",
        "a wrong power of its width",
    ),
    "equinox: twin 5 % too large": ("mean_kernel", "a wrong scale"),
    "equinox: twin 2 % too large": ("mean_kernel", "a wrong scale"),
    "equinox: a layer of fixed width": ("width_concentration", ""),
    "equinox: a random scale": ("width_concentration", ""),
    "equinox: neurons all the same": ("width_concentration", ""),
    "equinox: the key ignored": ("parametrization", ""),
    "by hand: clipped at 0.99": ("mean_kernel", "on the diagonal"),
    "by hand: no step part": ("mean_kernel", ""),
    "by hand: factor 2 on one part": ("mean_kernel", ""),
    "by hand: factor 1/2": ("mean_kernel", "a wrong scale"),
    "by hand: pi rounded to 3": ("mean_kernel", ""),
    "by hand: absolute cosine": ("positive_semidefinite", ""),
    "by hand: norms forgotten": ("positive_semidefinite", ""),
    "by hand: constant bias": ("mean_kernel", "a constant"),
    "by hand: centered Gram matrix": ("block_consistency", ""),
    "by hand: negative entries set to 0": ("mean_kernel", ""),
    "by hand: last row scaled": ("symmetry", ""),
    "by hand: input 0 alone": ("positive_semidefinite", ""),
    "Gram matrix: one entry": ("equals_reference", "entry [2, 5]"),
    "Gram matrix: scale": ("equals_reference", "a wrong scale"),
    "Gram matrix: jitter of 1e-3": ("equals_reference", "on the diagonal"),
    "Gram matrix: two rows exchanged": ("equals_reference", "rows [3, 4]"),
    "Gram matrix: sum over four outputs": ("equals_reference", "4 times too large"),
    "Gram matrix: not positive": ("positive_semidefinite", ""),
    "Gram matrix: one draw for the limit": ("equals_reference", "one draw of a finite network"),
    "Gram matrix: draws 10 % too large": ("mean", "a wrong scale"),
    "Gram matrix: draws without their biases": ("positive_semidefinite", ""),
}

# A part of the message where it is refused as unusable.
REFUSED: dict[str, str] = {
    "stax: the transpose where x2 is given": "needs a kernel_fn that returns an array of shape",
    "flax: BatchNorm in training mode": "BatchNorm in training mode",
    "flax: dropout on": "dropout left on",
    "by hand: no clip": "needs finite entries, got nan",
}

# Why no claim refutes it.
MISSED: dict[str, str] = {
    "stax: relu for leaky relu of 0.01": "2 % of K; mean_kernel resolves 4 %",
    "stax: gelu for gelu by tanh": "1e-3 of K; mean_kernel resolves 4 %",
    "stax: off at equal inputs where x2 is given": "block_consistency allows 67 % at equal inputs",
    "stax: off at cosines below -0.7": "no such pair in the 4 inputs of mean_kernel",
    "stax: features from row 16 on too large": "15 inputs in a call, or all with eigenvalues",
    "stax: computed in float32": "1e-7 of K, and nothing reads the precision of the twin",
    "stax: computed in bfloat16": "0.4 % of K, and nothing reads the precision of the twin",
    "stax: jitter of 1e-3": "0.02 % of K, and nothing compares K(x) with K(x, x)",
    "stax: neurons in equal pairs": "the mean is right, no claim has the variance",
    "stax: bfloat16 inside": "judged as bfloat16: INCONCLUSIVE",
    "flax: bfloat16": "judged as bfloat16: INCONCLUSIVE",
    "equinox: neurons in equal pairs": "the rate is right, no claim has the variance",
    "equinox: both layers from one key": "less than 5 % of K; no claim is on weights",
    "by hand: clipped at 1 - 1e-6": "1e-3 of K at equal inputs; mean_kernel resolves 5 %",
    "by hand: pi rounded to 3.14": "0.05 % of K; mean_kernel resolves 5 %",
    "by hand: rounded to float16": "0.05 % of K; mean_kernel resolves 5 %",
    "Gram matrix: stored in bfloat16": "judged as bfloat16",
    "Gram matrix: computed in float32, kept in float64": "judged as float32",
    "Gram matrix: draws 3 % too large": "200 draws of width 256 do not tell: INCONCLUSIVE",
    "Gram matrix: draws of the same weights": "no independent draws: mean is not run",
}

# No faults: nothing may be refuted.
RIGHT: dict[str, str] = {
    "stax: tied layers": "no fault at infinite width; INCONCLUSIVE, the bias is unknown",
    "flax: none": "no fault: the right twin",
    "equinox: none": "no fault",
    "by hand: none": "no fault: the right kernel",
    "Gram matrix: draws": "no fault",
}

# No faults, and refuted nevertheless: faults of ntval.
FALSE_ALARMS: dict[str, str] = {
    "Gram matrix: none": "equals_reference allows 3e-12 on the diagonal, where arccos leaves 1e-8",
}

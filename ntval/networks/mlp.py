r"""Fully connected networks of our own, in five parametrizations.

| parametrization | hidden layer | output layer |
|---|---|---|
| `ntk` | $h = w_\mathrm{std}\, x W / \sqrt{\text{fan in}} + b_\mathrm{std}\, b$, entries N(0, 1) | the same |
| `standard` | $h = x W + b$, entries N(0, $w_\mathrm{std}^2$ / fan in) and N(0, $b_\mathrm{std}^2$) | the same |
| `unscaled_last_layer` | $h = x W$, entries N(0, $w_\mathrm{std}^2$ / fan in) | $x W$, entries N(0, 1) |
| `signed_last_layer` | the same | $x W$, entries +1 and -1 |
| `montanari_zhong` | $h = x W$, columns of W uniform on the unit sphere | $(N d)^{-1/2} \sum_l b_l \sigma(h_l)$, fixed signs $b_l = (-1)^l$ |
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntval.activations import Activation, activation
from ntval.arrays import AnyArray
from ntval.errors import InputError, unknown_name
from ntval.networks.network import Network
from ntval.regimes import Regime, require_counts, require_nonnegative, require_widths

Params = list[dict[str, Array]]


@dataclass(frozen=True)
class Parametrization:
    """How a fully connected network draws, scales and trains its layers.

    `init(mlp, key)`: draws the parameters that are trained.
    `scales(mlp, fan_in)`: the factors that multiply weights and biases in the forward pass.
    `trained`: which layers are: "all", or the "first" of two, whose second is fixed at +1 and -1.
    """

    name: str
    init: Callable[[Mlp, Array], Params]
    scales: Callable[[Mlp, int], tuple[float, float]]
    trained: Literal["all", "first"] = "all"


@dataclass(frozen=True)
class Mlp:
    """A fully connected network: what the closed-form kernels need to know of it.

    `params` are one dict a layer: {"w": (fan_in, fan_out), "b": (fan_out,)}, without "b" when
    `b_std` is 0. In `montanari_zhong` there is one hidden layer, {"w": (d, N)} alone is trained.
    """

    d: int
    widths: tuple[int, ...]
    activation: str | Activation = "relu"
    w_std: float = math.sqrt(2.0)
    b_std: float = 0.5
    outputs: int = 1
    parametrization: str | Parametrization = "ntk"

    def __post_init__(self) -> None:
        require_counts(self, "d", "outputs")
        require_widths(self)
        require_nonnegative(self, w_std=self.w_std, b_std=self.b_std)
        activation(self.activation)
        trained = parametrization(self.parametrization).trained
        if trained == "first" and (len(self.widths) != 1 or self.outputs != 1):
            raise InputError(
                f"Mlp with parametrization={self.parametrization!r} needs one hidden layer and one "
                f"output, got widths={self.widths!r}, outputs={self.outputs}."
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes from the inputs to the outputs."""
        return (self.d, *self.widths, self.outputs)

    @property
    def trained_first(self) -> bool:
        """Whether the first layer alone is trained."""
        return parametrization(self.parametrization).trained == "first"


def mlp_of(regime: Regime, *, parametrization: str | Parametrization = "ntk") -> Mlp:
    """The fully connected network of a regime, in the regime's parametrization or else in this.

    Raises: `InputError` for a regime without an activation.
    """
    if regime.activation is None:
        raise InputError("mlp_of needs a regime with an activation, got activation=None.")
    return Mlp(
        regime.d,
        regime.widths,
        regime.activation,
        w_std=regime.w_std,
        b_std=regime.b_std,
        outputs=regime.outputs,
        parametrization=regime.parametrization or parametrization,
    )


def _drawn(mlp: Mlp, key: Array, stds: Callable[[int], tuple[float, float]]) -> Params:
    """Gaussian layers, of the standard deviations `stds(fan_in)` of weights and biases."""
    params = []
    for fan_in, fan_out in itertools.pairwise(mlp.sizes):
        key, key_w, key_b = jax.random.split(key, 3)
        w_std, b_std = stds(fan_in)
        layer = {"w": w_std * jax.random.normal(key_w, (fan_in, fan_out))}
        if mlp.b_std:
            layer["b"] = b_std * jax.random.normal(key_b, (fan_out,))
        params.append(layer)
    return params


def _on_the_sphere(mlp: Mlp, key: Array) -> Params:
    w = jax.random.normal(key, (mlp.d, mlp.widths[0]))
    return [{"w": w / jnp.linalg.norm(w, axis=0)}]


def _last_layer_unscaled(mlp: Mlp, key: Array) -> Params:
    *hidden, last = STANDARD.init(mlp, key)
    fan_in = last["w"].shape[0]
    return [*hidden, {**last, "w": last["w"] * (math.sqrt(fan_in) / mlp.w_std)}]


def _last_layer_of_signs(mlp: Mlp, key: Array) -> Params:
    *hidden, last = STANDARD.init(mlp, key)
    return [*hidden, {**last, "w": jnp.where(last["w"] < 0, -1.0, 1.0)}]


NTK = Parametrization(
    "ntk",
    init=lambda mlp, key: _drawn(mlp, key, lambda fan_in: (1.0, 1.0)),
    scales=lambda mlp, fan_in: (mlp.w_std / math.sqrt(fan_in), mlp.b_std),
)
STANDARD = Parametrization(
    "standard",
    init=lambda mlp, key: _drawn(
        mlp, key, lambda fan_in: (mlp.w_std / math.sqrt(fan_in), mlp.b_std)
    ),
    scales=lambda mlp, fan_in: (1.0, 1.0),
)
MONTANARI_ZHONG = Parametrization(
    "montanari_zhong",
    init=_on_the_sphere,
    scales=lambda mlp, fan_in: (1.0, 1.0),
    trained="first",
)
PARAMETRIZATIONS: dict[str, Parametrization] = {
    known.name: known for known in (NTK, STANDARD, MONTANARI_ZHONG)
}
# Bombari, Amani and Mondelli's: outputs grow with the width, and so does the kernel. No regime
# names them: their kernels have no limit of infinite width.
UNSCALED_LAST_LAYER = Parametrization(
    "unscaled_last_layer", init=_last_layer_unscaled, scales=lambda mlp, fan_in: (1.0, 1.0)
)
SIGNED_LAST_LAYER = Parametrization(
    "signed_last_layer", init=_last_layer_of_signs, scales=lambda mlp, fan_in: (1.0, 1.0)
)


def parametrization(name: str | Parametrization) -> Parametrization:
    """The parametrization called `name`; a record passes through, for others than ours.

    Raises: `UnknownNameError`, naming the nearest, when there is none.
    """
    if isinstance(name, Parametrization):
        return name
    if name not in PARAMETRIZATIONS:
        raise unknown_name("parametrization", name, PARAMETRIZATIONS)
    return PARAMETRIZATIONS[name]


def init(mlp: Mlp, key: Array) -> Params:
    """Random parameters of `mlp`, as its parametrization draws them."""
    return parametrization(mlp.parametrization).init(mlp, key)


def scales(mlp: Mlp, fan_in: int) -> tuple[float, float]:
    """Factors that multiply the weights and the biases of a layer in the forward pass."""
    return parametrization(mlp.parametrization).scales(mlp, fan_in)


def signs(width: int) -> Float[Array, "width"]:
    """The fixed second layer of Montanari and Zhong's network: +1, -1, +1, ..."""
    return jnp.where(jnp.arange(width) % 2 == 0, 1.0, -1.0)


def apply(mlp: Mlp, params: Params, x: Float[AnyArray, "n d"]) -> Float[Array, "n outputs"]:
    """Outputs of `mlp` at `x`."""
    fn, x = activation(mlp.activation).fn, jnp.asarray(x)
    if mlp.trained_first:
        (width,) = mlp.widths
        return (fn(x @ params[0]["w"]) @ signs(width))[:, None] / math.sqrt(width * mlp.d)
    for index, layer in enumerate(params):
        w_scale, b_scale = scales(mlp, layer["w"].shape[0])
        x = (fn(x) if index else x) @ layer["w"] * w_scale
        if "b" in layer:
            x = x + b_scale * layer["b"]
    return x


def symmetrized(init: Callable[[Array], Params]) -> Callable[[Array], Params]:
    """Initialization whose second half of neurons repeats the first, with the opposite outgoing
    weights where a second layer has any: outputs are 0, and half of the neurons are different."""

    def paired(key: Array) -> Params:
        first, *rest = init(key)
        half = first["w"].shape[1] // 2
        first = {
            name: jnp.concatenate([leaf[..., :half], leaf[..., :half]], axis=-1)
            for name, leaf in first.items()
        }
        for layer in rest:
            layer["w"] = jnp.concatenate([layer["w"][:half], -layer["w"][:half]])
        return [first, *rest]

    return paired


def network_of(mlp: Mlp) -> Network:
    """The triple of one of our fully connected networks, without a kernel_fn."""
    return Network(
        init_fn=lambda key, input_shape: ((-1, mlp.outputs), init(mlp, key)),
        apply_fn=lambda params, x: apply(mlp, params, x),
        input_shape=(mlp.d,),
        mlp=mlp,
        name=f"mlp {mlp.sizes} {mlp.activation} {parametrization(mlp.parametrization).name}",
    )

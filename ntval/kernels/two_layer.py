r"""Empirical NTK of a network with one hidden layer, in closed form.

| parametrization | trained | first layer | second layer |
|---|---|---|---|
| `ntk`, `standard` | W, V and the biases | W and its biases | V and its biases |
| `montanari_zhong` | W alone; the signs are fixed | W | the signs, were they trained |

For `montanari_zhong` the kernel of the network, `layers="both"`, therefore is that of the first
layer, and `layers="second"` is the kernel that training the signs would add: it is part of
neither.
"""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntval import arrays
from ntval.activations import activation
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import InputError
from ntval.kernels.inputs import float64_params, require_rows, symmetric
from ntval.networks.mlp import Mlp, Params, scales

Layers = Literal["first", "second", "both"]


def ntk(
    mlp: Mlp,
    params: Params | object,
    x1: Float[AnyArray, "n1 d"] | ArrayLike,
    x2: Float[AnyArray, "n2 d"] | ArrayLike | None = None,
    *,
    layers: Layers | str = "both",
) -> Float[Array, "n1 n2"]:
    r"""Empirical NTK of `mlp` at `params`, the mean over its outputs; see `gram`.

    Float64 whatever the inputs' precision, and bitwise symmetric when `x2` is None.

    Accuracy: $\gamma_m$ of the same expression in absolute values, m = 2 (d + width + outputs).
    Raises: `InputError` on malformed inputs, `layers`, or other than one hidden layer;
    `NetworkError` when `params` are not those of `mlp`.
    """
    if len(mlp.widths) != 1:
        raise InputError(
            f"two_layer needs one hidden layer, got widths={mlp.widths!r}; use deep_mlp."
        )
    if layers not in ("first", "second", "both"):
        raise InputError(f"layers needs 'first', 'second' or 'both', got {layers!r}.")
    with arrays.float64():
        x1, x2 = require_rows(mlp, x1, x2)
        return _jitted(mlp, float64_params(mlp, params), x1, x2, layers)


def gram(
    mlp: Mlp,
    params: Params,
    x1: Float[AnyArray, "n1 d"],
    x2: Float[AnyArray, "n2 d"] | None = None,
    *,
    layers: Layers = "both",
) -> Float[Array, "n1 n2"]:
    r"""The pure core of `ntk`: traceable, in the precision of its inputs, nothing validated.

    $$K_\mathrm{first} = (w_1^2 X X'^\top + c_1^2) \circ
      \sigma'(H) \operatorname{diag}(v) \sigma'(H')^\top, \qquad
      v_k = \frac{w_2^2}{O} \sum_o V_{ko}^2$$
    $$K_\mathrm{second} = w_2^2 \sigma(H) \sigma(H')^\top + c_2^2$$

    with pre-activations $H$, $O$ outputs, and $w_l, c_l$ the factors of weights and biases in the
    forward pass ($c_l = 0$ without biases). For `montanari_zhong` $w_1 = 1$ and
    $v_k = w_2^2 = 1 / (N d)$.

    Source: chain rule (derived); `montanari_zhong`: Montanari & Zhong (2022), normalization
    recalled in specs/montanari_zhong.md.
    """
    sigma = activation(mlp.activation)
    trained_first = mlp.trained_first
    layers = "first" if trained_first and layers == "both" else layers
    hidden, *output = params
    w1, b1 = scales(mlp, mlp.d)
    root_v, w2_squared, b2_squared = _output_layer(mlp, output)

    def pre_activations(x: Float[AnyArray, "n d"]) -> Float[Array, "n width"]:
        h = w1 * (jnp.asarray(x) @ hidden["w"])
        return h + b1 * hidden["b"] if "b" in hidden else h

    h1 = pre_activations(x1)
    h2 = h1 if x2 is None else pre_activations(x2)
    terms = []
    if layers in ("first", "both"):
        inputs = w1**2 * (x1 @ (x1 if x2 is None else x2).T)
        inputs = inputs + b1**2 if "b" in hidden else inputs
        # The root of v on both sides: one array is both factors when x2 is None.
        slopes1, slopes2 = (sigma.derivative(h) * root_v for h in (h1, h2))
        terms.append(inputs * (slopes1 @ slopes2.T))
    if layers in ("second", "both"):
        terms.append(w2_squared * (sigma.fn(h1) @ sigma.fn(h2).T) + b2_squared)
    kernel = sum(terms[1:], start=terms[0])
    return symmetric(kernel) if x2 is None else kernel


def _output_layer(mlp: Mlp, output: Params) -> tuple[Float[Array, "width"] | float, float, float]:
    """A root of the v of the first layer's kernel, and the squared factors of the second's."""
    (width,) = mlp.widths
    if mlp.trained_first:
        return 1 / math.sqrt(width * mlp.d), 1 / (width * mlp.d), 0.0
    w2, b2 = scales(mlp, width)
    weights = output[0]["w"]
    root = weights[:, 0] if mlp.outputs == 1 else jnp.sqrt((weights**2).mean(axis=1))
    return w2 * root, w2**2, b2**2 if "b" in output[0] else 0.0


_jitted = jax.jit(
    lambda mlp, params, x1, x2, layers: gram(mlp, params, x1, x2, layers=layers),
    static_argnums=(0, 4),
)

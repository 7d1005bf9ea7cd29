r"""Empirical NTK of a fully connected network of any depth, one contraction a layer.

With features $z_l$ entering layer $l$ and signals $g_{l,o} = \partial f_o / \partial h_l$ leaving
it, each layer's share of the kernel is the Hadamard product of two Gram matrices, so that no
Jacobian is ever built.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntval import arrays
from ntval.activations import activation
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import InputError
from ntval.kernels.inputs import float64_params, require_rows, symmetric
from ntval.networks.mlp import Mlp, Params, scales


def ntk(
    mlp: Mlp,
    params: Params | object,
    x1: Float[AnyArray, "n1 d"] | ArrayLike,
    x2: Float[AnyArray, "n2 d"] | ArrayLike | None = None,
    *,
    per_layer: bool = False,
) -> Float[Array, "*layers n1 n2"]:
    r"""Empirical NTK of `mlp` at `params`, the mean over its outputs; see `gram`.

    Float64 whatever the inputs' precision, and bitwise symmetric when `x2` is None.

    Accuracy: $\gamma_m$ of the same expression in absolute values, m = 2 (depth + 1) times the
    sum of the layer sizes.
    Raises: `InputError` on malformed inputs or the `montanari_zhong` parametrization;
    `NetworkError` when `params` are not those of `mlp`.
    """
    _require_layers(mlp)
    with arrays.float64():
        x1, x2 = require_rows(mlp, x1, x2)
        return _jitted(mlp, float64_params(mlp, params), x1, x2, per_layer)


def gram(
    mlp: Mlp,
    params: Params,
    x1: Float[AnyArray, "n1 d"],
    x2: Float[AnyArray, "n2 d"] | None = None,
    *,
    per_layer: bool = False,
) -> Float[Array, "*layers n1 n2"]:
    r"""The pure core of `ntk`: traceable, in the precision of its inputs, nothing validated.

    $$K = \sum_l \bigl(w_l^2 Z_l Z_l'^\top + c_l^2\bigr) \circ
      \frac{1}{O} \sum_o G_{l,o} G_{l,o}'^\top$$

    with the rows of $Z_l$ the features entering layer $l$, those of $G_{l,o}$ the derivatives of
    output $o$ by the pre-activations of layer $l$, $O$ the number of outputs, and $w_l, c_l$ the
    factors of weights and biases in the forward pass ($c_l = 0$ without biases).
    `per_layer` keeps the terms of the sum apart, from the first layer to the last.

    Source: chain rule (derived).
    """
    terms1 = _layer_terms(mlp, params, x1)
    terms2 = terms1 if x2 is None else _layer_terms(mlp, params, x2)
    kernels = []
    for layer, (z1, g1), (z2, g2) in zip(params, terms1, terms2, strict=True):
        w_scale, b_scale = scales(mlp, layer["w"].shape[0])
        kernel = w_scale**2 * (z1 @ z2.T)
        if "b" in layer:
            kernel = kernel + b_scale**2
        # The last layer's signals are the identity: their mean product is 1.
        if g1 is not None and g2 is not None:
            kernel = kernel * (g1 @ g2.T / mlp.outputs)
        kernels.append(kernel)
    result = jnp.stack(kernels) if per_layer else sum(kernels[1:], start=kernels[0])
    return symmetric(result) if x2 is None else result


def factors(
    mlp: Mlp, params: Params, x: Float[AnyArray, "n d"]
) -> list[tuple[Float[Array, "n n"], Float[Array, "n n"]]]:
    r"""Of each layer's share of the kernel of one output, from the first layer to the last, both
    factors of its Hadamard product: $F_l F_l^\top$ of the features that enter it, and
    $B_{l+1} B_{l+1}^\top$ of the output's derivatives by its pre-activations.

    Without biases; the factors of the forward pass go with the features. Traceable.

    Source: chain rule (derived); Bombari, Amani and Mondelli, decomposition of the Jacobian.
    Raises: `InputError` for the `montanari_zhong` parametrization, biases, or several outputs.
    """
    _require_layers(mlp)
    if mlp.b_std or mlp.outputs != 1:
        raise InputError(
            f"factors needs one output and no biases, got outputs={mlp.outputs}, "
            f"b_std={mlp.b_std!r}; use gram(..., per_layer=True)."
        )
    products = []
    for layer, (z, g) in zip(params, _layer_terms(mlp, params, x), strict=True):
        w_scale, _ = scales(mlp, layer["w"].shape[0])
        features = symmetric(w_scale**2 * jnp.asarray(z @ z.T))
        signals = jnp.ones_like(features) if g is None else symmetric(g @ g.T)
        products.append((features, signals))
    return products


def features(
    mlp: Mlp, params: Params, x: Float[AnyArray, "n d"]
) -> list[Float[AnyArray, "n width"]]:
    r"""$F_0 = x, F_1, \dots, F_{L-1}$: the features that enter each layer. Traceable.

    Source: forward pass (derived). Raises: `InputError` for `montanari_zhong`.
    """
    _require_layers(mlp)
    return [z for z, _ in _layer_terms(mlp, params, x)]


def _require_layers(mlp: Mlp) -> None:
    if mlp.trained_first:
        raise InputError(
            "deep_mlp needs parametrization 'ntk' or 'standard', got 'montanari_zhong'; "
            "use two_layer."
        )


def _layer_terms(
    mlp: Mlp, params: Params, x: Float[AnyArray, "n d"]
) -> list[tuple[Float[AnyArray, "n _"], Float[Array, "n _"] | None]]:
    """Features entering each layer, and the signals leaving it, outputs beside one another."""
    sigma = activation(mlp.activation)
    features, slopes = [x], []
    for layer in params[:-1]:
        w_scale, b_scale = scales(mlp, layer["w"].shape[0])
        h = w_scale * (features[-1] @ layer["w"])
        if "b" in layer:
            h = h + b_scale * layer["b"]
        features.append(sigma.fn(h))
        slopes.append(sigma.derivative(h))
    signals: list[Float[Array, "n outputs width"] | None] = [None]
    for layer, slope in zip(reversed(params[1:]), reversed(slopes), strict=True):
        w_scale, _ = scales(mlp, layer["w"].shape[0])
        above = layer["w"].T[None] if signals[0] is None else signals[0] @ layer["w"].T
        signals.insert(0, w_scale * above * slope[:, None, :])
    flat = [signal if signal is None else signal.reshape(len(x), -1) for signal in signals]
    return list(zip(features, flat, strict=True))


_jitted = jax.jit(
    lambda mlp, params, x1, x2, per_layer: gram(mlp, params, x1, x2, per_layer=per_layer),
    static_argnums=(0, 4),
)

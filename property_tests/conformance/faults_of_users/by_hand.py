"""Faults of a function with a kernel by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from conformance.faults_of_users.common import Arguments, UserFault, X, distances


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

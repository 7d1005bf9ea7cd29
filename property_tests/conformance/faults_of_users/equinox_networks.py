"""Faults of networks of equinox that grow in width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox
import jax
import jax.numpy as jnp
from conformance.faults_of_users.common import Arguments, UserFault, X, altered, mlp

from ntval import stax


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

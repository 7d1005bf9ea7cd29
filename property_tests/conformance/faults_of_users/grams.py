"""Faults of Gram matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from conformance.faults_of_users.by_hand import arc_cosine, relu_net, relu_params
from conformance.faults_of_users.common import Arguments, UserFault, X


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

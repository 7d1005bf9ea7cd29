"""What a gap between two kernels looks like, in words."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.sampling import PILOT, draw_params, grams_program, infinite, inputs_and_key
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject

_DIAGNOSED = 256  # draws


def mean_kernel_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """What the gap between mean and analytic kernel looks like: the likeliest of written causes."""
    x, key_draws = inputs_and_key(key, regime, subject, PILOT)
    exact = infinite(subject, x)
    keys = jax.random.split(key_draws, _DIAGNOSED)
    gap = exact - np.asarray(grams_program(subject)(x, keys)).mean(axis=0)
    return gap_words("the analytic kernel", gap, exact, _of_biases(subject, x, keys))


def gap_words(
    name: str,
    gap: Float[np.ndarray, "n n"],
    exact: Float[np.ndarray, "n n"],
    biases: Float[np.ndarray, "n n"] | None = None,
) -> str:
    """The likeliest of written causes of a gap, in units of `exact`; `name` is what is off."""
    size = float(np.linalg.norm(gap))
    if not np.isfinite(size):
        return f"{name} is not finite"
    identity, off = np.eye(len(exact)), 1 - np.eye(len(exact))
    i, j = (int(k) for k in np.unravel_index(int(np.abs(gap).argmax()), gap.shape))
    entry = np.zeros_like(exact)
    entry[[i, j], [j, i]] = exact[[i, j], [j, i]]
    causes = {
        f"{name} is {{:+.1%}} off throughout: a wrong scale": exact,
        f"{name} is {{:+.1%}} off away from the diagonal": exact * off,
        f"{name} is {{:+.1%}} off on the diagonal: jitter, or a wrong norm": exact * identity,
        f"entry [{i}, {j}] of {name} is {{:+.1%}} off, and no other": entry,
        f"{name} is off by a constant, {{:+.3g}}: a missing bias": off + identity,
    }
    if biases is not None:
        words = f"{name} is off by {{:+.2f}} times what the biases bring: a missing bias"
        causes[words] = biases
    fits = {}
    for words, cause in causes.items():
        share = float((gap * cause).sum() / max((cause**2).sum(), np.finfo(float).tiny))
        fits[words] = (float(np.linalg.norm(gap - share * cause)) / size, share)
    words = min(fits, key=lambda name: fits[name][0])
    rest, share = fits[words]
    if rest > 0.5:
        return "no single scale, entry, diagonal or bias explains it: another architecture"
    return words.format(share)


def _of_biases(subject: NetworkSubject, x, keys) -> np.ndarray | None:
    """Mean kernel of the biases' gradients alone; None when there are none."""
    apply_fn = subject.network.apply_fn

    def is_bias(leaf) -> bool:
        return leaf.size == leaf.shape[-1] if jnp.ndim(leaf) else False

    def of_draw(key):
        params = draw_params(subject.network, key)
        leaves, structure = jax.tree.flatten(params)
        biases = [leaf for leaf in leaves if is_bias(leaf)]

        def outputs(biases):
            left = iter(biases)
            joined = [next(left) if is_bias(leaf) else leaf for leaf in leaves]
            return apply_fn(jax.tree.unflatten(structure, joined), x).reshape(len(x), -1)

        rows = [
            j.reshape(len(x), -1, leaf.size)
            for j, leaf in zip(jax.jacobian(outputs)(biases), biases, strict=True)
        ]
        outputs_there = rows[0].shape[1]
        return sum(jnp.einsum("iop,jop->ij", row, row) for row in rows) / outputs_there

    shapes = jax.tree.leaves(jax.eval_shape(lambda k: draw_params(subject.network, k), keys[0]))
    if not any(leaf.ndim and math.prod(leaf.shape) == leaf.shape[-1] for leaf in shapes):
        return None
    return np.asarray(jax.lax.map(of_draw, keys[:32])).mean(axis=0)

"""Faults that are planted in an architecture: of each, the true cause and what is said of it.

The true cause is None where the catalogue has none: then none may be named.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from claims.confusion.architectures import Architecture

from ntval.claims.kernel_identities import causes, derivatives, mean_words, method_words
from ntval.claims.kernel_identities.causes import Cause
from ntval.claims.kernel_identities.gaps import pool_inputs
from ntval.claims.kernel_identities.setting import network_rounding, params_and_inputs
from ntval.claims.kernel_identities.width_words import concentration_words, parametrization_words
from ntval.faults import mutations
from ntval.networks.network import num_params
from ntval.regimes import Regime
from ntval.subjects.grams import entry_rounding

Planted = Iterator[tuple[Cause | None, str]]
REGIME = Regime(n=8, d=6)


def times(factor: float, rows: Any, columns: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Entries of these rows and columns, and their mirror images, are multiplied."""

    def change(gram: np.ndarray) -> np.ndarray:
        which = np.zeros(gram.shape, dtype=bool)
        which[np.ix_(rows, columns)] = True
        return np.where(which | which.T, factor * gram, gram)

    return change


def off_diagonal(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    """Entries off the diagonal are multiplied."""
    return lambda gram: np.where(np.eye(len(gram), dtype=bool), gram, factor * gram)


def on_diagonal(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    """Entries on the diagonal are multiplied."""
    return lambda gram: np.where(np.eye(len(gram), dtype=bool), factor * gram, gram)


def jitter(share: float) -> Callable[[np.ndarray], np.ndarray]:
    """A share of the mean diagonal is added to it."""
    return lambda gram: gram + share * np.diag(gram).mean() * np.eye(len(gram))


def rows_times(factor: float, rows: list[int]) -> Callable[[np.ndarray], np.ndarray]:
    """Features of these rows are multiplied."""

    def change(gram: np.ndarray) -> np.ndarray:
        size = np.where(np.isin(np.arange(len(gram)), rows), factor, 1.0)
        return gram * size[:, None] * size

    return change


def noisy(share: float) -> Callable[[np.ndarray], np.ndarray]:
    """Every entry is off by a share of its own."""

    def change(gram: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(0).standard_normal(gram.shape)
        return gram * (1 + share * (noise + noise.T))

    return change


# Of any Gram matrix.
CHANGES: tuple[tuple[Cause | None, Callable[[np.ndarray], np.ndarray]], ...] = (
    (causes.SCALE, lambda gram: 1.1 * gram),
    (causes.SCALE, lambda gram: gram / 30),
    (causes.OFF_DIAGONAL, off_diagonal(0.9)),
    (causes.DIAGONAL, on_diagonal(1.2)),
    (causes.DIAGONAL, jitter(0.2)),
    (causes.ENTRY, times(1.4, [1], [3])),
    (causes.ENTRY, times(0.5, [2], [2])),
    (causes.ROWS, rows_times(1.3, [2, 5])),
    (causes.CONSTANT, lambda gram: gram + 0.3 * gram.mean()),
    (None, noisy(0.1)),
)


def kernels(architecture: Architecture, seed: int = 0) -> Planted:
    """Twins held against the mean kernel of the network."""
    key, subject = jax.random.key(seed), architecture.subject()
    x = pool_inputs(key, REGIME, subject)[: REGIME.n]
    at = replace(architecture, x=np.asarray(x))
    parts = mean_words.parts_of(key, REGIME, subject)
    o, right = architecture.options, at.twin()

    def said(kernel: np.ndarray) -> str:
        return mean_words.parts_words("the analytic kernel", kernel, parts)

    yield causes.SAME_WEIGHTS, mean_words.parts_words("it", right, replace(parts, same=True))
    yield causes.NOT_FINITE, said(np.nan * right)
    for cause, change in CHANGES:
        yield cause, said(change(right))
    if o.outputs > 1:
        yield causes.OUTPUTS, said(o.outputs * right)
    yield causes.NNGP, said(at.twin(get="nngp"))
    yield from _of_nngp(key, subject, at.build(o)[2])
    other = "ntk" if o.parametrization == "standard" else "standard"
    yield causes.PARAMETRIZATION, said(at.twin(parametrization=other))
    yield causes.NO_BIAS, said(at.twin(bias=None))
    if o.bias:
        # Without biases, or with small ones, both are a scale of the kernel.
        yield causes.WEIGHTS, said(at.twin(weight=1.3 * o.weight))
        yield causes.WEIGHTS, said(at.twin(weight=o.weight / 1.3))
        yield causes.INPUTS, said(at.twin(size=1.3))
        yield causes.BIAS_SIZE, said(at.twin(bias=1.4 * o.bias))
        yield causes.BIAS_SIZE, said(at.twin(bias=0.5 * o.bias))
    yield None, said(at.twin(act="gelu" if o.act == "relu" else "sin"))
    yield None, said(at.twin(depth=1))
    yield None, said(right[::-1, ::-1])


def _of_nngp(key: Any, subject: Any, right: Callable) -> Planted:
    """Twins of which the NNGP kernel is wrong: by a scale, or since they ignore `get`."""

    def said(kernel_fn: Callable) -> str:
        network = replace(subject.network, kernel_fn=kernel_fn)
        return mean_words.nngp_kernel_words(key, REGIME, replace(subject, network=network))

    yield causes.SCALE, said(lambda x1, x2=None, get="ntk": 1.3 * right(x1, x2, get))
    yield causes.GET, said(lambda x1, x2=None, get="ntk": right(x1, x2, "ntk"))


def methods(architecture: Architecture, seed: int = 0) -> Planted:
    """One method of several, and one of its kernels, is off."""
    key, subject = jax.random.key(seed), architecture.subject()
    params, x1, x2 = params_and_inputs(key, REGIME, subject)
    rounding = network_rounding(subject, params, x1)
    coarse = entry_rounding(np.float32, num_params(params))
    computed = list(method_words.computed_by_all(subject, params, x1, x2))

    def said(change: Callable, name: str) -> str:
        broken = [
            replace(each, gram=change(each.gram)) if name in each.name else each
            for each in computed
        ]
        words = method_words.words_of(broken, rounding, coarse)
        assert name in words.partition("; ")[0]
        return words

    assert not causes.named(method_words.words_of(computed, rounding, coarse))
    for cause, change in CHANGES:
        yield cause, said(change, "K(x, x) by operator")
    yield causes.FLOAT32, said(lambda gram: gram.astype(np.float32).astype(float), "operator")
    yield causes.FLOAT32, said(noisy(1e-8), "K(x, x) by jacobian")
    yield (
        causes.BFLOAT16,
        said(lambda gram: np.asarray(jnp.asarray(gram, jnp.bfloat16), float), "by operator"),
    )
    yield causes.LAST_ROWS, said(rows_times(1.3, [8]), "in little memory")
    yield causes.TRANSPOSED, said(np.transpose, "K(x1, x2) by operator")
    yield causes.BLOCKS, said(lambda gram: 1.1 * gram, "K(x1, x2) by jacobian")


def batches(architecture: Architecture, seed: int = 0) -> Planted:
    """Outputs that depend on the batch."""
    network, count = architecture.network(), itertools.count()
    shape = architecture.x.shape[1:]

    def said(change: Callable) -> str:
        broken = replace(network, apply_fn=lambda params, x: change(network.apply_fn, params, x))
        subject = replace(architecture.subject(network), network=broken)
        return method_words.batch_words(jax.random.key(seed), REGIME, subject)

    def dropped(x: Any, key: Any) -> Any:
        return 2 * x * jax.random.bernoulli(key, 0.5, (len(x), *shape))

    yield causes.NOISE, said(lambda f, p, x: f(p, dropped(x, jax.random.key(next(count)))))
    yield causes.FIXED_NOISE, said(lambda f, p, x: f(p, dropped(x, jax.random.key(0))))
    yield causes.EXCHANGED, said(lambda f, p, x: jnp.roll(f(p, x), 1, axis=0))
    yield causes.ALONG_BATCH, said(lambda f, p, x: f(p, x) - f(p, x[:1]))
    yield causes.ALONG_BATCH, said(lambda f, p, x: f(p, jnp.sort(x, axis=0)))
    yield causes.BATCH_STATISTICS, said(lambda f, p, x: f(p, x / jnp.std(x, axis=0)))
    yield causes.BATCH_STATISTICS, said(lambda f, p, x: jax.nn.softmax(f(p, x), axis=0))


def _reverse_rule(factor: float) -> Callable:
    """A custom_vjp whose derivative is larger."""

    def change(apply_fn):
        @jax.custom_vjp
        def broken(params, x):
            return apply_fn(params, x)

        def backward(residuals, cotangents):
            of_params, of_x = jax.vjp(apply_fn, *residuals)[1](cotangents)
            return jax.tree.map(lambda leaf: factor * leaf, of_params), of_x

        broken.defvjp(lambda params, x: (apply_fn(params, x), (params, x)), backward)
        return broken

    return change


def _first_leaf_stopped(apply_fn):
    def broken(params, x):
        first, *others = (leaves := jax.tree.flatten(params))[0]
        return apply_fn(leaves[1].unflatten([jax.lax.stop_gradient(first), *others]), x)

    return broken


def _rounded(apply_fn):
    return lambda params, x: jnp.round(1e9 * apply_fn(params, x)) / 1e9


def _through_integers(apply_fn):
    return lambda params, x: (1e9 * apply_fn(params, x)).astype(int).astype(float) / 1e9


def _root_of_zero(apply_fn):
    def broken(params, x):
        zero = 0.0 * sum((leaf**2).sum() for leaf in jax.tree.leaves(params))
        return apply_fn(params, x) + jnp.where(zero > 0, jnp.sqrt(zero), 0.0)

    return broken


def _in_a_loop(apply_fn):
    """A custom rule inside of a loop, which is not taken apart."""
    rule = mutations.custom_derivative_times(1.1)(apply_fn)

    def broken(params, x):
        return jax.lax.scan(lambda c, _: (rule(params, x), None), rule(params, x), length=1)[0]

    return broken


def _twice_wrong(apply_fn):
    """A custom rule, and a gradient that is stopped: neither alone explains it."""
    return mutations.half_without_gradient(mutations.custom_derivative_times(1.1)(apply_fn))


def gradients(architecture: Architecture, seed: int = 0) -> Planted:
    """Derivatives that are not those of the values."""
    network = architecture.network()
    for cause, change in (
        (causes.RULE, mutations.custom_derivative_times(1.1)),
        (causes.RULE, _reverse_rule(0.5)),
        (causes.STOPPED, mutations.half_without_gradient),
        (causes.STOPPED, _first_leaf_stopped),
        (causes.ROUNDED, _rounded),
        (causes.ROUNDED, _through_integers),
        (causes.NOT_A_NUMBER, _root_of_zero),
        (causes.RULE, _in_a_loop),
        (None, _twice_wrong),
    ):
        subject = architecture.subject(replace(network, apply_fn=change(network.apply_fn)))
        yield cause, derivatives.derivative_words(jax.random.key(seed), REGIME, subject)


def _weights(change: Callable) -> Callable:
    """A network whose weights are `change(key, leaf)` of each leaf with two axes or more."""

    def changed(network: Any) -> Any:
        def init(key, shape):
            leaves, structure = jax.tree.flatten(network.init_fn(key, shape)[1])
            keys = jax.random.split(key, len(leaves))
            leaves = [
                change(k, leaf) if leaf.size > leaf.shape[-1] else leaf
                for k, leaf in zip(keys, leaves, strict=True)
            ]
            return None, structure.unflatten(leaves)

        return replace(network, init_fn=init)

    return changed


def _tied(share: int) -> Callable:
    def change(key, leaf):
        equal = leaf.shape[-1] // share
        return leaf.at[..., :equal].set(leaf[..., :1]) if equal > 1 else leaf

    return change


def _of_rank_one(key, leaf):
    """Weights that are products of two vectors: their kernel does not concentrate."""
    rows, columns = leaf.reshape(-1, leaf.shape[-1]).shape
    if min(rows, columns) == 1:
        return leaf
    first, second = jax.random.split(key)
    product = jax.random.normal(first, (rows, 1)) * jax.random.normal(second, (1, columns))
    return product.reshape(leaf.shape)


def widths(architecture: Architecture, seed: int = 0) -> Planted:
    """Kernels that do not concentrate, or whose size depends on the width."""

    def concentration(change: Callable, **changes: Any) -> str:
        subject = architecture.ladder(change, **changes)
        return concentration_words(jax.random.key(seed), REGIME, subject)

    def one_key(network: Any) -> Any:
        init = network.init_fn
        return replace(network, init_fn=lambda key, shape: init(jax.random.key(0), shape))

    def scaled(key, leaf):
        return leaf * (1 + 0.3 * jax.random.normal(jax.random.fold_in(key, 1)))

    yield causes.SAME_WEIGHTS, concentration(one_key)
    yield causes.TIED, concentration(_weights(_tied(1)))
    yield causes.TIED, concentration(_weights(_tied(4)))
    yield causes.RANDOM_SCALE, concentration(_weights(scaled))
    yield causes.FIXED_WIDTH, concentration(lambda network: network, neck=7)
    yield None, concentration(_weights(_of_rank_one))
    yield None, concentration(lambda network: network)


def parametrizations(architecture: Architecture, seed: int = 0) -> Planted:
    """Kernels whose size depends on the width."""

    def said(change: Callable, **changes: Any) -> str:
        subject = architecture.ladder(change, **changes)
        return parametrization_words(jax.random.key(seed), REGIME, subject)

    def power(network: Any) -> Any:
        """Outputs multiplied with the root of the width."""

        def apply_fn(params, x):
            width = max(max(leaf.shape) for leaf in jax.tree.leaves(params) if leaf.ndim > 1)
            return network.apply_fn(params, x) * width**0.5

        return replace(network, apply_fn=apply_fn)

    def one_key(network: Any) -> Any:
        init = network.init_fn
        return replace(network, init_fn=lambda key, shape: init(jax.random.key(0), shape))

    yield causes.STANDARD, said(lambda network: network, parametrization="standard")
    yield causes.POWER, said(power)
    yield causes.SAME_WEIGHTS, said(one_key)

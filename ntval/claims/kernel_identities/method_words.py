"""Which method disagrees with the others, and how, in words; and how outputs depend on a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.leaves import fits_in_memory
from ntval.claims.kernel_identities.setting import (
    autodiff_rows,
    network_rounding,
    params_and_inputs,
)
from ntval.claims.kernel_identities.words import gap_words, rows_off
from ntval.claims.sampling import empirical_at
from ntval.kernels.methods import methods_of
from ntval.networks.network import num_params
from ntval.observables.entries import entry_scale
from ntval.regimes import Regime
from ntval.subjects.grams import entry_rounding
from ntval.subjects.subject import NetworkSubject


@dataclass(frozen=True, eq=False)
class Computed:
    """One kernel by one method. `name`: of both. `gram`, `exact`: as computed, and as it should
    be. `scale`: the size of its entries. `block`: whether of two different batches."""

    name: str
    gram: Float[np.ndarray, "n1 n2"]
    exact: Float[np.ndarray, "n1 n2"]
    scale: Float[np.ndarray, "n1 n2"]
    block: bool = False

    def within(self, rounding: float) -> bool:
        """Whether it is right up to rounding."""
        return bool((np.abs(self.gram - self.exact) <= rounding * self.scale).all())


def method_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """Which method disagrees with J J^T, and how."""
    params, x1, x2 = params_and_inputs(key, regime, subject)
    rounding = network_rounding(subject, params, x1)
    coarse = entry_rounding(np.float32, num_params(params))
    return words_of(list(computed_by_all(subject, params, x1, x2)), rounding, coarse)


def words_of(computed: Sequence[Computed], rounding: float, coarse: float) -> str:
    """Which of these kernels are off, and how; `rounding`, `coarse`: the relative rounding of an
    entry, and in float32."""
    off = [each for each in computed if not each.within(rounding)]
    if not off:
        return "every method gives J J^T at the inputs of the diagnosis"
    first = next((each for each in off if not each.block), off[0])
    words = _words_of_block(first) if first.block else _words_of_square(first, coarse)
    others = [each.name for each in off if each is not first]
    if others:
        words += f"; off as well: {', '.join(others)}"
    return words if len(off) < len(computed) else f"{words}; no method gives J J^T"


def computed_by_all(
    subject: NetworkSubject,
    params: Any,
    x1: Float[Array, "n *shape"],
    x2: Float[Array, "n *shape"],
) -> Iterator[Computed]:
    """Every kernel that the claim compares, with what it should be."""
    names = methods_of(subject.network)
    x = jnp.concatenate([x1, x2])
    if fits_in_memory(subject, x):
        rows = autodiff_rows(subject, params, x)[1]
        exact = np.einsum("iop,jop->ij", rows, rows) / rows.shape[1]
    else:
        exact = empirical_at(subject, params, x, method=names[-1])
    n, scale = len(x1), entry_scale(np.diag(exact))

    def part(name: str, gram: Any, rows: Any, columns: Any, *, block: bool = False) -> Computed:
        at = np.ix_(rows, columns)
        return Computed(name, np.asarray(gram), exact[at], scale[at], block)

    first, second = np.arange(n), np.arange(n, 2 * n)
    for name in names:
        square = empirical_at(subject, params, x1, method=name)
        yield part(f"K(x, x) by {name}", square, first, first)
        block = empirical_at(subject, params, x1, x2, method=name)
        yield part(f"K(x1, x2) by {name}", block, first, second, block=True)
    for name, memory in [(name, None) for name in names] + [("jacobian", 1.0)]:
        label = f"K(x, x) by the public {name}" + (" in little memory" if memory else "")
        odd = np.arange(n + 1)  # one input more, so that the last tile is not full
        gram = subject.public[name](subject.network, params, np.asarray(x[: n + 1]), memory)
        yield part(label, gram, odd, odd)


def _words_of_square(found: Computed, coarse: float) -> str:
    """How one Gram matrix is off; `coarse`: what rounding in float32 leaves."""
    words = gap_words(found.name, found.gram, found.exact)
    said = causes.named(words)
    if said == (causes.ROWS,):
        rows = rows_off(found.gram - found.exact)
        last = rows == list(range(rows[0], len(found.gram)))
        return causes.LAST_ROWS(name=found.name, rows=rows) if last else words
    if len(said) == 1:
        return words
    if _stored(found.gram, jnp.bfloat16):
        return causes.BFLOAT16(name=found.name)
    if _stored(found.gram, np.float32) or found.within(coarse):
        return causes.FLOAT32(name=found.name)
    return words


def _stored(gram: Float[np.ndarray, "n n"], dtype: Any) -> bool:
    """Whether every entry is a number of this dtype."""
    return bool((np.asarray(jnp.asarray(gram).astype(dtype), dtype=float) == gram).all())


def _words_of_block(found: Computed) -> str:
    """How a kernel is off that is right where x2 is not given."""
    turned = found.gram.T
    near = np.linalg.norm(turned - found.exact) <= _NEAR * np.linalg.norm(found.gram - found.exact)
    return (causes.TRANSPOSED if near else causes.BLOCKS)(name=found.name)


_NEAR = 1e-3  # of the gap: what rounding leaves where the transpose is right


_LOOSE = 1e-4  # words only: float32 rounding is below, what a dropped unit does far above


def batch_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """How outputs depend on the rest of the batch, in words."""
    params, x, _ = params_and_inputs(key, regime, subject)

    def outputs(x: Float[Array, "n *shape"]) -> Float[np.ndarray, "n outputs"]:
        return np.asarray(subject.network.apply_fn(params, x)).reshape(len(x), -1)

    def equal(left: np.ndarray, right: np.ndarray) -> bool:
        return bool(np.allclose(left, right, rtol=_LOOSE, atol=_LOOSE * np.abs(together).max()))

    together = outputs(x)
    if not np.array_equal(together, outputs(x)):  # the same computation twice: equal to the bit
        return causes.NOISE()
    order = np.random.default_rng(0).permutation(len(x))
    if equal(outputs(x[order]), together[order]):
        return causes.BATCH_STATISTICS()
    # One half stays where it is, the inputs of the other are changed.
    first = np.arange(len(x)) < len(x) // 2
    stays = (equal(outputs(_changed(x, ~half))[half], together[half]) for half in (first, ~first))
    if all(stays):
        return causes.FIXED_NOISE()
    alone = np.concatenate([outputs(x[i : i + 1]) for i in range(len(x))])
    nearest = np.abs(together[:, None] - alone[None]).sum(axis=-1).argmin(axis=1)
    exchanged = len(set(nearest)) == len(x) and equal(together, alone[nearest])
    return causes.EXCHANGED() if exchanged else causes.ALONG_BATCH()


def _changed(x: Float[Array, "n *shape"], which: Bool[np.ndarray, "n"]) -> Float[Array, "n *shape"]:
    """Inputs of which these are larger, and of the opposite sign."""
    return jnp.where(which.reshape(-1, *[1] * (x.ndim - 1)), -1.5 * x, x)

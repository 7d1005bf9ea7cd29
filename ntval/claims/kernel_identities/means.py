"""Kernel identities of means: the mean empirical kernel is the infinite-width one."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.claim import Claim
from ntval.claims.kernel_identities.mean_words import mean_kernel_words
from ntval.claims.kernel_identities.setting import mlp_with_twin, multiplies_branches
from ntval.claims.procedures import Means
from ntval.claims.sampling import (
    MEASURED,
    draw_params,
    grams_program,
    infinite,
    inputs_and_key,
    kept,
    replicates,
)
from ntval.evidence.sequential import Draw
from ntval.observables.entries import entry_labels, entry_scale, upper_triangle
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject


@kept
def _kernel_gap(subject: NetworkSubject) -> Callable:
    """Statistics of one draw: K_N - K at pairs of inputs, along K, and along K off the diagonal."""
    method = subject.cheapest_method()

    def statistics(key: Array, x: Float[Array, "n *shape"], exact: Float[Array, "n n"]):
        gap = method(subject.network, draw_params(subject.network, key), x) - exact
        along = [(gap * unit).sum() for unit in _directions(exact)]
        return jnp.concatenate([gap[upper_triangle(len(exact))], jnp.stack(along)])

    return statistics


def _directions(exact: Float[Array, "n n"]) -> list[Float[Array, "n n"]]:
    """K, and K off the diagonal, each divided by its norm."""
    off = jnp.where(jnp.eye(len(exact), dtype=bool), 0.0, exact)
    return [part / jnp.maximum(jnp.sqrt((part**2).sum()), _TINY) for part in (exact, off)]


_TINY = 1e-300  # in place of a divisor of 0
# The nearest wrong theory, in units of the larger kernel: one of them has half the size.
HALF = -0.5
_UNITS = "units"  # the stream of the draws that say how large the kernel is
_UNIT_DRAWS = 64


def kernel_gaps(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Replicates of K_N - K at one set of inputs, the same in every stream.

    In units of the larger of K and the mean of K_N over draws of their own: in units of K alone, a
    K that is too small would make its own remainder large.
    """
    x, key_draws = inputs_and_key(key, regime, subject, stream)
    exact = infinite(subject, x)
    gaps = replicates(_kernel_gap(subject), key_draws, x, jnp.asarray(exact))
    key_units = inputs_and_key(key, regime, subject, _UNITS)[1]
    first = replicates(_kernel_gap(subject), key_units, x, jnp.asarray(exact))(0, _UNIT_DRAWS)
    units = gap_units(exact, _symmetric(first[:, :-2].mean(axis=0), regime.n))
    return lambda start, count: gaps(start, count) / units


def _symmetric(entries: Float[np.ndarray, "k"], n: int) -> Float[np.ndarray, "n n"]:
    """The matrix of which these are the entries on and above the diagonal."""
    gram = np.zeros((n, n))
    gram[upper_triangle(n)] = entries
    return gram + np.triu(gram, 1).T


def gap_units(
    exact: Float[np.ndarray, "n n"], gap: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "k"]:
    """Units of the statistics of K_N - K: an entry's size, and the norms of K and of K off the
    diagonal, each the larger of K and K + `gap`.

    At an input where both kernels are 0, as that of a network without biases is at 0, the unit is
    the largest there is: 0 = 0, and whatever is not 0 is seen.
    """
    measured = exact + gap
    diagonal = np.maximum(np.diag(exact), np.diag(measured)).clip(0.0)
    scale = entry_scale(diagonal)
    scale[scale <= 0] = scale.max()
    off = 1 - np.eye(len(exact))
    norms = [
        max(np.linalg.norm(exact * part), np.linalg.norm(measured * part))
        for part in (np.ones_like(off), off)
    ]
    units = np.append(scale[upper_triangle(len(exact))], norms)
    return np.where(units > 0, units, 1.0)


def _gap_labels(regime: Regime) -> tuple[str, ...]:
    return (*entry_labels(regime.n), "scale of K", "scale of K off the diagonal")


def _resolution(entry: float, whole: float) -> Callable[[Regime], Float[np.ndarray, "k"]]:
    """What has to be seen of an entry, and of a scale."""
    return lambda regime: np.array([entry] * len(entry_labels(regime.n)) + [whole] * 2)


def _one_hidden(*activations: str, dimensions: tuple[int, ...] = (8,)) -> tuple[Regime, ...]:
    return tuple(
        Regime(n=4, d=d, widths=(1024,), activation=name)
        for d in dimensions
        for name in activations
    )


unbiased_kernel = Claim(
    name="kernel_identities.unbiased_kernel",
    source="E[K_N] = K for one hidden layer at every width; spec montanari_zhong, section 1 "
    "(derived and checked).",
    statement="The mean empirical kernel of one hidden layer is the infinite-width kernel.",
    needs=("mlp", "kernel_fn", "random weights"),
    points={
        "quick": _one_hidden("erf", "relu"),
        "standard": _one_hidden("erf", "relu", "gelu", "tanh"),
        "thorough": _one_hidden("erf", "relu", "gelu", "tanh", "silu", "sin", "cos", "softplus"),
        "random": _one_hidden(
            *("erf", "relu", "leaky_relu", "gelu", "tanh", "silu", "sin", "softplus"),
            dimensions=(3, 8, 20),
        ),
    },
    subject=mlp_with_twin,
    procedure=Means(
        kernel_gaps,
        labels=_gap_labels,
        wrong=HALF,
        resolution=_resolution(entry=0.05, whole=0.01),
        pilot=64,
    ),
    faults=(
        "analytic_leaky_relu_for_relu",
        "analytic_off_diagonal_3",
        "analytic_scale_3",
        "empirical_scale_3",
        "empirical_entry_15",
        "analytic_entry_15",
        "analytic_row_10",
        "weights_shared",
        "analytic_erf_sqrt2_for_erf",
        "empirical_drops_bias",
        "empirical_derivative",
        "analytic_drops_bias",
        "empirical_drops_head",
        "apply_over_sqrt_width",
    ),
)


def single_draw_variance(regime: Regime, pilot: Float[np.ndarray, "draws k"]) -> float:
    """The mean over entries of Var(K_N[i, j]) / (K_ii K_jj), at inputs where K is not 0."""
    variances = pilot[:, : len(entry_labels(regime.n))].var(axis=0, ddof=1)
    return float(variances[variances > 0].mean()) if (variances > 0).any() else 0.0


def finite_width_bias(
    key: Array, regime: Regime, subject: NetworkSubject, pilot: Float[np.ndarray, "draws k"]
) -> float:
    r"""How far the mean of K_N may lie from K, relative: at most the variance of one draw.

    K_N is a smooth function g of averages over neurons. By the delta method its bias is
    $\tfrac12 g'' s^2$ and its variance $g'^2 s^2$, both of order 1/width with s^2 the variance of
    those averages; in relative units, products of averages have |g''| <= 2 g'^2.

    That is derived for layers of one random matrix each. Of products of several it is measured on
    the ladder, where there is one (`measured_bias`), and not known else.
    """
    if not multiplies_branches(subject):
        return single_draw_variance(regime, pilot)
    if subject.ladder is None or len(subject.rungs) < 2:
        return math.inf
    return measured_bias(key, regime, subject, -2) / subject.ladder.sizes[-1]


def measured_bias(key: Array, regime: Regime, subject: NetworkSubject, at: int) -> float:
    """The a of the relative bias a/m of the mean kernel at width m, from the rungs number `at` and
    `at + 1` of the ladder, of widths m and m': their mean kernels are a/m - a/m' apart.

    Three standard errors of that difference are added, and as much as all of it is granted to
    terms that fall faster.
    """
    assert subject.ladder is not None
    narrow, wide = subject.ladder.rungs[at], subject.ladder.rungs[at + 1]
    ends = subject.ladder.sizes[at], subject.ladder.sizes[at + 1]
    x, key_draws = inputs_and_key(key, regime, subject, _UNITS)
    keys = jax.random.split(key_draws, (2, _UNIT_DRAWS))
    rungs = zip((narrow, wide), keys, strict=True)
    grams = [np.asarray(grams_program(rung)(x, at)) for rung, at in rungs]
    means = [gram.mean(axis=0) for gram in grams]
    error = np.sqrt(sum(gram.var(axis=0, ddof=1) for gram in grams) / _UNIT_DRAWS)
    scale = entry_scale(np.diag(means[1]))
    gap = np.abs(means[0] - means[1]) + 3 * error
    relative = float((gap / np.where(scale > 0, scale, np.inf)).max())
    return 2 * relative / (1 / ends[0] - 1 / ends[1])


_BIAS_UNKNOWN = (
    "the finite-width bias of products of several random matrices (attention, gates, recurrence) "
    "is not known from one width; pass init(key, width) and widths, on which it is measured"
)


mean_kernel = Claim(
    name="kernel_identities.mean_kernel",
    source="K_N -> K in probability with a bias of order 1/width; remainder derived here by the "
    "delta method.",
    statement="The mean empirical kernel of a network of any depth is the infinite-width kernel "
    "up to the finite-width bias.",
    needs=("kernel_fn", "random weights"),
    points={
        "quick": (Regime(n=4, d=8, widths=(512, 512), activation="erf"),),
        "standard": (
            Regime(n=4, d=8, widths=(512, 512), activation="erf"),
            Regime(n=4, d=8, widths=(512, 512), activation="relu"),
        ),
        "thorough": (
            Regime(n=4, d=8, widths=(1024, 1024), activation="erf"),
            Regime(n=4, d=8, widths=(1024, 1024, 1024), activation="relu"),
        ),
    },
    subject=mlp_with_twin,
    procedure=Means(
        kernel_gaps,
        labels=_gap_labels,
        bias=finite_width_bias,
        unknown=_BIAS_UNKNOWN,
        wrong=HALF,
        resolution=_resolution(entry=0.03, whole=0.02),
        pilot=64,
    ),
    diagnose=mean_kernel_words,
    faults=(
        "analytic_scale_3",
        "empirical_scale_3",
        "analytic_entry_15",
        "analytic_scale_10",
        "analytic_drops_layer",
        "analytic_drops_head",
        "analytic_drops_bias",
        "apply_drops_bias",
        "weights_shared",
    ),
)

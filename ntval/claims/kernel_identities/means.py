"""Kernel identities of means: the mean empirical kernel is the infinite-width one."""

from __future__ import annotations

import math
from functools import partial

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.claim import Claim
from ntval.claims.kernel_identities.gaps import (
    UNIT_DRAWS,
    UNITS,
    gap_labels,
    kernel_gaps,
    pool_inputs,
    resolution,
)
from ntval.claims.kernel_identities.mean_words import mean_kernel_words, nngp_kernel_words
from ntval.claims.kernel_identities.setting import (
    ONE_LAYER_OR_MORE,
    ONE_WIDE_LAYER,
    WIDE,
    mlp_with_twin,
    multiplies_branches,
)
from ntval.claims.procedures import Means
from ntval.claims.sampling import MEASURED, PILOT, grams_program, stream_of
from ntval.evidence.sequential import Draw
from ntval.observables.entries import entry_labels, entry_scale
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject

# The nearest wrong theory, in units of the larger kernel: one of them has half the size.
HALF = -0.5


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
    },
    domain=ONE_WIDE_LAYER,
    subject=mlp_with_twin,
    procedure=Means(
        kernel_gaps,
        labels=gap_labels,
        wrong=HALF,
        resolution=partial(resolution, entry=0.05, whole=0.01),
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
    x = pool_inputs(key, regime, subject)[: regime.n]
    keys = jax.random.split(stream_of(key, UNITS), (2, UNIT_DRAWS))
    rungs = zip((narrow, wide), keys, strict=True)
    grams = [np.asarray(grams_program(rung)(x, at)) for rung, at in rungs]
    means = [gram.mean(axis=0) for gram in grams]
    error = np.sqrt(sum(gram.var(axis=0, ddof=1) for gram in grams) / UNIT_DRAWS)
    scale = entry_scale(np.diag(means[1]))
    gap = np.abs(means[0] - means[1]) + 3 * error
    relative = float((gap / np.where(scale > 0, scale, np.inf)).max())
    return 2 * relative / (1 / ends[0] - 1 / ends[1])


_BIAS_UNKNOWN = (
    "the finite-width bias of products of several random matrices (attention, gates, recurrence) "
    "is not known from one width; pass init(key, width) and widths, on which it is measured"
)


# Several outputs and no biases, in the standard parametrization.
_STANDARD = Regime(
    n=5, d=3, widths=(256,), activation="relu", b_std=0.0, outputs=2, parametrization="standard"
)

mean_kernel = Claim(
    name="kernel_identities.mean_kernel",
    source="K_N -> K in probability with a bias of order 1/width; remainder derived here by the "
    "delta method.",
    statement="The mean empirical kernel of a network of any depth is the infinite-width kernel "
    "up to the finite-width bias.",
    needs=("kernel_fn", "random weights"),
    points={
        "quick": (Regime(n=6, d=8, widths=(512, 512), activation="erf"), _STANDARD),
        "standard": (
            Regime(n=6, d=8, widths=(512, 512), activation="erf"),
            Regime(n=6, d=8, widths=(512, 512), activation="relu"),
            _STANDARD,
        ),
        "thorough": (
            Regime(n=6, d=8, widths=(1024, 1024), activation="erf"),
            Regime(n=6, d=8, widths=(1024, 1024, 1024), activation="relu"),
        ),
    },
    domain=WIDE,
    subject=mlp_with_twin,
    procedure=Means(
        kernel_gaps,
        labels=gap_labels,
        bias=finite_width_bias,
        unknown=_BIAS_UNKNOWN,
        wrong=HALF,
        resolution=partial(resolution, entry=0.03, whole=0.02),
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


def _covariance_gaps(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Replicates of the mean of f(x) f(x')^T over a block of draws, less the NNGP kernel."""
    return kernel_gaps(key, regime, subject, stream=stream, get="nngp")


def _covariance_bias(
    key: Array, regime: Regime, subject: NetworkSubject, pilot: Float[np.ndarray, "draws k"]
) -> float:
    """At most the finite-width bias that is granted to the NTK, which has the covariance of the
    outputs given the hidden layers as one of its terms; 0 with one hidden layer of our own."""
    if subject.network.mlp is not None and len(subject.network.mlp.widths) == 1:
        return 0.0
    return finite_width_bias(
        key, regime, subject, kernel_gaps(key, regime, subject, stream=PILOT)(0, 64)
    )


def _seen(regime: Regime) -> Float[np.ndarray, "k"]:
    """A user's network costs thousands of initializations, ours are small."""
    size = 0.06 if regime.widths else 0.3
    return resolution(regime, entry=size, whole=size)


nngp_kernel = Claim(
    name="kernel_identities.nngp_kernel",
    source="E[f(x) f(x')] is the NNGP kernel, at every width of one hidden layer, else with a "
    "bias of order 1/width; remainder derived here from that of `mean_kernel`.",
    statement="The covariance of the outputs over random weights is the infinite-width kernel that "
    "kernel_fn gives for get='nngp'.",
    needs=("nngp", "random weights"),
    points={
        "quick": (
            Regime(n=4, d=8, widths=(16,), activation="relu"),
            Regime(n=5, d=3, widths=(64, 64), activation="erf", b_std=0.0, outputs=3),
        ),
        "standard": (
            Regime(n=4, d=8, widths=(16,), activation="relu"),
            Regime(n=4, d=8, widths=(16,), activation="gelu", parametrization="standard"),
            Regime(n=5, d=3, widths=(64, 64), activation="erf", b_std=0.0, outputs=3),
        ),
        "thorough": (
            *(
                Regime(n=4, d=8, widths=(16,), activation=name)
                for name in ("relu", "leaky_relu", "gelu", "tanh", "silu", "sin", "cos")
            ),
            Regime(n=4, d=8, widths=(16,), activation="gelu", parametrization="standard"),
            Regime(n=5, d=3, widths=(64, 64, 64), activation="erf", b_std=0.0, outputs=3),
        ),
    },
    domain=ONE_LAYER_OR_MORE,
    subject=mlp_with_twin,
    procedure=Means(
        _covariance_gaps,
        labels=gap_labels,
        bias=_covariance_bias,
        unknown=_BIAS_UNKNOWN,
        wrong=HALF,
        resolution=_seen,
        pilot=64,
    ),
    diagnose=nngp_kernel_words,
    faults=(
        "analytic_scale_10",
        "analytic_drops_bias",
        "apply_drops_bias",
        "weights_shared",
        "analytic_ntk_for_nngp",
    ),
)

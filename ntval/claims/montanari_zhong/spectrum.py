"""Montanari & Zhong, 2007.12826: claims about the kernel of a two-layer network."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ntval import spectra
from ntval.activations import activation
from ntval.claims.claim import Claim, Subject, draw_params, mlp_subject, replicates
from ntval.decisions import agreement
from ntval.e_values import allowance
from ntval.kernels import analytic, arc_cosine
from ntval.networks import Mlp
from ntval.regimes import Regime
from ntval.theory import montanari_zhong as theory


def _kernel_fn(mlp: Mlp):
    """The infinite-width twin: neural-tangents' closed form where weights on the sphere and
    Gaussian ones give one kernel (0-homogeneous derivative), the finite-d quadrature elsewhere."""
    if activation(mlp.activation).homogeneity == 1:
        return jax.jit(analytic.kernel_fn(mlp), static_argnames="get")
    return lambda x1, x2=None, get="ntk": {"ntk": arc_cosine.ntk, "nngp": arc_cosine.nngp}[get](
        mlp, x1, x2
    )


@functools.lru_cache(maxsize=64)
def _two_layer(regime: Regime) -> Subject:
    return mlp_subject(regime, parametrization="montanari_zhong", kernel_fn=_kernel_fn)


@functools.lru_cache(maxsize=64)
def _mean_diagonal(subject: Subject):
    road = subject.road()

    def mean_diagonal(key, n_inputs):
        key_params, key_x = jax.random.split(key)
        x = subject.inputs(key_x, len(n_inputs))
        gram = road(subject.network, draw_params(subject.network, key_params), x)
        return jnp.diag(gram).mean()[None]

    return mean_diagonal


def _measure_normalization(key, regime: Regime, subject: Subject):
    """Means of K_N(x, x) over fresh inputs, one a replicate."""
    return replicates(_mean_diagonal(subject), key, jnp.arange(regime.n))


@functools.lru_cache(maxsize=64)
def _entries_gap(subject: Subject):
    road = subject.road()

    def entries(key, x, exact):
        gap = road(subject.network, draw_params(subject.network, key), x) - exact
        return (gap / jnp.diag(exact).mean())[np.triu_indices(len(exact))]

    return entries


def _measure_unbiased_kernel(key, regime: Regime, subject: Subject):
    """Entries of K_N - K at one set of inputs, in units of K(x, x)."""
    key_inputs, key_draws = jax.random.split(key)
    x = subject.inputs(key_inputs, regime.n)
    exact = jnp.asarray(subject.network.kernel_fn(x, None, "ntk"))
    return replicates(_entries_gap(subject), key_draws, x, exact)


@functools.lru_cache(maxsize=64)
def _empirical_kernel(subject: Subject):
    return jax.jit(functools.partial(subject.road(), subject.network))


def _kernel_pairs(statistic, key, regime: Regime, subject: Subject):
    """Replicates of `statistic(K, K_N)` at fresh inputs and weights."""

    def one(i: int) -> list[float]:
        key_params, key_x = jax.random.split(jax.random.fold_in(key, i))
        x = subject.inputs(key_x, regime.n)
        params = draw_params(subject.network, key_params)
        return statistic(
            np.asarray(analytic.ntk(subject.network, x)),
            np.asarray(_empirical_kernel(subject)(params, x)),
        )

    return lambda start, count: np.array([one(i) for i in range(start, start + count)])


_measure_min_eigenvalue = functools.partial(
    _kernel_pairs,
    lambda exact, empirical: [spectra.min_eigenvalue(exact), spectra.min_eigenvalue(empirical)],
)
_measure_concentration = functools.partial(
    _kernel_pairs, lambda exact, empirical: [spectra.relative_distance(empirical, exact)]
)


def _sampled(measure, *, pilot: int, resolution, remainder=lambda regime: 0.0, predict=None):
    """Allowance of a claim whose draws are those of `measure`."""

    def of(key, regime: Regime, subject: Subject):
        return allowance(
            measure(key, regime, subject)(0, pilot),
            predicted=0.0 if predict is None else predict(regime),
            remainder=remainder(regime),
            resolution=resolution,
        )

    return of


def _predict_normalization(regime: Regime) -> float:
    return theory.diagonal(activation(regime.activation), regime.d)


def _predict_min_eigenvalue(regime: Regime) -> np.ndarray:
    """The formula for K; for K_N the middle of what concentration leaves of it."""
    value = theory.min_eigenvalue(activation(regime.activation), regime.n, regime.d)
    spread = theory.concentration(regime.n, regime.d, regime.widths[0])
    return np.array([value, value * (1 - spread / 2)])


def _min_eigenvalue_remainder(regime: Regime) -> np.ndarray:
    """The formula's remainder; for K_N also (1 - eta) K <= K_N and E lambda_min(K_N) <= that of K,
    which holds because lambda_min is concave and E K_N = K."""
    fn = activation(regime.activation)
    remainder = theory.min_eigenvalue_remainder(fn, regime.n, regime.d)
    value = theory.min_eigenvalue(fn, regime.n, regime.d)
    spread = theory.concentration(regime.n, regime.d, regime.widths[0])
    return np.array([remainder, remainder + value * spread / 2])


def _predict_concentration(regime: Regime) -> float:
    return theory.concentration(regime.n, regime.d, regime.widths[0])


normalization = Claim(
    name="montanari_zhong.normalization",
    source="Montanari & Zhong, 2007.12826, setting (recalled); E03 of the spec.",
    statement="The mean of K_N(x, x) is E[sigma'(sqrt(d) t)^2], t a coordinate of the sphere.",
    needs=("theorem's setting", "random weights"),
    regimes={
        "quick": (Regime(n=16, d=20, widths=(256,), activation="tanh"),),
        "standard": (
            Regime(n=16, d=20, widths=(256,), activation="tanh"),
            Regime(n=16, d=60, widths=(256,), activation="gelu"),
            Regime(n=16, d=60, widths=(256,), activation="relu"),
        ),
        "thorough": tuple(
            Regime(n=16, d=d, widths=(256,), activation=name)
            for d in (8, 20, 60)
            for name in ("tanh", "erf", "gelu", "silu", "relu")
        ),
    },
    space=tuple(
        Regime(n=16, d=d, widths=(256,), activation=name)
        for d in (8, 20, 60)
        for name in ("tanh", "erf", "gelu", "silu", "relu", "softplus")
    ),
    subject=_two_layer,
    measure=_measure_normalization,
    predict=_predict_normalization,
    allowance=_sampled(
        _measure_normalization, pilot=64, resolution=0.005, predict=_predict_normalization
    ),
    decide=functools.partial(agreement, labels=lambda i, k: "mean of K_N(x, x)"),
    faults=(
        "road_scale_3",
        "road_derivative",
        "road_times_d",
        "weights_unnormalized",
        "inputs_on_unit_sphere",
    ),
)

unbiased_kernel = Claim(
    name="montanari_zhong.unbiased_kernel",
    source="Montanari & Zhong, 2007.12826: E[K_N] = K at every N and d (derived and checked in "
    "the spec); E02.",
    statement="The mean of K_N over weights on the unit sphere is the infinite-width kernel at "
    "finite d.",
    needs=("theorem's setting", "kernel_fn", "random weights"),
    regimes={
        "quick": (Regime(n=4, d=8, widths=(1024,), activation="tanh"),),
        "standard": (
            Regime(n=4, d=8, widths=(1024,), activation="tanh"),
            Regime(n=4, d=8, widths=(1024,), activation="relu"),
        ),
        "thorough": tuple(
            Regime(n=8, d=d, widths=(1024,), activation=name)
            for d in (3, 8, 20)
            for name in ("tanh", "erf", "gelu", "relu")
        ),
    },
    space=tuple(
        Regime(n=4, d=d, widths=(1024,), activation=name)
        for d in (3, 8, 20)
        for name in ("tanh", "erf", "relu", "gelu")
    ),
    subject=_two_layer,
    measure=_measure_unbiased_kernel,
    allowance=_sampled(_measure_unbiased_kernel, pilot=64, resolution=0.02),
    decide=agreement,
    faults=(
        "kernel_off_diagonal_10",
        "kernel_erf_for_tanh",
        "road_derivative",
        "road_without_inputs",
        "weights_unnormalized",
        "weights_gaussian",
        "weights_shared",
        "kernel_of_gaussian_weights",
    ),
)

min_eigenvalue = Claim(
    name="montanari_zhong.min_eigenvalue",
    source="Montanari & Zhong, 2007.12826, smallest eigenvalue (recalled); finite-d formula "
    "derived and checked in the spec, section 2 (ii); E07.",
    statement="For n uniform inputs, d < n < d^2, the smallest eigenvalue of K is "
    "gamma_{>1} - gamma_2 [1 - (1 - sqrt(n'/B(d, 2)))^2], and that of K_N lies at most "
    "a factor 1 - eta below, eta = 2 sqrt(n/Nd) + n/Nd.",
    needs=("theorem's setting", "kernel_fn", "random weights"),
    regimes={
        "quick": (
            Regime(n=120, d=40, widths=(512,), activation="relu"),
            Regime(n=240, d=80, widths=(512,), activation="relu"),
        ),
        "standard": (
            Regime(n=120, d=40, widths=(512,), activation="relu"),
            Regime(n=240, d=80, widths=(512,), activation="relu"),
            Regime(n=240, d=80, widths=(512,), activation="leaky_relu"),
            Regime(n=480, d=160, widths=(1024,), activation="relu"),
        ),
        "thorough": (
            Regime(n=120, d=40, widths=(512,), activation="relu"),
            Regime(n=240, d=80, widths=(512,), activation="relu"),
            Regime(n=480, d=160, widths=(1024,), activation="relu"),
            Regime(n=960, d=320, widths=(2048,), activation="relu"),
            Regime(n=854, d=90, widths=(2048,), activation="relu"),
        ),
    },
    subject=_two_layer,
    measure=_measure_min_eigenvalue,
    predict=_predict_min_eigenvalue,
    allowance=_sampled(
        _measure_min_eigenvalue,
        pilot=32,
        resolution=0.0,
        remainder=_min_eigenvalue_remainder,
        predict=_predict_min_eigenvalue,
    ),
    decide=functools.partial(
        agreement,
        first=32,
        most=512,
        labels=lambda i, k: f"smallest eigenvalue of {('K', 'K_N')[i]}",
    ),
    faults=(
        "kernel_scale_3",
        "kernel_off_diagonal_3",
        "road_scale_10",
        "road_derivative",
        "prediction_limit",
        "prediction_degree_shifted",
        "inputs_gaussian",
    ),
)

concentration = Claim(
    name="montanari_zhong.concentration",
    source="Montanari & Zhong, 2007.12826, concentration of K_N (recalled); constant measured in "
    "the spec, theorem A; E09.",
    statement="The mean of |K^(-1/2) K_N K^(-1/2) - I| is eta = 2 sqrt(n/Nd) + n/Nd up to 10 %.",
    needs=("theorem's setting", "kernel_fn", "random weights"),
    regimes={
        "quick": (Regime(n=240, d=60, widths=(64,), activation="relu"),),
        "standard": (
            Regime(n=240, d=60, widths=(64,), activation="relu"),
            Regime(n=240, d=60, widths=(256,), activation="relu"),
        ),
        "thorough": tuple(
            Regime(n=240, d=60, widths=(width,), activation=name)
            for width in (32, 64, 128, 256)
            for name in ("relu", "leaky_relu")
        ),
    },
    subject=_two_layer,
    measure=_measure_concentration,
    predict=_predict_concentration,
    allowance=_sampled(
        _measure_concentration,
        pilot=32,
        resolution=0.0,
        remainder=lambda regime: 0.1 * _predict_concentration(regime),
        predict=_predict_concentration,
    ),
    decide=functools.partial(agreement, first=32, most=256, labels=lambda i, k: "eta"),
    faults=(
        "weights_symmetrized",
        "road_scale_100",
        "road_over_sqrt_width",
        "road_without_inputs",
    ),
)

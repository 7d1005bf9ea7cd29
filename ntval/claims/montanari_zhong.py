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
from ntval.kernels import analytic, arc_cosine
from ntval.networks import Mlp
from ntval.regimes import Regime
from ntval.theory import montanari_zhong as theory


def _kernel_fn(mlp: Mlp):
    """The infinite-width twin: neural-tangents' closed form where weights on the sphere and
    Gaussian ones give one kernel (0-homogeneous derivative), the finite-d quadrature elsewhere."""
    if activation(mlp.activation).homogeneity == 1:
        return analytic.kernel_fn(mlp)
    return lambda x1, x2=None, get="ntk": {"ntk": arc_cosine.ntk, "nngp": arc_cosine.nngp}[get](
        mlp, x1, x2
    )


def _two_layer(regime: Regime) -> Subject:
    return mlp_subject(regime, parametrization="montanari_zhong", kernel_fn=_kernel_fn)


def _measure_normalization(key, regime: Regime, subject: Subject):
    road = subject.road()

    def mean_diagonal(key):
        key_params, key_x = jax.random.split(key)
        x = subject.inputs(key_x, regime.n)
        gram = road(subject.network, draw_params(subject.network, key_params), x)
        return jnp.trace(gram)[None] / regime.n

    return replicates(mean_diagonal, key)


def _measure_unbiased_kernel(key, regime: Regime, subject: Subject):
    """Entries of K_N - K at one set of inputs, in units of K(x, x)."""
    key_inputs, key_draws = jax.random.split(key)
    x = subject.inputs(key_inputs, regime.n)
    exact = jnp.asarray(subject.network.kernel_fn(x, None, "ntk"))
    upper = np.triu_indices(regime.n)
    road = subject.road()

    def entries(key):
        gap = road(subject.network, draw_params(subject.network, key), x) - exact
        return (gap / jnp.diag(exact).mean())[upper]

    return replicates(entries, key_draws)


def _measure_min_eigenvalue(key, regime: Regime, subject: Subject):
    """Smallest eigenvalues of K and of K_N at fresh inputs, one pair a replicate."""
    road = jax.jit(functools.partial(subject.road(), subject.network))

    def pair(i: int) -> list[float]:
        key_params, key_x = jax.random.split(jax.random.fold_in(key, i))
        x = subject.inputs(key_x, regime.n)
        return [
            spectra.min_eigenvalue(analytic.ntk(subject.network, x)),
            spectra.min_eigenvalue(road(draw_params(subject.network, key_params), x)),
        ]

    return lambda start, count: np.array([pair(i) for i in range(start, start + count)])


def _predict_min_eigenvalue(regime: Regime) -> np.ndarray:
    """The formula for K; for K_N the middle of what concentration leaves of it."""
    value = theory.min_eigenvalue(activation(regime.activation), regime.n, regime.d)
    spread = theory.concentration(regime.n, regime.d, regime.widths[0])
    return np.array([value, value * (1 - spread / 2)])


def _min_eigenvalue_remainder(key, regime: Regime, subject: Subject) -> np.ndarray:
    """The formula's remainder; for K_N also (1 - eta) K <= K_N and E lambda_min(K_N) <= that of K,
    which holds because lambda_min is concave and E K_N = K."""
    fn = activation(regime.activation)
    remainder = theory.min_eigenvalue_remainder(fn, regime.n, regime.d)
    value = theory.min_eigenvalue(fn, regime.n, regime.d)
    spread = theory.concentration(regime.n, regime.d, regime.widths[0])
    return np.array([remainder, remainder + value * spread / 2])


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
    subject=_two_layer,
    measure=_measure_normalization,
    predict=lambda regime: theory.diagonal(activation(regime.activation), regime.d),
    decide=functools.partial(agreement, resolution=0.005, labels=("mean of K_N(x, x)",)),
    faults=("road_times_103", "road_derivative", "weights_unnormalized", "inputs_on_unit_sphere"),
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
    subject=_two_layer,
    measure=_measure_unbiased_kernel,
    decide=functools.partial(agreement, resolution=0.02),
    faults=(
        "kernel_off_diagonal_10",
        "road_derivative",
        "weights_unnormalized",
        "kernel_of_gaussian_weights",
        "road_without_inputs",
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
    remainder=_min_eigenvalue_remainder,
    decide=functools.partial(
        agreement, first=32, most=256, labels=("smallest eigenvalue of K", "of K_N")
    ),
    faults=(
        "kernel_times_103",
        "kernel_off_diagonal_3",
        "road_derivative",
        "prediction_limit",
        "prediction_degree_shifted",
        "inputs_gaussian",
    ),
)

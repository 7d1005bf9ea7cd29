"""How the claims of Montanari & Zhong are measured: one function makes replicates of a statistic.

A statistic sees the kernels at fresh inputs; what it takes from theory to split or weigh them is an
argument (`energies`, `tail`, ...), so that a fault can be planted there.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from ntval.activations import Activation, activation
from ntval.claims.sampling import MEASURED, Draw, draw_params, infinite, replicates
from ntval.kernels import analytic, quadrature_oracle, zonal
from ntval.networks.mlp import Mlp
from ntval.regimes import Regime
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import Subject
from ntval.theory import gegenbauer, isotropic_targets
from ntval.theory.ridge_equivalents import Target

PAPER = "Montanari & Zhong, 2007.12826"
SETTING = ("theorem's setting", "kernel_fn", "random weights")
SMOOTH = ("tanh", "erf", "gelu", "silu", "softplus")


def regimes(
    *sizes: tuple[int, int, int], activations: tuple[str, ...] = ("relu",), **fields
) -> tuple[Regime, ...]:
    """Regimes of each size (n, d, width) and activation."""
    return tuple(
        Regime(n=n, d=d, widths=(width,), activation=name, **fields)
        for n, d, width in sizes
        for name in activations
    )


def kernel_fn(mlp: Mlp):
    """The infinite-width twin: neural-tangents' closed form where weights on the sphere and
    Gaussian ones give one kernel (0-homogeneous derivative), the finite-d quadrature elsewhere."""
    ntk = functools.partial(zonal.ntk, mlp)
    if activation(mlp.activation).homogeneity == 1:
        ntk = jax.jit(analytic.kernel_fn(mlp))

    def twin(x1, x2=None, get="ntk"):
        return ntk(x1, x2) if get == "ntk" else quadrature_oracle.nngp(mlp, x1, x2)

    return twin


@functools.lru_cache(maxsize=64)
def two_layer(regime: Regime) -> Subject:
    """Montanari and Zhong's network of a regime, with its infinite-width twin."""
    return mlp_subject(regime, parametrization="montanari_zhong", kernel_fn=kernel_fn)


@functools.lru_cache(maxsize=64)
def ladder(regime: Regime, factors: tuple[float, ...]) -> Subject:
    """The network of a regime, and rungs at `factors` times its width."""
    rungs = (replace(regime, widths=(round(factor * regime.widths[0]),)) for factor in factors)
    return replace(two_layer(regime), rungs=tuple(two_layer(rung) for rung in rungs))


def sigma(regime: Regime) -> Activation:
    """The activation of a regime."""
    return activation(regime.activation)


LAST_DEGREE = 10  # of a kernel's energies: what is above is beyond the accuracy of any risk


def target_of(regime: Regime) -> Target:
    """A linear target; for n > d^2 one with a quarter of its energy on each of degrees 0 to 3."""
    energies = (0.25,) * 4 if regime.degree == 2 else (0.0, 1.0)
    return Target(energies=energies, noise_std=regime.noise_std)


def ridge_of(regime: Regime) -> float:
    """The absolute ridge."""
    return regime.ridge


def harmonics_of(draw: Draw, degree: int = LAST_DEGREE) -> np.ndarray:
    """P_0, ..., P_degree at all pairs of inputs."""
    x = np.asarray(draw.x)
    return gegenbauer.polynomials(draw.regime.d, degree, x @ x.T / draw.regime.d)


def risk_given_inputs(gram, harmonics, moments, target: Target, *, ridge: float) -> float:
    """The score of a regression: its risk, exact over label noise and isotropic targets."""
    return isotropic_targets.risk(gram, harmonics, moments, target, ridge=ridge)


@functools.lru_cache(maxsize=64)
def _mean_diagonal(subject: Subject):
    road = subject.road()

    def mean_diagonal(key, n_inputs):
        key_params, key_x = jax.random.split(key)
        x = subject.inputs(key_x, len(n_inputs))
        gram = road(subject.network, draw_params(subject.network, key_params), x)
        return jnp.diag(gram).mean()[None]

    return mean_diagonal


def normalization(key, regime: Regime, subject: Subject, *, stream: int = MEASURED):
    """Means of K_N(x, x) over fresh inputs, one a replicate."""
    key = jax.random.fold_in(key, stream)
    return replicates(_mean_diagonal(subject), key, jnp.arange(regime.n))


@functools.lru_cache(maxsize=64)
def _entries_gap(subject: Subject):
    road = subject.road()

    def entries(key, x, exact):
        gap = road(subject.network, draw_params(subject.network, key), x) - exact
        return (gap / jnp.diag(exact).mean())[np.triu_indices(len(exact))]

    return entries


def unbiased_kernel(key, regime: Regime, subject: Subject, *, stream: int = MEASURED):
    """Entries of K_N - K at one set of inputs, in units of K(x, x)."""
    key_inputs, key_draws = jax.random.split(key)
    key_draws = jax.random.fold_in(key_draws, stream)
    x = subject.inputs(key_inputs, regime.n)
    return replicates(_entries_gap(subject), key_draws, x, jnp.asarray(infinite(subject, x)))

"""The setting of Montanari & Zhong: their network, its regimes, targets, arguments of formulas."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.activations import Activation, activation
from ntval.claims.domain import Domain, Fixed, Hypothesis, Interval, Layers, OneOf, Range, Sizes
from ntval.claims.sampling import Replicate, kept
from ntval.kernels import analytic, quadrature_oracle, zonal
from ntval.networks.mlp import Mlp
from ntval.regimes import Regime
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import Ladder, NetworkSubject
from ntval.theory import gegenbauer, isotropic_targets
from ntval.theory.ridge_equivalents import Target

PAPER = "Montanari & Zhong, 2007.12826"
SETTING = ("theorem's setting", "kernel_fn", "random weights")
SMOOTH = ("tanh", "erf", "gelu", "silu", "softplus")


def grid(
    *sizes: tuple[int, int, int], activations: tuple[str, ...] = ("relu",), **fields: Any
) -> tuple[Regime, ...]:
    """Regimes of each size (n, d, width) and activation."""
    return tuple(
        Regime(n=n, d=d, widths=(width,), activation=name, **fields)
        for n, d, width in sizes
        for name in activations
    )


# Activations for which remainders are measured.
MEASURED = ("relu", "tanh", "gelu")
# Numbers of inputs and dimensions of claims about spectra and risks: every residue of n by small
# numbers, n = 3 d and others.
SAMPLES = (60, 70, 80, 92, 101, 120, 133, 150, 165, 182, 200, 220, 240, 256, 280, 301)
DIMENSIONS = (20, 23, 27, 30, 36, 40, 47, 54, 60)
RIDGES = Interval(0.01, 1.0, zero=True)
NOISES = Interval(0.05, 1.0, zero=True)
MIXES = Interval(0.05, 1.0, zero=True)


def regimes(
    *where: Hypothesis,
    n: tuple[int, ...] | Fixed = SAMPLES,
    d: tuple[int, ...] = DIMENSIONS,
    widths: tuple[int, ...] = (4,),
    activations: tuple[str, ...] = MEASURED,
    narrow: str = "",
    **ranges: Range,
) -> Domain:
    """Regimes of one hidden layer, with what is drawn of each field."""
    sizes = {"d": Sizes(d), "widths": Layers(Sizes(widths))}
    samples = n if isinstance(n, Fixed) else Sizes(n)
    return Domain(
        {"n": samples, **sizes, "activation": OneOf(activations), **ranges}, where, narrow=narrow
    )


def between(
    words: str, quantity: Callable[[Regime], float], low: float, high: float = math.inf
) -> Hypothesis:
    """A quantity of a regime lies between two ends."""
    ends = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
    return Hypothesis(f"{words} is {ends}", lambda regime: low <= quantity(regime) <= high)


def samples_over_d(low: float, high: float = math.inf) -> Hypothesis:
    """n / d lies between two ends."""
    return between("n / d", lambda regime: regime.n / regime.d, low, high)


def parameters_over_n(low: float, high: float = math.inf) -> Hypothesis:
    """Nd / n, parameters over samples, lies between two ends."""
    return between("Nd / n", lambda regime: regime.widths[0] * regime.d / regime.n, low, high)


def kernel_fn(mlp: Mlp) -> Callable[..., Any]:
    """The infinite-width twin: neural-tangents' closed form where weights on the sphere and
    Gaussian ones give one kernel (0-homogeneous derivative), the finite-d quadrature elsewhere."""
    ntk = functools.partial(zonal.ntk, mlp)
    if activation(mlp.activation).homogeneity == 1:
        ntk = jax.jit(analytic.kernel_fn(mlp))

    def twin(x1, x2=None, get="ntk"):
        return ntk(x1, x2) if get == "ntk" else quadrature_oracle.nngp(mlp, x1, x2)

    return twin


@kept
def two_layer(regime: Regime) -> NetworkSubject:
    """Montanari and Zhong's network of a regime, with its infinite-width twin."""
    return mlp_subject(regime, parametrization="montanari_zhong", kernel_fn=kernel_fn)


@kept
def widened(regime: Regime, factors: tuple[float, ...]) -> NetworkSubject:
    """The network of a regime, and rungs at `factors` times its width."""
    widths = tuple(round(factor * regime.widths[0]) for factor in factors)
    rungs = tuple(two_layer(replace(regime, widths=(width,))) for width in widths)
    return replace(two_layer(regime), ladder=Ladder("width", widths, rungs))


RATE_FACTORS = (1, 2, 4, 8)


def rate_ladder(regime: Regime) -> NetworkSubject:
    """The network of a regime, and rungs at 1, 2, 4 and 8 times its width."""
    return widened(regime, RATE_FACTORS)


def sigma(regime: Regime) -> Activation:
    """The activation of a regime."""
    return activation(regime.activation)


def target_of(regime: Regime) -> Target:
    """A target of energy 1, a share of it on degrees 0, 2 and 3, the rest linear."""
    part = regime.target_mix / 3
    energies = (part, 1 - regime.target_mix, part, part) if part else (0.0, 1.0)
    return Target(energies=energies, noise_std=regime.noise_std)


def constant_target(regime: Regime) -> Target:
    """A constant target of mean square 1."""
    return Target(energies=(1.0,), noise_std=regime.noise_std)


def ridge_of(regime: Regime) -> float:
    """The absolute ridge."""
    return regime.ridge


def arguments(regime: Regime) -> dict[str, Any]:
    """Arguments of theory's formulas at a regime, by name."""
    return {
        "activation": sigma(regime),
        "n": regime.n,
        "d": regime.d,
        "width": regime.widths[0],
        "degree": regime.degree,
        "ridge": regime.ridge,
        "noise_std": regime.noise_std,
        "target": target_of(regime),
    }


LAST_DEGREE = 10  # of a kernel's energies: what is above is beyond the accuracy of any risk


def harmonics_of(draw: Replicate, degree: int = LAST_DEGREE) -> Float[np.ndarray, "degrees n n"]:
    """P_0, ..., P_degree at all pairs of inputs."""
    x = np.asarray(draw.x)
    return gegenbauer.polynomials(draw.regime.d, degree, x @ x.T / draw.regime.d)


FRESH = 200  # inputs over which moments of a kernel are means


def fresh_inputs(
    draw: Replicate, degree: int
) -> tuple[Float[Array, "m d"], Float[np.ndarray, "degrees m n"]]:
    """Fresh inputs, and P_0, ..., P_degree between them and the draw's."""
    fresh = draw.subject.inputs(draw.key, FRESH)
    cosines = np.asarray(fresh) @ np.asarray(draw.x).T / draw.regime.d
    return fresh, gegenbauer.polynomials(draw.regime.d, degree, cosines)


def risk_given_inputs(
    gram: Float[np.ndarray, "n n"],
    harmonics: Float[np.ndarray, "degrees n n"],
    moments: isotropic_targets.Moments,
    target: Target,
    *,
    ridge: float,
) -> float:
    """The score of a regression: its risk, exact over label noise and isotropic targets."""
    return isotropic_targets.risk(gram, harmonics, moments, target, ridge=ridge)

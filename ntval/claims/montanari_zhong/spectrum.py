"""Montanari & Zhong, 2007.12826: the eigenvalues of the kernel of a two-layer network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntval.activations import ACTIVATIONS
from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim
from ntval.claims.domain import OneOf
from ntval.claims.montanari_zhong.setting import (
    PAPER,
    SAMPLES,
    SETTING,
    SMOOTH,
    arguments,
    grid,
    regimes,
    samples_over_d,
    sigma,
    two_layer,
)
from ntval.claims.procedures import Identity, Means
from ntval.claims.sampling import Replicate, draw_params, looped
from ntval.evidence.exact import Comparison
from ntval.observables import spectra
from ntval.regimes import INPUT_LAWS, Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory


@looped
def _residual_norm(
    draw: Replicate,
    energies: Callable[..., Any] = theory.energies,
    tail: Callable[..., float] = theory.tail_energy,
) -> list[float]:
    """Norm of what is left of K without its low-rank part and the multiple of the identity."""
    regime, fn, x = draw.regime, sigma(draw.regime), np.asarray(draw.x)
    harmonics = gegenbauer.polynomials(regime.d, regime.degree, x @ x.T / regime.d)
    low = np.tensordot(energies(fn, regime.d, regime.degree), harmonics, axes=1)
    rest = draw.gram - low - tail(fn, regime.d, regime.degree) * np.eye(regime.n)
    return [spectra.operator_norm(rest)]


kernel_structure = Claim(
    name="montanari_zhong.kernel_structure",
    source=f"{PAPER}, structure of K (recalled); norm derived and checked in the spec, (i); E06.",
    statement="K = sum_{k <= l} gamma_k P_k + gamma_{>l} I + Delta with |Delta| = gamma_k* "
    "(2 sqrt(r) + r), r = n/B(d, k*).",
    needs=("theorem's setting", "kernel_fn", "random weights"),
    points={
        "quick": grid((120, 40, 4)),
        "standard": (
            *grid((120, 40, 4), (240, 80, 4), activations=("relu", "tanh")),
            *grid((400, 18, 4)),
        ),
        "thorough": (
            *grid((120, 40, 4), (240, 80, 4), (480, 160, 4), activations=("relu", *SMOOTH)),
            *grid((600, 20, 4)),
        ),
    },
    domain=regimes(
        samples_over_d(2),
        n=SAMPLES[3:],
        d=tuple(range(18, 61)),
        activations=("relu", *SMOOTH),
    ),
    subject=two_layer,
    procedure=Means(
        _residual_norm,
        labels=("|Delta|",),
        formula=theory.residual_norm,
        remainder=theory.residual_norm_remainder,
        at=arguments,
        resolution=0.003,
        first=32,
        most=512,
    ),
    faults=(
        "inputs_gaussian",
        "analytic_off_diagonal_10",
        "energies_shifted",
        "energies_without_constant",
        "tail_shifted_up",
        "tail_shifted_down",
        "analytic_scale_10",
        "analytic_without_inputs",
    ),
)


@looped
def _outliers(draw: Replicate, count: Callable[..., int] = theory.outliers) -> list[float]:
    """The smallest eigenvalue above the gap and the largest below, by their place in the order."""
    eigenvalues = np.linalg.eigvalsh(draw.gram)[::-1]
    place = count(sigma(draw.regime), draw.regime.d, degree=draw.regime.degree)
    return [float(eigenvalues[place - 1]), float(eigenvalues[place])]


outliers = Claim(
    name="montanari_zhong.outliers",
    source="Bands of K and their edges; derived and checked in the spec, section 2 (iv); E08.",
    statement="Exactly sum_{k <= l, gamma_k > 0} B(d, k) eigenvalues of K lie above its bulk, "
    "whose top and the band's low end are where Marchenko, Pastur, Tracy and Widom put them.",
    needs=SETTING,
    points={
        "quick": grid((240, 40, 4)),
        "standard": grid((240, 40, 4), (480, 60, 4), activations=("relu", "tanh")),
        "thorough": grid((240, 40, 4), (480, 60, 4), (700, 90, 4), activations=("relu", "tanh")),
    },
    domain=regimes(samples_over_d(3, 8), n=tuple(range(60, 301, 3)), d=tuple(range(20, 61, 2))),
    subject=two_layer,
    procedure=Means(
        _outliers,
        labels=("low end of the band", "top of the bulk"),
        formula=(theory.smallest_outlier, theory.largest_bulk_eigenvalue),
        remainder=(theory.smallest_outlier_remainder, theory.largest_bulk_eigenvalue_remainder),
        at=arguments,
        resolution=0.01,
        first=32,
        most=256,
    ),
    faults=(
        "inputs_gaussian",
        "analytic_scale_10",
        "analytic_centered",
        "outliers_without_constant",
    ),
)


def _precision(key: Array, regime: Regime, subject: NetworkSubject) -> list[Comparison]:
    """Smallest eigenvalue of K_N by the cheapest method in float32, against the Jacobian's in
    float64."""
    key_params, key_x = jax.random.split(key)
    params, x = draw_params(subject.network, key_params), subject.inputs(key_x, regime.n)
    single = [{"w": jnp.asarray(layer["w"], dtype=jnp.float32)} for layer in params]
    low = np.asarray(
        subject.cheapest_method()(subject.network, single, jnp.asarray(x, dtype=jnp.float32))
    )
    exact = np.asarray(subject.methods["jacobian"](subject.network, params, x))
    size = float(np.diag(exact).mean())
    terms = 2 * (regime.d + regime.widths[0])
    entry = rounding_allowance(terms, dtype=np.dtype(np.float32)) * size
    return [
        Comparison(
            "K_N in float32 against float64", low, exact, entry + 0 * exact, size + 0 * exact
        ),
        Comparison(
            "smallest eigenvalue in float32 against float64",
            np.array([spectra.min_eigenvalue(np.asarray(low, dtype=np.float64))]),
            np.array([spectra.min_eigenvalue(exact)]),
            # Weyl: eigenvalues move by at most n times the largest error of an entry.
            np.array([regime.n * entry]),
            np.array([size]),
        ),
    ]


precision = Claim(
    name="montanari_zhong.precision",
    source="Weyl's inequality and the rounding of one entry; derived here; E27 of the spec.",
    statement="Computed in float32, K_N and its smallest eigenvalue are those of float64 up to "
    "rounding.",
    needs=("theorem's setting", "mlp", "random weights"),
    points={
        "quick": grid((60, 20, 64), activations=("tanh",)),
        "standard": grid((60, 20, 64), (100, 20, 64), activations=("tanh", "gelu")),
        "thorough": grid((60, 20, 64), (200, 20, 64), activations=("tanh", "gelu", "erf")),
    },
    domain=regimes(
        n=tuple(range(2, 101, 7)),
        d=(1, 2, 5, 10, 20, 33),
        widths=(1, 2, 16, 64, 100),
        activations=tuple(ACTIVATIONS),
        inputs=OneOf(INPUT_LAWS),
    ),
    subject=two_layer,
    procedure=Identity(_precision),
    faults=(
        "empirical_bfloat16",
        "empirical_scale_10",
        "empirical_derivative",
        "empirical_without_inputs",
    ),
)

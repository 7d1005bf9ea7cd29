"""Montanari & Zhong, 2007.12826: the eigenvalues of the kernel of a two-layer network."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ntval import spectra
from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim, Subject, draw_params
from ntval.claims.montanari_zhong._measurements import (
    PAPER,
    SETTING,
    SMOOTH,
    Draw,
    infinite,
    measured,
    regimes,
    sampled,
    sigma,
    two_layer,
)
from ntval.decisions import Bracket, Comparison, agreement, bound, identity, probable_bound
from ntval.kernels import analytic, arc_cosine
from ntval.regimes import Regime
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory


def _predict_residual_norm(regime: Regime) -> float:
    return theory.residual_norm(sigma(regime), regime.n, regime.d, degree=regime.degree)


def _residual_norm_remainder(regime: Regime) -> float:
    return theory.residual_norm_remainder(sigma(regime), regime.n, regime.d, degree=regime.degree)


def _residual_norm(draw: Draw, energies=theory.energies, tail=theory.tail_energy) -> list[float]:
    """Norm of what is left of K without its low-rank part and the multiple of the identity."""
    regime, fn, x = draw.regime, sigma(draw.regime), np.asarray(draw.x)
    harmonics = gegenbauer.polynomials(regime.d, regime.degree, x @ x.T / regime.d)
    low = np.tensordot(energies(fn, regime.d, regime.degree), harmonics, axes=1)
    rest = draw.gram - low - tail(fn, regime.d, regime.degree) * np.eye(regime.n)
    return [spectra.operator_norm(rest)]


_measure_residual_norm = measured(_residual_norm)

kernel_structure = Claim(
    name="montanari_zhong.kernel_structure",
    source=f"{PAPER}, structure of K (recalled); norm derived and checked in the spec, (i); E06.",
    statement="K = sum_{k <= l} gamma_k P_k + gamma_{>l} I + Delta with |Delta| = gamma_k* "
    "(2 sqrt(r) + r), r = n/B(d, k*).",
    needs=("theorem's setting", "kernel_fn", "random weights"),
    regimes={
        "quick": regimes((120, 40, 4)),
        "standard": (
            *regimes((120, 40, 4), (240, 80, 4), activations=("relu", "tanh")),
            *regimes((400, 18, 4)),
        ),
        "thorough": (
            *regimes((120, 40, 4), (240, 80, 4), (480, 160, 4), activations=("relu", *SMOOTH)),
            *regimes((600, 20, 4)),
        ),
    },
    space=(
        *regimes((60, 20, 4), (120, 40, 4), (160, 40, 4), (240, 60, 4)),
        *regimes((120, 40, 4), (240, 60, 4), activations=("gelu", "silu")),
    ),
    subject=two_layer,
    measure=_measure_residual_norm,
    predict=_predict_residual_norm,
    allowance=sampled(_measure_residual_norm, remainder=_residual_norm_remainder, resolution=0.003),
    decide=functools.partial(agreement, first=32, most=512, labels=lambda i, k: "|Delta|"),
    faults=(
        "kernel_without_inputs",
        "kernel_scale_10",
        "kernel_off_diagonal_10",
        "energies_shifted",
        "energies_without_constant",
        "tail_shifted_up",
        "tail_shifted_down",
        "inputs_gaussian",
    ),
)


def _predict_min_eigenvalue(regime: Regime) -> np.ndarray:
    """The formula for K; for K_N the middle of what concentration leaves of it."""
    value = theory.min_eigenvalue(sigma(regime), regime.n, regime.d, degree=regime.degree)
    spread = theory.concentration(regime.n, regime.d, regime.widths[0])
    return np.array([value, value * (1 - spread / 2)])


def _min_eigenvalue_remainder(regime: Regime) -> np.ndarray:
    """The formula's remainder; for K_N also (1 - eta) K <= K_N and E lambda_min(K_N) <= that of K,
    which holds because lambda_min is concave and E K_N = K."""
    at = {"n": regime.n, "d": regime.d, "degree": regime.degree}
    remainder = theory.min_eigenvalue_remainder(sigma(regime), **at)
    value = theory.min_eigenvalue(sigma(regime), **at)
    spread = theory.concentration(regime.n, regime.d, regime.widths[0])
    return np.array([remainder, remainder + value * spread / 2])


_measure_min_eigenvalue = measured(
    lambda draw: [spectra.min_eigenvalue(draw.gram), spectra.min_eigenvalue(draw.empirical)]
)

min_eigenvalue = Claim(
    name="montanari_zhong.min_eigenvalue",
    source=f"{PAPER}, smallest eigenvalue (recalled); finite-d formula derived and checked in the "
    "spec, section 2 (ii); E07.",
    statement="For n uniform inputs, d^l < n < d^(l+1), the smallest eigenvalue of K is "
    "gamma_{>l} - gamma_k* [1 - (1 - sqrt(n'/B(d, k*)))^2], and that of K_N lies at most "
    "a factor 1 - eta below, eta = 2 sqrt(n/Nd) + n/Nd.",
    needs=SETTING,
    regimes={
        "quick": regimes((120, 40, 512), (240, 80, 512)),
        "standard": (
            *regimes((600, 20, 512)),
            *regimes((120, 40, 512), (240, 80, 512), (480, 160, 1024)),
            *regimes((240, 80, 512), activations=("leaky_relu", "gelu")),
        ),
        "thorough": regimes(
            (120, 40, 512), (240, 80, 512), (480, 160, 1024), (960, 320, 2048), (854, 90, 2048)
        ),
    },
    space=(
        *regimes((60, 20, 512), (120, 40, 512), (160, 40, 512), (240, 80, 512)),
        *regimes((120, 40, 512), (240, 80, 512), activations=("leaky_relu", "gelu", "silu")),
    ),
    subject=two_layer,
    measure=_measure_min_eigenvalue,
    predict=_predict_min_eigenvalue,
    allowance=sampled(
        _measure_min_eigenvalue,
        remainder=_min_eigenvalue_remainder,
    ),
    decide=functools.partial(
        agreement,
        first=32,
        most=512,
        labels=lambda i, k: f"smallest eigenvalue of {('K', 'K_N')[i]}",
    ),
    faults=(
        "kernel_without_inputs",
        "kernel_scale_3",
        "kernel_off_diagonal_3",
        "road_scale_10",
        "road_derivative",
        "prediction_limit",
        "prediction_degree_shifted",
        "inputs_gaussian",
    ),
)


def _room_above_bound(draw: Draw, spread=theory.concentration) -> list[float]:
    """Room that lambda_min(K_N) >= (1 - eta(n)) lambda_min(K) leaves, in units of K(x, x)."""
    regime = draw.regime
    floor = 1 - spread(regime.n, regime.d, regime.widths[0])
    smallest = spectra.min_eigenvalue(draw.gram)
    room = spectra.min_eigenvalue(draw.empirical) - floor * smallest
    return [room / float(np.diag(draw.gram).mean())]


def _decide_bound(draw, *, resolution: float, **settings):
    return probable_bound(
        lambda start, count: draw(start, count)[:, 0],
        failure=0.01,
        resolution=resolution,
        **settings,
    )


min_eigenvalue_bound = Claim(
    name="montanari_zhong.min_eigenvalue_bound",
    source=f"{PAPER}, consequence of theorem A (recalled); E09b of the spec.",
    statement="lambda_min(K_N) >= (1 - eta) lambda_min(K) > 0 with probability at least 0.99, "
    "eta = 2 sqrt(n/Nd) + n/Nd < 1.",
    needs=SETTING,
    regimes={
        "quick": regimes((120, 30, 256)),
        "standard": regimes((120, 30, 256), (240, 60, 256), activations=("relu", "tanh")),
        "thorough": regimes((120, 30, 256), (240, 60, 256), activations=("relu", "tanh", "gelu")),
    },
    subject=two_layer,
    measure=measured(_room_above_bound),
    decide=functools.partial(_decide_bound, resolution=0.1),
    faults=("road_without_inputs", "road_over_width", "kernel_scale_100"),
)


def _predict_outliers(regime: Regime) -> np.ndarray:
    at = {"n": regime.n, "d": regime.d, "degree": regime.degree}
    _, top = theory.bulk_edges(sigma(regime), **at)
    return np.array([theory.smallest_outlier(sigma(regime), **at), top])


def _outliers_remainder(regime: Regime) -> np.ndarray:
    """Accuracy stated by theory; 2 % for the top of the bulk, measured."""
    at = {"n": regime.n, "d": regime.d, "degree": regime.degree}
    low = theory.smallest_outlier_remainder(sigma(regime), **at)
    return np.array([low, 0.02 * _predict_outliers(regime)[1]])


def _outliers(draw: Draw, count=theory.outliers) -> list[float]:
    """The smallest eigenvalue above the gap and the largest below, by their place in the order."""
    eigenvalues = np.linalg.eigvalsh(draw.gram)[::-1]
    place = count(sigma(draw.regime), draw.regime.d, degree=draw.regime.degree)
    return [float(eigenvalues[place - 1]), float(eigenvalues[place])]


_measure_outliers = measured(_outliers)

outliers = Claim(
    name="montanari_zhong.outliers",
    source="Bands of K and their edges; derived and checked in the spec, section 2 (iv); E08. "
    "Accuracy 2.5/d and 2 % measured.",
    statement="Exactly sum_{k <= l, gamma_k > 0} B(d, k) eigenvalues of K lie above its bulk, "
    "whose top and the band's low end are where Marchenko, Pastur, Tracy and Widom put them.",
    needs=SETTING,
    regimes={
        "quick": regimes((240, 40, 4)),
        "standard": regimes((240, 40, 4), (480, 60, 4), activations=("relu", "tanh")),
        "thorough": regimes((240, 40, 4), (480, 60, 4), (700, 90, 4), activations=("relu", "tanh")),
    },
    subject=two_layer,
    measure=_measure_outliers,
    predict=_predict_outliers,
    allowance=sampled(
        _measure_outliers,
        remainder=_outliers_remainder,
        resolution=0.01,
    ),
    decide=functools.partial(
        agreement,
        first=32,
        most=256,
        labels=lambda i, k: ("low end of the band", "top of the bulk")[i],
    ),
    faults=(
        "outliers_without_constant",
        "kernel_scale_10",
        "kernel_centered",
        "inputs_gaussian",
    ),
)


def _predict_few_samples(regime: Regime) -> float:
    return theory.expected_min_eigenvalue(sigma(regime), regime.n, regime.d)


_measure_few_samples = measured(lambda draw: [spectra.min_eigenvalue(draw.gram)])

few_samples = Claim(
    name="montanari_zhong.few_samples",
    source="Lower edge of all degrees at once; derived and checked in theory; E25 of the spec. "
    "Accuracy 1.5 % measured.",
    statement="For n < d the smallest eigenvalue of K lies above its limit v_1: it is the lower "
    "edge that degrees 1 and 2 make together.",
    needs=SETTING,
    regimes={
        "quick": regimes((50, 200, 4)),
        "standard": regimes((50, 200, 4), (100, 200, 4), (50, 100, 4), (100, 100, 4)),
        "thorough": regimes((50, 200, 4), (100, 200, 4), (50, 100, 4), (80, 100, 4), (220, 200, 4)),
    },
    subject=two_layer,
    measure=_measure_few_samples,
    predict=_predict_few_samples,
    allowance=sampled(
        _measure_few_samples,
        remainder=lambda regime: 0.015 * _predict_few_samples(regime),
        resolution=0.001,
    ),
    decide=functools.partial(
        agreement, first=32, most=512, labels=lambda i, k: "smallest eigenvalue of K"
    ),
    faults=("prediction_limit", "kernel_scale_3", "kernel_off_diagonal_100", "inputs_gaussian"),
)


def _degenerate_inputs(key, regime: Regime, subject: Subject) -> list[Bracket]:
    """Smallest eigenvalues where an input is repeated, and where one is the other's opposite."""
    x = np.asarray(subject.inputs(key, regime.n))
    brackets = []
    for label, last in (("a repeated input", x[0]), ("opposite inputs", -x[0])):
        gram = infinite(subject, np.concatenate([x[:-1], last[None]]))
        trace = float(np.trace(gram))
        rounding = 8 * len(gram) * (analytic.accuracy(subject.network) + arc_cosine.ACCURACY)
        smallest = spectra.min_eigenvalue(gram)
        singular = label == "a repeated input" or sigma(regime).parity == -1
        slack = rounding * trace
        # Singular: both lambda_min and -lambda_min are >= 0, up to rounding. Regular: lambda_min
        # is at least a quarter of what a repeated input takes it away from.
        floor = 0.0 if singular else theory.tail_energy(sigma(regime), regime.d, 1) / 4
        brackets += [
            Bracket(
                f"{'' if sign > 0 else 'minus '}the smallest eigenvalue at {label}",
                lower=sign * smallest - slack,
                upper=sign * smallest + slack,
                bound=floor - (2 * slack if singular else 0.0),
                scale=trace,
            )
            for sign in ((1, -1) if singular else (1,))
        ]
    return brackets


degenerate_inputs = Claim(
    name="montanari_zhong.degenerate_inputs",
    source="K is a function of the angle; derived and checked in the spec, section 6; E24.",
    statement="K is singular at repeated inputs, for every activation, and at opposite ones when "
    "it has odd degrees alone; otherwise opposite inputs leave it regular.",
    needs=("theorem's setting", "kernel_fn"),
    regimes={
        "quick": regimes((60, 30, 4), activations=("relu", "tanh")),
        "standard": regimes((60, 30, 4), activations=("relu", "gelu", "tanh", "erf")),
        "thorough": regimes((60, 30, 4), (90, 40, 4), activations=("relu", "gelu", "tanh", "erf")),
    },
    subject=two_layer,
    measure=_degenerate_inputs,
    decide=bound,
    faults=("kernel_jitter", "kernel_plus_constant", "kernel_off_diagonal_10", "kernel_entry_15"),
)


def _precision(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """Smallest eigenvalue of K_N by the cheapest road in float32, against the Jacobian's in
    float64."""
    key_params, key_x = jax.random.split(key)
    params, x = draw_params(subject.network, key_params), subject.inputs(key_x, regime.n)
    single = [{"w": jnp.asarray(layer["w"], dtype=jnp.float32)} for layer in params]
    low = np.asarray(subject.road()(subject.network, single, jnp.asarray(x, dtype=jnp.float32)))
    exact = np.asarray(subject.roads["jacobian"](subject.network, params, x))
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
    regimes={
        "quick": regimes((60, 20, 64), activations=("tanh",)),
        "standard": regimes((60, 20, 64), (100, 20, 64), activations=("tanh", "gelu")),
        "thorough": regimes((60, 20, 64), (200, 20, 64), activations=("tanh", "gelu", "erf")),
    },
    subject=two_layer,
    measure=_precision,
    decide=identity,
    faults=("road_bfloat16", "road_scale_10", "road_derivative", "road_without_inputs"),
)

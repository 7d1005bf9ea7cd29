"""Montanari & Zhong, 2007.12826: the kernel of a two-layer network, its degrees and its width."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float, Int

from ntval.activations import ACTIVATIONS
from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim
from ntval.claims.domain import Interval, OneOf
from ntval.claims.kernel_identities.empirical import jacobian_comparison
from ntval.claims.montanari_zhong.setting import (
    PAPER,
    SETTING,
    SMOOTH,
    arguments,
    grid,
    regimes,
    sigma,
    two_layer,
)
from ntval.claims.procedures import Identity, Means
from ntval.claims.sampling import (
    MEASURED,
    draw_params,
    infinite,
    inputs_and_key,
    kept,
    replicates,
    stream_of,
)
from ntval.evidence.exact import Comparison
from ntval.evidence.sequential import Draw
from ntval.kernels import analytic, quadrature_oracle
from ntval.observables.entries import entry_labels, upper_triangle
from ntval.regimes import INPUT_LAWS, Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory

FROM_3 = (3, 4, 5, 7, 8, 11, 16, 20, 27, 40, 60, 90)


@kept
def _diagonal_of_draw(subject: NetworkSubject):
    method = subject.cheapest_method()

    def mean_diagonal(key: Array, like: Int[Array, "n"]) -> Float[Array, "1"]:
        key_params, key_x = jax.random.split(key)
        x = subject.inputs(key_x, len(like))
        gram = method(subject.network, draw_params(subject.network, key_params), x)
        return jnp.diag(gram).mean()[None]

    return mean_diagonal


def _mean_diagonal(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Means of K_N(x, x) over fresh inputs, one a replicate."""
    return replicates(_diagonal_of_draw(subject), stream_of(key, stream), jnp.arange(regime.n))


normalization = Claim(
    name="montanari_zhong.normalization",
    source=f"{PAPER}, setting (recalled); E03 of the spec.",
    statement="The mean of K_N(x, x) is E[sigma'(sqrt(d) t)^2], t a coordinate of the sphere.",
    needs=("theorem's setting", "random weights"),
    points={
        "quick": grid((16, 20, 256), activations=("tanh",)),
        "standard": grid((16, 20, 256), (16, 60, 256), activations=("tanh", "gelu", "relu")),
        "thorough": grid((16, 8, 256), (16, 20, 256), (16, 60, 256), activations=(*SMOOTH, "relu")),
    },
    domain=regimes(
        n=(4, 7, 16, 33), d=FROM_3, widths=(256, 300, 512, 1024), activations=(*SMOOTH, "relu")
    ),
    subject=two_layer,
    procedure=Means(
        _mean_diagonal,
        labels=("mean of K_N(x, x)",),
        formula=theory.diagonal,
        at=arguments,
        resolution=0.005,
        pilot=64,
    ),
    faults=(
        "empirical_scale_3",
        "empirical_derivative",
        "empirical_times_d",
        "weights_unnormalized",
        "inputs_on_unit_sphere",
    ),
)

gradient = Claim(
    name="montanari_zhong.gradient",
    source=f"{PAPER}, NT model (recalled); E01 of the spec.",
    statement="K_N is J J^T of f(x) = (N d)^(-1/2) sum_l b_l sigma(<w_l, x>), b_l = +-1.",
    needs=("theorem's setting", "mlp"),
    points={
        "quick": grid((5, 6, 7), activations=("tanh",)),
        "standard": grid((5, 6, 7), (16, 20, 64), activations=("tanh", "gelu", "relu")),
        "thorough": grid((5, 6, 7), (16, 20, 64), activations=(*SMOOTH, "relu", "cubic")),
    },
    domain=regimes(
        n=(1, 2, 5, 6, 16),
        d=(1, 2, 3, 6, 20),
        widths=(1, 2, 7, 64),
        activations=tuple(ACTIVATIONS),
        inputs=OneOf(INPUT_LAWS),
        input_scale=Interval(0.1, 3.0),
    ),
    subject=two_layer,
    procedure=Identity(jacobian_comparison),
    faults=(
        "empirical_derivative",
        "empirical_times_d",
        "empirical_over_width",
        "empirical_without_inputs",
        "empirical_entry_15",
    ),
)


@kept
def _gap_of_draw(subject: NetworkSubject):
    method = subject.cheapest_method()

    def entries(key: Array, x: Float[Array, "n d"], exact: Float[Array, "n n"]):
        gap = method(subject.network, draw_params(subject.network, key), x) - exact
        return (gap / jnp.diag(exact).mean())[upper_triangle(len(exact))]

    return entries


def _entries_gap(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Entries of K_N - K at one set of inputs, in units of K(x, x)."""
    x, key_draws = inputs_and_key(key, regime, subject, stream)
    return replicates(_gap_of_draw(subject), key_draws, x, jnp.asarray(infinite(subject, x)))


def _entry_labels(regime: Regime) -> tuple[str, ...]:
    return entry_labels(regime.n)


unbiased_kernel = Claim(
    name="montanari_zhong.unbiased_kernel",
    source=f"{PAPER}: E[K_N] = K at every N and d (derived and checked in the spec); E02.",
    statement="The mean of K_N over weights on the unit sphere is the infinite-width kernel at "
    "finite d.",
    needs=SETTING,
    points={
        "quick": grid((4, 8, 1024), activations=("tanh",)),
        "standard": grid((4, 8, 1024), activations=("tanh", "relu")),
        "thorough": grid(
            (8, 3, 1024), (8, 8, 1024), (8, 20, 1024), activations=("tanh", "erf", "gelu", "relu")
        ),
    },
    domain=regimes(
        n=(2, 3, 4, 5, 8), d=FROM_3, widths=(256, 512, 700, 1024), activations=(*SMOOTH, "relu")
    ),
    subject=two_layer,
    procedure=Means(_entries_gap, labels=_entry_labels, wrong=-0.5, resolution=0.02, pilot=64),
    faults=(
        "weights_gaussian",
        "weights_shared",
        "analytic_of_gaussian_weights",
        "analytic_off_diagonal_10",
        "analytic_erf_for_tanh",
        "empirical_derivative",
        "empirical_without_inputs",
        "weights_unnormalized",
    ),
)

_DEGREES = 6
_PROJECTION_NODES = 600


def _hermite_energies(key, regime: Regime, subject: NetworkSubject, energies=theory.energies):
    """Energies of K on degrees 0 to 6 by Gauss-Gegenbauer quadrature over the angle."""
    d, fn = regime.d, sigma(regime)
    cosines, weights = scipy.special.roots_gegenbauer(_PROJECTION_NODES, (d - 2) / 2)
    x = np.zeros((len(cosines), d))
    x[:, 0], x[:, 1] = np.sqrt(d) * cosines, np.sqrt(d * (1 - cosines**2))
    pole = np.zeros((1, d))
    pole[0, 0] = np.sqrt(d)
    kernel = infinite(subject, pole, x)[0]
    dimensions = np.array([gegenbauer.dimension(d, k) for k in range(_DEGREES + 1)])
    polynomials = np.array(
        [
            scipy.special.eval_gegenbauer(k, (d - 2) / 2, cosines)
            / scipy.special.eval_gegenbauer(k, (d - 2) / 2, 1.0)
            for k in range(_DEGREES + 1)
        ]
    )
    left = dimensions * (polynomials @ (weights * kernel)) / weights.sum()
    # E|P_k| <= B^(-1/2): an error of the kernel is amplified by sqrt(B) at most. Of P_k, at most 1,
    # it is the recurrence's: two roundings a degree, times B. A square-root end point of the
    # kernel (ReLU) leaves the quadrature of m nodes at m^-d, times B: all of it at d = 3.
    size = float(np.abs(kernel).max())
    of_kernel = analytic.accuracy(subject.network) + quadrature_oracle.ACCURACY
    of_kernel += rounding_allowance(_PROJECTION_NODES)
    of_polynomials = rounding_allowance(2 * _DEGREES)
    if fn.breakpoints:
        of_polynomials += float(_PROJECTION_NODES) ** -d
    allowance = theory.ENERGIES_ACCURACY + size * (
        np.sqrt(dimensions) * of_kernel + dimensions * of_polynomials
    )
    label = "energies of degrees 0 to 6"
    return [Comparison(label, left, energies(fn, d, _DEGREES), allowance, np.full(7, size))]


hermite_energies = Claim(
    name="montanari_zhong.hermite_energies",
    source="Energies gamma_k of K with the degree shift k + 1 <- k; derived and checked in the "
    "spec, section 1; E04, E05.",
    statement="K has energy gamma_k on the spherical harmonics of degree k, at finite d.",
    needs=("theorem's setting", "kernel_fn"),
    points={
        "quick": grid((2, 20, 4), activations=("relu", "tanh")),
        "standard": grid((2, 20, 4), (2, 60, 4), activations=("relu", "tanh", "gelu")),
        "thorough": grid((2, 12, 4), (2, 20, 4), (2, 60, 4), activations=("relu", *SMOOTH)),
    },
    domain=regimes(
        n=(2,),
        d=tuple(range(3, 161)),
        activations=(*SMOOTH, "relu", "leaky_relu", "sigmoid"),
    ),
    subject=two_layer,
    procedure=Identity(_hermite_energies, formula=theory.energies),
    faults=(
        "analytic_scale_1",
        "analytic_off_diagonal_1",
        "analytic_of_gaussian_weights",
        "energies_shifted",
        "energies_of_limit",
        "energies_without_constant",
    ),
)


def _parity(key, regime: Regime, subject: NetworkSubject) -> list[Comparison]:
    """K(x, z) against K(x, -z): what the missing degrees leave."""
    x = np.asarray(subject.inputs(key, regime.n))
    there, opposite = infinite(subject, x, x[::-1]), infinite(subject, x, -x[::-1])
    size = theory.diagonal(sigma(regime), regime.d)
    if sigma(regime).parity == -1:
        left, right, label = opposite, -there, "K(x, -z) against -K(x, z)"
    else:
        linear = theory.energies(sigma(regime), regime.d, 1)[1]
        right = 2 * linear * (x @ x[::-1].T) / regime.d
        left, label = there - opposite, "K(x, z) - K(x, -z) against its linear part"
    # Coincident and opposite points meet in one pair when n is odd: arccos is steep there.
    accuracy = 4 * (analytic.accuracy(subject.network) + quadrature_oracle.ACCURACY) * size
    return [Comparison(label, left, right, accuracy + 0 * left, size + 0 * left)]


parity = Claim(
    name="montanari_zhong.parity",
    source="sigma' - 1/2 odd or sigma' even: degrees that K lacks exactly at every d; derived and "
    "checked in the spec, section 6; E20.",
    statement="K of tanh and erf has odd degrees alone; K of ReLU, GELU, SiLU and softplus has no "
    "odd degree but 1.",
    needs=("theorem's setting", "kernel_fn"),
    points={
        "quick": grid((16, 20, 4), activations=("relu", "tanh")),
        "standard": grid((16, 20, 4), (16, 60, 4), activations=("relu", *SMOOTH)),
        "thorough": grid((16, 8, 4), (16, 20, 4), (16, 60, 4), activations=("relu", *SMOOTH)),
    },
    domain=regimes(n=(2, 3, 5, 8, 16, 31), d=tuple(range(3, 64)), activations=("relu", *SMOOTH)),
    subject=two_layer,
    procedure=Identity(_parity, formula=theory.energies),
    faults=(
        "analytic_plus_constant",
        "analytic_entry_15",
        "analytic_squared",
        "analytic_adds_second_layer",
    ),
)

"""Claims about Gram matrices that were computed elsewhere."""

from __future__ import annotations

import math

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.claim import Claim
from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.gaps import gap_units
from ntval.claims.kernel_identities.means import HALF
from ntval.claims.kernel_identities.setting import ANY, WIDE
from ntval.claims.kernel_identities.words import Fit, gap_words
from ntval.claims.procedures import Identity, Means
from ntval.claims.sampling import MEASURED, grams_program, infinite, kept
from ntval.evidence.exact import Comparison
from ntval.evidence.sequential import Draw
from ntval.kernels import analytic, quadrature_oracle
from ntval.observables import spectra
from ntval.observables.entries import entry_labels, entry_scale, upper_triangle
from ntval.regimes import Regime
from ntval.subjects.grams import coincident_rounding
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import GramSubject, NetworkSubject

_DRAWS = 1024


@kept
def _of_mlp(regime: Regime) -> GramSubject:
    """The analytic Gram matrix of our own network, with that of the quadrature as reference."""
    subject, x, _ = _at_inputs(regime)
    return GramSubject(infinite(subject, x)[None], *_reference(subject, x))


@kept
def _draws_of_mlp(regime: Regime) -> GramSubject:
    """Gram matrices of our own network at fresh weights, with the analytic one as reference."""
    subject, x, key = _at_inputs(regime)
    grams = grams_program(subject)(x, jax.random.split(key, _DRAWS))
    return GramSubject(np.asarray(grams), *_reference(subject, x))


def _at_inputs(regime: Regime) -> tuple[NetworkSubject, Float[Array, "n d"], Array]:
    """Our network of a regime, inputs, and a key for its weights."""
    subject = mlp_subject(regime, kernel_fn=analytic.kernel_fn)
    key_x, key_params = jax.random.split(jax.random.key(0))
    return subject, subject.inputs(key_x, regime.n), key_params


def _reference(
    subject: NetworkSubject, x: Float[Array, "n d"]
) -> tuple[Float[np.ndarray, "n n"], float]:
    """The quadrature's Gram matrix, and the accuracy of it and of the analytic one."""
    accuracy = analytic.accuracy(subject.network) + quadrature_oracle.ACCURACY
    return np.asarray(quadrature_oracle.ntk(subject.mlp, x)), accuracy


def _given(subject: GramSubject) -> tuple[Float[np.ndarray, "draws n n"], Float[np.ndarray, "n n"]]:
    """The Gram matrices and their reference: a claim that asks is one that needs it."""
    assert subject.reference is not None
    return subject.grams, subject.reference


def _equals_reference(key: Array, regime: Regime, subject: GramSubject) -> list[Comparison]:
    """Every entry, and the norm of the difference: at most n times an entry's rounding."""
    (gram, *_), reference = _given(subject)
    scale = entry_scale(np.diag(reference))
    # Near coincident inputs an arc-cosine kernel loses digits like 1 / sin(angle).
    cosine = np.clip(np.abs(reference) / np.maximum(scale, np.finfo(float).tiny), 0.0, 1.0)
    steepness = quadrature_oracle.steepness(cosine)
    np.fill_diagonal(steepness, 1.0)
    allowed = subject.rounding * steepness * scale
    if subject.from_user:
        allowed = allowed + coincident_rounding(subject.rounding) * np.diag(np.diag(scale))
    norm = np.array([spectra.operator_norm(gram - reference)])
    return [
        Comparison("K against its reference", gram, reference, allowed, scale),
        Comparison(
            "operator norm of the difference",
            norm,
            0 * norm,
            np.array([np.linalg.norm(allowed)]),
            np.array([spectra.operator_norm(reference)]),
        ),
    ]


def _words(key: Array, regime: Regime, subject: GramSubject) -> str:
    grams, reference = _given(subject)
    name, mean, number = "the Gram matrix", grams.mean(axis=0), len(grams)
    covariance = None if subject.nngp is None else subject.nngp()
    more = []
    if covariance is not None:
        left = float(np.linalg.norm(mean - covariance))
        more = [Fit(causes.NNGP, causes.NNGP(name=name), left, exact=True)]
    drawn = number > 1
    return gap_words(
        name,
        mean,
        reference,
        noise=math.sqrt(grams.var(axis=0, ddof=1).sum() / number) if drawn else 0.0,
        more=more,
        draws=1 if subject.from_user and not drawn else None,
    )


equals_reference = Claim(
    name="gram_matrices.equals_reference",
    source="Two computations of one matrix; Weyl and Frobenius for the norm.",
    statement="A Gram matrix equals its reference up to rounding, entry by entry and in operator "
    "norm.",
    needs=("one Gram matrix", "reference"),
    points={
        "quick": (Regime(n=8, d=8, widths=(64,), activation="erf"),),
        "standard": (Regime(n=8, d=8, widths=(64,), activation="erf"),),
        "thorough": (Regime(n=32, d=8, widths=(64, 64), activation="erf"),),
    },
    domain=ANY,
    subject=_of_mlp,
    procedure=Identity(_equals_reference),
    diagnose=_words,
    faults=("gram_scale_1", "gram_entry_15", "gram_off_diagonal_3"),
    every_input=True,
)


_TINY = 1e-300  # in place of a divisor of 0
_ALL = 10**6  # draws of the pilot: as many as there are


def _mean(key: Array, regime: Regime, subject: GramSubject, *, stream: str = MEASURED) -> Draw:
    """K_N - K, a row a draw: a quarter of the draws for the pilot, which also says how large the
    kernel is, and the others."""
    grams, reference = _given(subject)
    quarter = max(2, len(grams) // 4)
    units = gap_units(reference, grams[:quarter].mean(axis=0) - reference)[:-1]
    gaps = (grams[quarter:] if stream == MEASURED else grams[:quarter]) - reference
    whole = (gaps * reference).sum(axis=(1, 2)) / max(np.linalg.norm(reference), _TINY)
    part = np.column_stack([gaps[:, *upper_triangle(len(reference))], whole]) / units
    return lambda start, count: part[start : start + count]


def _single_draw_variance(
    key: Array, regime: Regime, subject: GramSubject, pilot: Float[np.ndarray, "draws k"]
) -> float:
    """The finite-width bias, at most the relative variance of a draw (delta method, derived at
    `kernel_identities.mean_kernel`)."""
    return float(pilot[:, :-1].var(axis=0, ddof=1).mean())


def _mean_labels(regime: Regime) -> tuple[str, ...]:
    return (*entry_labels(regime.n), "scale of K")


def _resolution(regime: Regime) -> Float[np.ndarray, "k"]:
    return np.array([0.1] * len(entry_labels(regime.n)) + [0.02])


mean = Claim(
    name="gram_matrices.mean",
    source="K_N -> K with a bias of order 1/width; remainder derived in "
    "`kernel_identities.mean_kernel`.",
    statement="The mean of empirical Gram matrices at independent weights is the infinite-width "
    "one, up to the finite-width bias.",
    needs=("Gram matrices", "independent draws", "reference"),
    points={
        "quick": (Regime(n=4, d=8, widths=(512,), activation="erf"),),
        "standard": (Regime(n=4, d=8, widths=(512,), activation="erf"),),
        "thorough": (Regime(n=8, d=8, widths=(512, 512), activation="erf"),),
    },
    domain=WIDE,
    subject=_draws_of_mlp,
    procedure=Means(
        _mean,
        labels=_mean_labels,
        bias=_single_draw_variance,
        wrong=HALF,
        resolution=_resolution,
        pilot=_ALL,
    ),
    diagnose=_words,
    faults=("gram_off_diagonal_10", "gram_scale_10", "gram_entry_50"),
    every_input=True,
)

"""Claims about Gram matrices that were computed elsewhere, and are brought as arrays."""

from __future__ import annotations

import functools

import jax
import numpy as np

from ntval.claims.claim import Claim
from ntval.claims.kernel_identities.words import gap_words
from ntval.claims.sampling import draw_params
from ntval.evidence.allowance import allowance
from ntval.evidence.exact import Comparison, identity
from ntval.evidence.sequential import agreement
from ntval.kernels import analytic, quadrature_oracle
from ntval.networks.mlp import mlp_of
from ntval.observables import spectra
from ntval.regimes import Regime
from ntval.subjects.grams import entry_rounding, gram_subject
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import Subject


@functools.lru_cache(maxsize=8)
def _of_mlp(regime: Regime, draws: int = 1) -> Subject:
    """Gram matrices of our own network: the analytic one, or empirical ones of fresh weights."""
    subject = mlp_subject(regime, kernel_fn=analytic.kernel_fn)
    key_x, key_params = jax.random.split(jax.random.key(0))
    x, network = subject.inputs(key_x, regime.n), subject.network
    reference = np.asarray(quadrature_oracle.ntk(mlp_of(regime), x))
    accuracy = analytic.accuracy(network) + quadrature_oracle.ACCURACY
    if draws == 1:
        return gram_subject(np.asarray(analytic.ntk(network, x))[None], reference, accuracy)
    road = subject.road()

    def gram(key):
        return road(network, draw_params(network, key), x)

    grams = jax.lax.map(gram, jax.random.split(key_params, draws))
    return gram_subject(np.asarray(grams), reference, accuracy)


def _given(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """The Gram matrices and their reference: a claim that asks is one that needs them."""
    return np.asarray(subject.grams), np.asarray(subject.reference)


def _equals_reference(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """Every entry, and the norm of the difference: at most n times an entry's rounding."""
    (gram, *_), reference = _given(subject)
    scale = np.sqrt(np.maximum(np.outer(np.diag(reference), np.diag(reference)), 0.0))
    # Near coincident inputs an arc-cosine kernel loses digits like 1 / sin(angle).
    cosine = np.clip(np.abs(reference) / np.maximum(scale, np.finfo(float).tiny), 0.0, 1.0)
    steepness = quadrature_oracle.steepness(cosine)
    np.fill_diagonal(steepness, 1.0)
    allowed = subject.rounding * steepness * scale
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


def _words(key, regime: Regime, subject: Subject) -> str:
    grams, reference = _given(subject)
    return gap_words("the Gram matrix", grams.mean(axis=0) - reference, reference)


equals_reference = Claim(
    name="gram_matrices.equals_reference",
    source="Two computations of one matrix; Weyl and Frobenius for the norm.",
    statement="A Gram matrix equals its reference up to rounding, entry by entry and in operator "
    "norm.",
    needs=("one Gram matrix", "reference"),
    regimes={
        "quick": (Regime(n=8, d=8, widths=(64,), activation="erf"),),
        "standard": (Regime(n=8, d=8, widths=(64,), activation="erf"),),
        "thorough": (Regime(n=32, d=8, widths=(64, 64), activation="erf"),),
    },
    subject=_of_mlp,
    measure=_equals_reference,
    decide=identity,
    diagnose=_words,
    faults=("gram_scale_1", "gram_entry_15", "gram_off_diagonal_3"),
    every_input=True,
)


def _relative(subject: Subject) -> np.ndarray:
    """Entries of K - reference in units of the reference's diagonal, and its whole; one row a
    draw."""
    grams, reference = _given(subject)
    scale = np.sqrt(np.outer(np.diag(reference), np.diag(reference)))
    gaps = grams - reference
    entries = (gaps / scale)[:, *np.triu_indices(len(reference))]
    whole = (gaps * reference).sum(axis=(1, 2)) / (reference**2).sum()
    return np.concatenate([entries, whole[:, None]], axis=1)


def _parts(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """A quarter of the draws for the pilot, and the others."""
    draws = _relative(subject)
    quarter = max(2, len(draws) // 4)
    return draws[:quarter], draws[quarter:]


def _mean(key, regime: Regime, subject: Subject):
    draws = _parts(subject)[1]
    return lambda start, count: draws[start : start + count]


def _mean_allowance(key, regime: Regime, subject: Subject):
    """Remainder: the finite-width bias, at most the relative variance of a draw (delta method, as
    `_width_measurements.mean_kernel_allowance`)."""
    pilot = _parts(subject)[0]
    bias = float(pilot[:, :-1].var(axis=0, ddof=1).mean())
    return allowance(
        pilot, remainder=bias, resolution=np.array([0.1] * (pilot.shape[1] - 1) + [0.02])
    )


def _mean_label(i: int, k: int) -> str:
    n = round((np.sqrt(8 * (k - 1) + 1) - 1) / 2)
    return [*(f"K[{a}, {b}]" for a in range(n) for b in range(a, n)), "scale of K"][i]


mean = Claim(
    name="gram_matrices.mean",
    source="K_N -> K with a bias of order 1/width; remainder derived in `mean_kernel_allowance`.",
    statement="The mean of empirical Gram matrices at independent weights is the infinite-width "
    "one, up to the finite-width bias.",
    needs=("Gram matrices", "reference"),
    regimes={
        "quick": (Regime(n=4, d=8, widths=(512,), activation="erf"),),
        "standard": (Regime(n=4, d=8, widths=(512,), activation="erf"),),
        "thorough": (Regime(n=8, d=8, widths=(512, 512), activation="erf"),),
    },
    subject=functools.partial(_of_mlp, draws=1024),
    measure=_mean,
    allowance=_mean_allowance,
    decide=functools.partial(agreement, labels=_mean_label, kind="agreement"),
    diagnose=_words,
    faults=("gram_scale_10", "gram_entry_50", "gram_off_diagonal_10"),
    every_input=True,
    by_chance=True,
)


__all__ = ["entry_rounding", "equals_reference", "gram_subject", "mean"]

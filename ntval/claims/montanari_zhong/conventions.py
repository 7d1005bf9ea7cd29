"""Montanari & Zhong, 2007.12826: one absolute ridge, and what others call it."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array

from ntval.activations import ACTIVATIONS
from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim
from ntval.claims.domain import Interval, OneOf
from ntval.claims.montanari_zhong.setting import SETTING, grid, regimes, two_layer
from ntval.claims.procedures import Identity
from ntval.claims.sampling import Replicate
from ntval.evidence.exact import Comparison
from ntval.kernels import analytic
from ntval.observables import regression
from ntval.regimes import INPUT_LAWS, Regime
from ntval.subjects.subject import NetworkSubject


def _absolute(ridge: float, n: int) -> float:
    return ridge


def _ridge_conventions(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    averaged: Callable[..., float] = regression.averaged_from_ridge,
    relative: Callable[..., float] = regression.relative_from_ridge,
    primal: Callable[..., float] = _absolute,
) -> list[Comparison]:
    """Predictions at fresh inputs by one absolute ridge, in four other conventions."""
    from sklearn.kernel_ridge import KernelRidge  # seconds, for one claim

    key_draw, key_fresh, key_labels = jax.random.split(key, 3)
    draw = Replicate(key_draw, regime, subject)
    fresh = subject.inputs(key_fresh, regime.n)
    gram, rows, n = draw.empirical, draw.rows_at(fresh), regime.n
    y = np.asarray(jax.random.normal(key_labels, (n,)))
    here = regression.predictions(regression.kernel_ridge(gram, y, ridge=regime.ridge), rows)
    features = [draw.features_at(x) for x in (draw.x, fresh)]
    on_features = regression.feature_ridge(features[0], y, ridge=primal(regime.ridge, n))
    system = gram / n + averaged(regime.ridge, n) * np.eye(n)
    process = analytic.gp_inference(gram, y[:, None], diag_reg=relative(regime.ridge, gram))
    there = {
        "primal, on features": regression.predictions(on_features, features[1]),
        "averaged loss": rows @ np.linalg.solve(system, y / n),
        "sklearn KernelRidge": KernelRidge(alpha=regime.ridge, kernel="precomputed")  # pyright: ignore[reportArgumentType]
        .fit(gram, y)
        .predict(rows),
        "neural-tangents gp_inference": np.asarray(process("ntk", rows))[:, 0],
    }
    norm = float(np.linalg.norm(gram, 2))
    size = np.linalg.norm(rows, axis=1) * np.linalg.norm(y) / regime.ridge
    allowed = rounding_allowance(8 * n * (1 + norm / regime.ridge)) * size
    return [Comparison(name, values, here, allowed, size) for name, values in there.items()]


ridge_conventions = Claim(
    name="montanari_zhong.ridge_conventions",
    source="Normal equations; table of `ntval.observables.regression` (derived).",
    statement="One absolute ridge in K + ridge I gives the predictions of the primal on features, "
    "of an averaged loss with ridge/n, of sklearn's KernelRidge and of neural-tangents' relative "
    "diag_reg.",
    needs=(*SETTING, "mlp"),
    points={
        "quick": grid((30, 8, 16), activations=("tanh",), ridge=0.1),
        "standard": grid((30, 8, 16), (60, 20, 16), activations=("tanh", "gelu"), ridge=0.1),
        "thorough": grid(
            (30, 8, 16), (60, 20, 16), activations=("tanh", "gelu", "relu"), ridge=0.01
        ),
    },
    domain=regimes(
        n=(4, 7, 15, 30, 60),
        d=(2, 3, 8, 20),
        widths=(16, 33, 50),
        activations=tuple(ACTIVATIONS),
        ridge=Interval(0.01, 10.0),
        inputs=OneOf(INPUT_LAWS),
        input_scale=Interval(0.3, 3.0),
    ),
    subject=two_layer,
    procedure=Identity(_ridge_conventions),
    faults=("ridge_not_averaged", "ridge_not_relative", "ridge_of_primal_over_n"),
)

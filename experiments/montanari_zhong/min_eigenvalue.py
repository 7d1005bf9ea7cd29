"""Smallest eigenvalues of K and K_N against d along n = 3 d: the spec's table, section 2 (ii)."""

from __future__ import annotations

import jax
import numpy as np

from experiments.montanari_zhong import setting
from ntval.activations import activation
from ntval.observables import spectra
from ntval.regimes import Regime
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval
from ntval.theory import montanari_zhong as theory

RELU = activation("relu")
RATIO = 3  # n / d
WIDTH = 128


def measure(cell, key):
    """Smallest eigenvalues of K and K_N, a draw of inputs and weights each; mean spectrum of K."""
    regime = Regime(n=RATIO * cell["d"], d=cell["d"], widths=(cell["width"],))
    exact, empirical, spectrum = [], [], np.zeros(regime.n)
    for key_draw in jax.random.split(key, cell["draws"]):
        key_inputs, key_weights = jax.random.split(key_draw)
        x = setting.inputs(key_inputs, regime.n, regime.d)
        gram = setting.infinite_width(regime, x)
        exact.append(spectra.min_eigenvalue(gram))
        params = setting.weights(regime, key_weights)
        empirical.append(spectra.min_eigenvalue(setting.finite_width(regime, params, x)))
        spectrum += np.linalg.eigvalsh(gram) / cell["draws"]
    return {"infinite": exact, "finite": empirical, "spectrum": spectrum.tolist()}


def _predicted(row) -> tuple[float, float]:
    """Of K by the finite-d formula, of K_N by the edge that the spectrum of K gives it."""
    d = row["d"]
    return (
        theory.min_eigenvalue(RELU, RATIO * d, d),
        theory.finite_width_min_eigenvalue(np.array(row["spectrum"]), d, row["width"]),
    )


def summary(rows):
    """A row for each d: formulas against means."""
    table = []
    for row in rows:
        infinite, finite = _predicted(row)
        (measured, low, high), (of_finite, *_) = map(
            mean_interval, (row["infinite"], row["finite"])
        )
        table.append(
            {
                "d": row["d"],
                "n": RATIO * row["d"],
                "K predicted": infinite,
                "K measured": measured,
                "95 % from": low,
                "to": high,
                "remainder": theory.min_eigenvalue_remainder(RELU, RATIO * row["d"], row["d"]),
                "K_N predicted": finite,
                "K_N measured": of_finite,
            }
        )
    return table


def draw(rows):
    """Points over the finite-d formula with its remainder, and over the limit."""
    d = [row["d"] for row in rows]
    dense = figures.between(min(d), max(d))
    figure, (ax,) = figures.figure(
        "Montanari & Zhong: smallest eigenvalue of the NT kernel, ReLU, n = 3 d"
    )
    figures.curve(
        ax,
        dense,
        [theory.min_eigenvalue(RELU, RATIO * k, k) for k in dense],
        remainder=[theory.min_eigenvalue_remainder(RELU, RATIO * k, k) for k in dense],
        name="K, finite-d formula and its remainder",
    )
    figures.points(ax, d, [mean_interval(row["infinite"]) for row in rows], name="K, measured")
    figures.curve(
        ax,
        d,
        [_predicted(row)[1] for row in rows],
        name="$K_N$, edge from the spectrum of K",
        style=1,
    )
    figures.points(
        ax,
        d,
        [mean_interval(row["finite"]) for row in rows],
        name=f"$K_N$ measured, N = {rows[0]['width']}",
        style=1,
    )
    limit = theory.min_eigenvalue_limit(RELU)
    figures.level(ax, limit, name=f"limit $v_1$ = {limit:g}")
    figures.label(
        ax, x="input dimension d", y=r"smallest eigenvalue $\lambda_{\min}$", log="x", ticks=d
    )
    figures.legend(ax, loc="lower right")
    return {"min_eigenvalue": figure}


def _grid(dimensions, draws):
    return tuple({"d": d, "width": WIDTH, "draws": draws} for d in dimensions)


EXPERIMENT = Experiment(
    name="montanari_zhong.min_eigenvalue",
    title="Smallest eigenvalues of K and K_N against d along n = 3 d",
    claims=("min_eigenvalue_limit",),
    grids={"smoke": _grid((20, 40, 80), 6), "full": _grid((20, 40, 80, 160, 320), 20)},
    measure=measure,
    draw=draw,
    summary=summary,
)

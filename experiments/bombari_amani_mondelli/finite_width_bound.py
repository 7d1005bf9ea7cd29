"""Every bound on the smallest eigenvalue over the eigenvalue, against the last width: T1', B2."""

from __future__ import annotations

import jax
import numpy as np

from ntval.networks.mlp import Mlp
from ntval.reports import figures
from ntval.runs.bounds import EMPIRICAL, bounds
from ntval.runs.experiments import Experiment, mean_interval

N, D = 20, 60
FAILURE = 1e-6
LOWER = (
    "sum of the layers' smallest",
    "last hidden layer alone",
    "last hidden layer, features centered",
    "norm of the inverse",
    "sum of Schur's bounds",
    "features and least signals",
    "Chernoff, last hidden layer",
    "Gershgorin",
)
UPPER = (
    "the first 10 inputs",
    "distance from the other inputs",
    "closest pair",
    "harmonic mean of the eigenvalues",
    "smallest diagonal entry",
    "mean of the diagonal",
)


def measure(cell, key):
    """Of each bound its ratio to the eigenvalue at fresh inputs and weights; 0 where vacuous."""
    network = Mlp(D, (D, cell["width"]), "erf", w_std=1.0, b_std=0.0)
    ratios = {name: [] for name in (*LOWER, *UPPER)}
    for draw in range(cell["draws"]):
        key_x, key_seed = jax.random.split(jax.random.fold_in(key, draw))
        x = np.asarray(jax.random.normal(key_x, (N, D)))
        seed = int(jax.random.randint(key_seed, (), 0, 2**31 - 1))
        found = bounds(x, network, seed=seed, failure=FAILURE)
        for row in found.rows:
            if row.of == EMPIRICAL and row.name in ratios:
                ratios[row.name].append(max(found.ratio(row) or 0.0, 0.0))
    return ratios


def summary(rows):
    """A row for each bound and width: its ratio to the eigenvalue."""
    return [
        {
            "N": row["width"],
            "bound": name,
            "side": "lower" if name in LOWER else "upper",
            "mean ratio": mean_interval(row[name])[0],
            "least": min(row[name]),
            "most": max(row[name]),
        }
        for row in rows
        for name in (*LOWER, *UPPER)
    ]


def draw(rows):
    """Mean ratios over the width, both axes logarithmic; a vacuous bound has none."""
    figure, (ax,) = figures.figure(
        f"Tightness of bounds: erf, n = {N}, d = $n_1$ = {D}, three layers"
    )
    figure.set_size_inches(8.6, 5.4)
    widths = [row["width"] for row in rows]
    for number, name in enumerate((*LOWER, *UPPER)):
        means = [mean_interval(row[name])[0] for row in rows]
        shown = [(width, mean) for width, mean in zip(widths, means, strict=True) if mean > 0]
        style = {"linestyle": "-" if name in LOWER else "--", "linewidth": 1.4}
        ax.plot(
            *zip(*shown, strict=True) if shown else ([], []),
            color=figures.COLORS[number % len(figures.COLORS)],
            marker=figures.MARKERS[(number + number // 6) % len(figures.MARKERS)],
            markersize=4,
            label=name if shown else f"{name} (vacuous)",
            **style,
        )
    figures.level(ax, 1.0, name="the eigenvalue")
    figures.label(ax, x="width of the last hidden layer", y="bound / eigenvalue", log="xy")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return {"tightness": figure}


def _cells(widths, draws):
    return [{"width": width, "draws": draws} for width in widths]


EXPERIMENT = Experiment(
    name="bombari_amani_mondelli.finite_width_bound",
    title="Bounds on the smallest eigenvalue over the eigenvalue, against the last width",
    grids={
        "smoke": _cells((60, 300, 3000), 2),
        "full": _cells((60, 120, 300, 1000, 3000, 10000, 30000), 8),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

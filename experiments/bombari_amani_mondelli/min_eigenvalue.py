"""Smallest eigenvalue of the full kernel K against d^2: the paper's figure 1.

At fixed n it grows faster than the d^2 of the theorem, which holds along n of order d^2: see
`over_parameterization_exponent`.
"""

from __future__ import annotations

import jax
import numpy as np

from experiments.bombari_amani_mondelli import setting
from ntval.kernels import deep_mlp
from ntval.observables import spectra
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval

ACTIVATION = "sigmoid"
# C8 of the spec: six seeds of the authors' own setting gave 136.4 with a deviation of 4.3.
CHECKED = {(1000, 977): (120.0, 152.0)}


def measure(cell, key):
    """Smallest eigenvalues of K, a draw of inputs and weights each; widths d, d."""
    n, d = cell["n"], cell["d"]
    network = setting.network(d, (d, d), ACTIVATION)
    smallest = []
    for key_draw in jax.random.split(key, cell["draws"]):
        key_inputs, key_weights = jax.random.split(key_draw)
        x = setting.inputs(key_inputs, n, d)
        gram = deep_mlp.ntk(network, setting.weights(network, key_weights), x)
        smallest.append(spectra.min_eigenvalue(np.asarray(gram)))
    return {"smallest": smallest}


def summary(rows):
    """A row for each cell: means, and the range that the spec allows where it has one."""
    table = []
    for row in rows:
        measured, low, high = mean_interval(row["smallest"])
        least, most = CHECKED.get((row["n"], row["d"]), ("", ""))
        table.append(
            {
                "n": row["n"],
                "d": row["d"],
                "measured": measured,
                "95 % from": low,
                "to": high,
                "over d^2": measured / row["d"] ** 2,
                "spec from": least,
                "spec to": most,
            }
        )
    return table


def draw(rows):
    """Points for each n; lines proportional to d^2 through the last, the order of the theorem."""
    figure, (ax,) = figures.figure(
        "Bombari, Amani & Mondelli: smallest eigenvalue of K, sigmoid, L = 3"
    )
    for style, n in enumerate(sorted({row["n"] for row in rows})):
        chosen = [row for row in rows if row["n"] == n]
        squares = np.array([row["d"] ** 2 for row in chosen], dtype=float)
        intervals = [mean_interval(row["smallest"]) for row in chosen]
        figures.points(ax, squares, intervals, name=f"K measured, n = {n}", style=style)
        last = intervals[-1][0]
        name = "proportional to $d^2$" if style == 0 else None
        figures.curve(ax, squares, last * squares / squares[-1], name=name, style=style)
    figures.label(ax, x="$d^2$", y=r"smallest eigenvalue $\lambda_{\min}(K)$", log="xy")
    figures.legend(ax, loc="lower right")
    return {"min_eigenvalue": figure}


def _grid(samples, dimensions, draws):
    return tuple({"n": n, "d": d, "draws": draws} for n in samples for d in dimensions)


EXPERIMENT = Experiment(
    name="bombari_amani_mondelli.min_eigenvalue",
    title="Smallest eigenvalue of the full kernel against d^2, for several n",
    grids={
        "smoke": _grid((50, 150), (30, 60, 120), 4),
        "full": (
            *_grid((500,), (100, 200, 316, 450, 707, 977), 4),
            *_grid((1000,), (200, 316, 450, 707, 977), 4),
        ),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

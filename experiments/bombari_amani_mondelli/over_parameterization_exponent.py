"""Smallest eigenvalues of K and K_{L-2} against n^2 along N = n^2 / 8 inputs: C1 of the spec."""

from __future__ import annotations

import jax
import numpy as np

from experiments.bombari_amani_mondelli import setting
from ntval.kernels import deep_mlp
from ntval.observables import spectra
from ntval.observables.slopes import log_slope
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval

ACTIVATION = "tanh"
# Means of ten seeds, C1 of the spec; the theorem's exponent is 1.
KERNELS = {"full": ("K", (0.90, 1.25)), "block": ("$K_{L-2}$", (0.85, 1.35))}


def measure(cell, key):
    """Smallest eigenvalues of K and of its block, a draw of inputs and weights each."""
    width = cell["width"]
    network = setting.network(width, (width, width), ACTIVATION, signed=True)
    factors = jax.jit(deep_mlp.factors, static_argnums=0)
    smallest = {name: [] for name in KERNELS}
    for key_draw in jax.random.split(key, cell["draws"]):
        key_inputs, key_weights = jax.random.split(key_draw)
        x = setting.inputs(key_inputs, width**2 // 8, width)
        params = setting.weights(network, key_weights)
        shares = [np.asarray(left * right) for left, right in factors(network, params, x)]
        smallest["full"].append(spectra.min_eigenvalue(np.sum(shares, axis=0)))
        smallest["block"].append(spectra.min_eigenvalue(shares[-2]))
    return smallest


def slopes(rows, name):
    """Slope over log n^2 of log lambda_min, one from the same draw of each size."""
    squares = [row["width"] ** 2 for row in rows]
    return np.asarray(log_slope(squares, np.array([row[name] for row in rows])))


def summary(rows):
    """A row for each kernel: the mean slope, and the range that the spec gives for ten seeds."""
    table = []
    for name, (words, (least, most)) in KERNELS.items():
        measured, low, high = mean_interval(slopes(rows, name))
        table.append(
            {
                "kernel": words.strip("$"),
                "exponent predicted": 1.0,
                "measured": measured,
                "95 % from": low,
                "to": high,
                "spec from": least,
                "spec to": most,
            }
        )
    return table


def draw(rows):
    """Means against n^2, and lines of slope 1 through the last."""
    squares = np.array([row["width"] ** 2 for row in rows], dtype=float)
    figure, (ax,) = figures.figure(
        "Bombari, Amani & Mondelli: smallest eigenvalues at N = n$^2$ / 8, tanh, L = 3"
    )
    for style, (name, (words, _)) in enumerate(KERNELS.items()):
        intervals = [mean_interval(row[name]) for row in rows]
        mean, *_ = mean_interval(slopes(rows, name))
        figures.points(ax, squares, intervals, name=f"{words}, slope {mean:.2f}", style=style)
        line = intervals[-1][0] * squares / squares[-1]
        figures.curve(ax, squares, line, name=f"{words}, slope 1", style=style)
    figures.label(
        ax,
        x="$n^2 = n_{L-2} n_{L-1}$",
        y=r"smallest eigenvalue $\lambda_{\min}$",
        log="xy",
        ticks=list(squares),
    )
    figures.legend(ax)
    return {"over_parameterization_exponent": figure}


def _grid(draws):
    return tuple({"width": width, "draws": draws} for width in (24, 34, 48, 68))


EXPERIMENT = Experiment(
    name="bombari_amani_mondelli.over_parameterization_exponent",
    title="Exponent in n^2 of the smallest eigenvalues of K and K_{L-2} along N = n^2 / 8",
    grids={"smoke": _grid(10), "full": _grid(60)},
    measure=measure,
    draw=draw,
    summary=summary,
)

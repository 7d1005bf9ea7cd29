"""Distance of K_N from K against width, over the Marchenko-Pastur edge: theorem A, E09."""

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

N, D = 240, 60


def measure(cell, key):
    """Norms of K^(-1/2) K_N K^(-1/2) - I, a draw of inputs and weights each."""
    regime = Regime(n=N, d=D, widths=(cell["width"],), activation=cell["activation"])
    distances = []
    for key_draw in jax.random.split(key, cell["draws"]):
        key_inputs, key_weights = jax.random.split(key_draw)
        x = setting.inputs(key_inputs, N, D)
        empirical = setting.finite_width(regime, setting.weights(regime, key_weights), x)
        distances.append(spectra.relative_distance(empirical, setting.infinite_width(regime, x)))
    return {"distances": distances}


def summary(rows):
    """A row for each activation and width: the edge against the mean."""
    table = []
    for row in rows:
        predicted = theory.concentration(N, D, row["width"])
        mean, low, high = mean_interval(row["distances"])
        table.append(
            {
                "activation": row["activation"],
                "N": row["width"],
                "predicted": predicted,
                "measured": mean,
                "95 % from": low,
                "to": high,
                "ratio": mean / predicted,
                "remainder": theory.concentration_remainder(
                    activation(row["activation"]), N, D, row["width"]
                ),
            }
        )
    return table


def draw(rows):
    """Points for each activation over the edge and its remainder, both axes logarithmic."""
    widths = sorted({row["width"] for row in rows})
    dense = figures.between(min(widths), max(widths))
    edge = np.array([theory.concentration(N, D, width) for width in dense])
    above = np.array(
        [theory.concentration_remainder(activation("relu"), N, D, width) for width in dense]
    )
    figure, (ax,) = figures.figure(f"Montanari & Zhong, concentration of $K_N$: n = {N}, d = {D}")
    figures.curve(ax, dense, edge, style=5, name=r"$2 \sqrt{\psi} + \psi$, $\psi = n / (N d)$")
    figures.band(ax, dense, edge, edge + above, style=5, name="its remainder, n + d for n")
    for style, name in enumerate(dict.fromkeys(row["activation"] for row in rows)):
        chosen = [row for row in rows if row["activation"] == name]
        # Side by side: the activations agree.
        places = [row["width"] * 1.03 ** (style - 1) for row in chosen]
        intervals = [mean_interval(row["distances"]) for row in chosen]
        figures.points(ax, places, intervals, name=f"{name}, mean and 95 % interval", style=style)
    figures.label(
        ax,
        x="width N",
        y=r"$\eta = \|K^{-1/2} K_N K^{-1/2} - I\|$",
        log="xy",
        ticks=widths,
    )
    figures.legend(ax)
    return {"concentration": figure}


def _grid(activations, widths, draws):
    return tuple(
        {"activation": name, "width": width, "draws": draws}
        for name in activations
        for width in widths
    )


EXPERIMENT = Experiment(
    name="montanari_zhong.concentration",
    title="Distance of K_N from K in units of K against width",
    claims=("concentration_rate",),
    grids={
        "smoke": _grid(("relu", "tanh"), (32, 64, 128, 256), 5),
        "full": _grid(("relu", "leaky_relu", "tanh"), (32, 64, 128, 256, 512, 1024), 20),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

"""Heat map over d^2 and N of the loss that Adam reaches on noise labels: the paper's figure 2."""

from __future__ import annotations

import jax
import numpy as np
import optax

from experiments.bombari_amani_mondelli import setting
from ntval.networks import mlp
from ntval.observables import training
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval
from ntval.theory import bombari_amani_mondelli as theory

ACTIVATION = "relu"
LAYERS = 4


def measure(cell, key):
    """log10 of the best mean square error in so many steps, a draw each; 1e-33 stands for 0."""
    n, d = cell["n"], cell["d"]
    network = setting.network(d, (d,) * (LAYERS - 1), ACTIVATION)

    def outputs(params, x):
        return mlp.apply(network, params, x)[:, 0]

    def best(params, x, y):
        run = training.descent(
            outputs, params, x, y, optimizer=optax.adam(0.1 / n**0.5), steps=cell["steps"]
        )
        return 2 * run.losses.min()

    compiled, found = jax.jit(best), []
    for key_draw in jax.random.split(key, cell["draws"]):
        key_inputs, key_labels, key_weights = jax.random.split(key_draw, 3)
        x = setting.inputs(key_inputs, n, d)
        y = jax.random.normal(key_labels, (n,))
        loss = compiled(setting.weights(network, key_weights), jax.numpy.asarray(x), y)
        found.append(float(np.log10(max(float(loss), 1e-33))))
    return {"logs": found}


def _parameters(d: int) -> int:
    return theory.num_parameters((*(d,) * LAYERS, 1))


def summary(rows):
    """A row for each cell."""
    table = []
    for row in rows:
        mean, *_ = mean_interval(row["logs"])
        table.append(
            {
                "d": row["d"],
                "N": row["n"],
                "N / d^2": row["n"] / row["d"] ** 2,
                "N / parameters": row["n"] / _parameters(row["d"]),
                "log10 loss, mean": mean,
                "from": min(row["logs"]),
                "to": max(row["logs"]),
            }
        )
    return table


def draw(rows):
    """The heat map, with the line on which inputs are as many as parameters."""
    dimensions = sorted({row["d"] for row in rows})
    samples = sorted({row["n"] for row in rows})
    values = np.full((len(samples), len(dimensions)), np.nan)
    for row in rows:
        values[samples.index(row["n"]), dimensions.index(row["d"])] = np.mean(row["logs"])
    dense = range(max(dimensions) + 8)
    figure, (ax,) = figures.figure("Bombari, Amani & Mondelli: Adam on noise labels, ReLU, L = 4")
    figures.heat_map(
        ax,
        [d**2 for d in dimensions],
        samples,
        values,
        name=r"$\log_{10}$ of the best mean square error",
        line=([d**2 for d in dense], [_parameters(d) for d in dense], "N = number of parameters"),
    )
    figures.label(ax, x="$d^2$", y="inputs N")
    return {"optimization_threshold": figure}


def _grid(dimensions, samples, **settings):
    return tuple({"d": d, "n": n, **settings} for d in dimensions for n in samples)


EXPERIMENT = Experiment(
    name="bombari_amani_mondelli.optimization_threshold",
    title="Loss that Adam reaches on noise labels over d^2 and N",
    grids={
        "smoke": _grid((10, 16), (128, 512), steps=600, draws=2),
        "full": _grid((12, 16, 20, 24), (128, 256, 512, 1024, 1536), steps=4000, draws=3),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

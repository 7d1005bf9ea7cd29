"""Loss of gradient descent against its bound and the linearized loss: C6 of the spec."""

from __future__ import annotations

import jax
import numpy as np

from experiments.bombari_amani_mondelli import setting
from ntval.kernels import deep_mlp
from ntval.networks import mlp
from ntval.observables import training
from ntval.reports import figures
from ntval.runs.experiments import Experiment
from ntval.theory import bombari_amani_mondelli as theory

N, D, WIDTHS, ACTIVATION = 40, 20, (24, 24), "tanh"


def measure(cell, key):
    """Squared residuals of a run for each gamma, from one draw, and the spectra that predict them:
    rate 1 / lambda_max."""
    key_inputs, key_labels, key_weights = jax.random.split(key, 3)
    network = setting.network(D, WIDTHS, ACTIVATION)
    x = jax.numpy.asarray(setting.inputs(key_inputs, N, D))
    y = jax.random.normal(key_labels, (N,))

    def outputs(params, x):
        return mlp.apply(network, params, x)[:, 0]

    @jax.jit
    def run(params, rate):
        path = training.trajectory(outputs, params, x, y, rate=rate, steps=cell["steps"])
        return jax.lax.map(lambda at: ((outputs(at, x) - y) ** 2).sum(), path)

    found = {"losses": [], "eigenvalues": [], "coefficients": []}
    for gamma in cell["gammas"]:
        params = training.antisymmetric(setting.weights(network, key_weights), gamma)
        eigenvalues, vectors = np.linalg.eigh(np.asarray(deep_mlp.ntk(network, params, x)))
        losses = run(params, 1 / float(eigenvalues[-1]))
        found["losses"].append(np.asarray(losses).tolist())
        found["eigenvalues"].append(eigenvalues.tolist())
        found["coefficients"].append((vectors.T @ np.asarray(outputs(params, x) - y)).tolist())
    return found


def _runs(rows):
    """One mapping for each gamma."""
    names = ("losses", "eigenvalues", "coefficients")
    return [
        {"gamma": gamma, **{name: row[name][k] for name in names}}
        for row in rows
        for k, gamma in enumerate(row["gammas"])
    ]


def _predicted(row):
    """Linearized losses and their bound."""
    eigenvalues, coefficients = np.array(row["eigenvalues"]), np.array(row["coefficients"])
    rate, steps = 1 / eigenvalues[-1], len(row["losses"])
    first = float(coefficients @ coefficients)
    return (
        (theory.descent_residuals(eigenvalues, coefficients, rate, steps - 1) ** 2).sum(axis=1),
        np.asarray(theory.descent_bound(float(eigenvalues[0]), first, rate, steps)),
    )


def summary(rows):
    """A row for each gamma: how far the loss is from the linearized one, and its bound."""
    table = []
    for row in _runs(rows):
        losses = np.array(row["losses"])
        linear, bound = _predicted(row)
        table.append(
            {
                "gamma": row["gamma"],
                "steps": len(losses) - 1,
                "last loss": losses[-1],
                "linearized": linear[-1],
                "bound": bound[-1],
                "largest ratio to bound": float((losses / bound).max()),
                "largest distance from linearized": float(np.abs(losses / linear - 1).max()),
            }
        )
    return table


def draw(rows):
    """Losses against steps over the linearized ones, and their distance."""
    figure, (left, right) = figures.figure(
        "Bombari, Amani & Mondelli: gradient descent, tanh, L = 3, antisymmetric start",
        panels=2,
    )
    runs = _runs(rows)
    for style, row in enumerate(runs):
        losses = np.array(row["losses"])
        linear, bound = _predicted(row)
        steps = np.arange(len(losses))
        some = steps[:: max(1, len(steps) // 12)]
        name = rf"$\gamma$ = {row['gamma']:g}"
        figures.points(
            left, some, [(v, v, v) for v in losses[some]], name=f"{name}, measured", style=style
        )
        figures.curve(left, steps, linear, name=f"{name}, linearized", style=style)
        if row is runs[-1]:
            figures.curve(left, steps, bound, name="bound", style=len(runs))
        apart = np.abs(losses / linear - 1)[1:]
        figures.points(
            right, some[1:], [(v, v, v) for v in apart[some[1:] - 1]], name=name, style=style
        )
    figures.label(left, x="step t", y=r"squared residual $|f - y|^2$", log="y")
    figures.label(right, x="step t", y="distance from the linearized loss, relative", log="y")
    figures.legend(left)
    figures.legend(right)
    return {"gradient_descent": figure}


EXPERIMENT = Experiment(
    name="bombari_amani_mondelli.gradient_descent",
    title="Loss of gradient descent against its bound and the linearized loss",
    claims=("lazy_rate",),
    grids={
        "smoke": ({"gammas": (1.0, 10.0, 100.0), "steps": 400},),
        "full": ({"gammas": (1.0, 10.0, 100.0, 1000.0), "steps": 4000},),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

"""Test and train error against ridge: NT, KRR, and PRR with and without the self-induced ridge.

The spec's theorems C, D and E; E17, E18, E19, E21. Linear targets, ReLU.
"""

from __future__ import annotations

import jax
import numpy as np

from experiments.montanari_zhong import setting
from ntval.activations import activation
from ntval.observables import regression
from ntval.regimes import Regime
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

RELU = activation("relu")
NOISE_STD = 0.5
TARGET = Target(energies=(0.0, 1.0), noise_std=NOISE_STD)
RIDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TEST_POINTS = 2000
LABELS = 64  # independent targets and noises of one draw of inputs and weights
ESTIMATORS = {
    "NT": r"NT($\lambda$)",
    "KRR": r"KRR($\lambda$)",
    "PRR": r"PRR($\lambda + \gamma_{>1}$)",
    "PRR without": r"PRR($\lambda$): no self-induced ridge",
}


def measure(cell, key):
    """Mean test and train errors over labels, of each estimator at each ridge; one draw."""
    n, d = cell["n"], cell["d"]
    regime = Regime(n=n, d=d, widths=(cell["width"],))
    key_inputs, key_test, key_weights, key_target, key_noise = jax.random.split(key, 5)
    x, x_test = setting.inputs(key_inputs, n, d), setting.inputs(key_test, TEST_POINTS, d)
    params = setting.weights(regime, key_weights)
    directions = np.asarray(jax.random.normal(key_target, (d, LABELS)))
    directions = directions / np.linalg.norm(directions, axis=0)
    y = x @ directions + NOISE_STD * np.asarray(jax.random.normal(key_noise, (n, LABELS)))
    energies = theory.energies(RELU, d, 1)
    polynomial = [
        regression.polynomial_gram(energies, gegenbauer.polynomials(d, 1, rows @ x.T / d))
        for rows in (x, x_test)
    ]
    kernels = {
        "NT": [
            setting.finite_width(regime, params, x),
            setting.finite_width(regime, params, x_test, x),
        ],
        "KRR": [setting.infinite_width(regime, x), setting.infinite_width(regime, x_test, x)],
        "PRR": polynomial,
        "PRR without": polynomial,
    }
    errors = {}
    for name, (gram, across) in kernels.items():
        test, train = [], []
        for ridge in RIDGES:
            fit = regression.kernel_ridge(gram, y, ridge=_total_ridge(name, ridge, d))
            predicted = regression.predictions(fit, across)
            test.append(regression.risk(predicted, x_test @ directions) / LABELS)
            train.append(regression.train_error(fit) / LABELS)
        errors[name] = {"test": test, "train": train}
    return {"errors": errors}


def _total_ridge(name: str, ridge: float, d: int) -> float:
    """All of an estimator's ridge: for PRR with what the degrees left out add to it."""
    return ridge + (theory.tail_energy(RELU, d, 1) if name == "PRR" else 0.0)


def predicted(name: str, n: int, d: int, ridge: float) -> tuple[float, float]:
    """Deterministic equivalents of test and train error; those of NT are those of KRR."""
    total = _total_ridge(name, ridge, d)
    if name.startswith("PRR"):
        kinds = theory.polynomial_ridge_risk, theory.polynomial_ridge_train_error
    else:
        kinds = theory.kernel_ridge_risk, theory.kernel_ridge_train_error
    test, train = (kind(RELU, n, d, TARGET, ridge=total) for kind in kinds)
    return test, train


def _sizes(rows):
    """Rows by their sizes (n, d, N)."""
    found = {}
    for row in rows:
        found.setdefault((row["n"], row["d"], row["width"]), []).append(row)
    return found


def _intervals(rows, name: str, kind: str):
    values = np.array([row["errors"][name][kind] for row in rows])
    return [mean_interval(column) for column in values.T]


def summary(rows):
    """Test error at two ridges, train error at one: equivalents against means."""
    table = []
    for (n, d, width), drawn in _sizes(rows).items():
        for kind, ridge in (("test", 0.0), ("test", 0.1), ("train", 0.1)):
            for name in ESTIMATORS:
                mean, low, high = _intervals(drawn, name, kind)[RIDGES.index(ridge)]
                table.append(
                    {
                        "n": n,
                        "d": d,
                        "N": width,
                        "error": kind,
                        "ridge": ridge,
                        "estimator": name,
                        "predicted": predicted(name, n, d, ridge)[kind == "train"],
                        "measured": mean,
                        "95 % from": low,
                        "to": high,
                    }
                )
    return table


def draw(rows):
    """A figure for each size: test and train errors over their deterministic equivalents."""
    return {
        f"self_induced_ridge_d{d}": _figure(n, d, width, drawn)
        for (n, d, width), drawn in _sizes(rows).items()
    }


def _figure(n: int, d: int, width: int, rows):
    figure, axes = figures.figure(
        f"Montanari & Zhong: NT, kernel and polynomial ridge, ReLU, n = {n}, d = {d}, N = {width}",
        panels=2,
    )
    smallest = RIDGES[1]
    dense = np.concatenate([[0.0], np.geomspace(smallest / 3, RIDGES[-1], 60)])
    for ax, kind in zip(axes, ("test", "train"), strict=True):
        for style, (name, shown) in enumerate(ESTIMATORS.items()):
            if name != "NT":
                curve = [predicted(name, n, d, ridge)[kind == "train"] for ridge in dense]
                figures.curve(ax, dense, curve, style=style)
            intervals = _intervals(rows, name, kind)
            figures.points(ax, RIDGES, intervals, name=shown, style=style, ring=name == "NT")
        figures.label(
            ax,
            x=r"ridge $\lambda$",
            y=f"{kind} error",
            log_above=smallest,
            ticks=RIDGES,
        )
    title = "points: measured, means and 95 % intervals\nlines: deterministic equivalents"
    figures.legend(axes[0], title=title, alignment="left")
    return figure


def _grid(sizes, draws):
    return tuple(
        {"n": n, "d": d, "width": width, "draw": i} for n, d, width in sizes for i in range(draws)
    )


EXPERIMENT = Experiment(
    name="montanari_zhong.self_induced_ridge",
    title="Test and train error against ridge: NT, KRR, PRR with the self-induced ridge, without",
    claims=("self_induced_ridge", "deterministic_equivalent"),
    grids={
        "smoke": _grid([(120, 60, 400)], 6),
        "full": _grid([(120, 60, 400), (240, 80, 400)], 20),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

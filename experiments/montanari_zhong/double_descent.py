"""Ridgeless test error against width: its peak at N d = n, its descent to KRR; E14."""

from __future__ import annotations

import jax
import numpy as np

from experiments.montanari_zhong import setting
from ntval.activations import activation
from ntval.observables import regression
from ntval.regimes import Regime
from ntval.reports import figures
from ntval.runs.experiments import Experiment, quartiles
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

N, D = 150, 30
ACTIVATION = "tanh"
NOISE_STD = 0.5
TEST_POINTS = 2000
# As in `phase_diagram`: between the eigenvalues at the threshold and rounding.
CUTOFF = 1e-13
# The width of the cell that measures K itself.
INFINITE = None


def measure(cell, key):
    """Test errors of the min-norm interpolator of x_1 + noise, one a draw of everything."""
    width = cell["width"]
    regime = Regime(n=N, d=D, widths=(width or 1,), activation=ACTIVATION)
    errors = []
    for key_draw in jax.random.split(key, cell["draws"]):
        key_inputs, key_test, key_weights, key_noise = jax.random.split(key_draw, 4)
        x, x_test = setting.inputs(key_inputs, N, D), setting.inputs(key_test, TEST_POINTS, D)
        if width is INFINITE:
            gram = setting.infinite_width(regime, x)
            across = setting.infinite_width(regime, x_test, x)
        else:
            params = setting.weights(regime, key_weights)
            gram = setting.finite_width(regime, params, x)
            across = setting.finite_width(regime, params, x_test, x)
        y = x[:, 0] + NOISE_STD * np.asarray(jax.random.normal(key_noise, (N,)))
        fit = regression.kernel_ridge(gram, y, ridge=0.0, cutoff=CUTOFF)
        errors.append(regression.risk(regression.predictions(fit, across), x_test[:, 0]))
    return {"errors": errors}


def kernel_ridge_risk() -> float:
    """The deterministic equivalent of the infinite-width interpolator."""
    target = Target(energies=(0.0, 1.0), noise_std=NOISE_STD)
    return theory.kernel_ridge_risk(activation(ACTIVATION), N, D, target, ridge=0.0)


def summary(rows):
    """A row for each width: medians and quartiles; the prediction where there is one."""
    table = []
    for row in rows:
        median, low, high = quartiles(row["errors"])
        infinite = row["width"] is INFINITE
        table.append(
            {
                "N": "infinite" if infinite else row["width"],
                "N d / n": "" if infinite else row["width"] * D / N,
                "median": median,
                "quartiles from": low,
                "to": high,
                "predicted": kernel_ridge_risk() if infinite else "",
            }
        )
    return table


def draw(rows):
    """Medians with quartiles against width, both axes logarithmic."""
    finite = [row for row in rows if row["width"] is not INFINITE]
    widths = [row["width"] for row in finite]
    figure, (ax,) = figures.figure(
        f"Montanari & Zhong: ridgeless NT regression, {ACTIVATION}, n = {N}, d = {D}"
    )
    figures.points(
        ax, widths, [quartiles(row["errors"]) for row in finite], name="NT, median and quartiles"
    )
    for row in rows:
        if row["width"] is INFINITE:
            end = [2 * max(widths)]
            name = "KRR (infinite width), the same"
            figures.points(ax, end, [quartiles(row["errors"])], name=name, style=1)
    figures.level(ax, kernel_ridge_risk(), name="KRR, deterministic equivalent")
    figures.threshold(ax, N / D, name="N d = n")
    figures.label(
        ax,
        x="width N",
        y="test error, label noise not included",
        log="xy",
        ticks=[width for width in (2, 5, 10, 20, 40, 80, 160, 320) if width in widths],
    )
    figures.legend(ax, loc="upper right")
    return {"double_descent": figure}


def _grid(widths, draws):
    return tuple({"width": width, "draws": draws} for width in (*widths, INFINITE))


EXPERIMENT = Experiment(
    name="montanari_zhong.double_descent",
    title="Ridgeless test error against width: peak at N d = n, descent to KRR",
    grids={
        "smoke": _grid((2, 5, 10, 20, 320), 12),
        "full": _grid((1, 2, 3, 4, 5, 6, 7, 8, 10, 14, 20, 40, 80, 160, 320), 60),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

"""Heat maps over n and N of the noise-fit train error and of lambda_min(K_N): E10, E11, E12."""

from __future__ import annotations

import jax
import numpy as np

from experiments.montanari_zhong import setting
from ntval.observables import regression, spectra
from ntval.regimes import Regime
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval
from ntval.theory import montanari_zhong as theory

D = 20
NOISE_STD = 1.0
# Eigenvalues of K_N below this, relative to the largest, are 0: at the threshold N d = n they
# come down to 1e-9, rounding makes 1e-15.
CUTOFF = 1e-13
# The cut through the maps goes where n is nearest to this.
CUT = 200
# Below this the smallest eigenvalue is shown as 0.
VISIBLE = 1e-4


def measure(cell, key):
    """Of each draw: train error of a ridgeless fit to noise, rank, smallest eigenvalue of K_N.

    And the spectrum of K at the inputs of the first draw.
    """
    n = cell["n"]
    regime = Regime(n=n, d=D, widths=(cell["width"],))
    train, ranks, smallest, spectrum = [], [], [], None
    for key_draw in jax.random.split(key, cell["draws"]):
        key_inputs, key_weights, key_noise = jax.random.split(key_draw, 3)
        x = setting.inputs(key_inputs, n, D)
        gram = setting.finite_width(regime, setting.weights(regime, key_weights), x)
        if spectrum is None:
            spectrum = np.linalg.eigvalsh(setting.infinite_width(regime, x)).tolist()
        noise = NOISE_STD * np.asarray(jax.random.normal(key_noise, (n,)))
        fit = regression.kernel_ridge(gram, noise, ridge=0.0, cutoff=CUTOFF)
        train.append(regression.train_error(fit))
        ranks.append(fit.rank)
        smallest.append(spectra.min_eigenvalue(gram))
    return {"train": train, "ranks": ranks, "smallest": smallest, "spectrum": spectrum}


def predicted_rank(n: int, width: int) -> float:
    """The paper's min(n, N d), less the inputs that no ReLU sees, up to their own number."""
    return min(theory.rank(n, D, width), n - theory.dead_points(n, width))


def summary(rows):
    """A row for each side of the line N d = n: predictions and means over its cells."""
    table = []
    for side, inside in (
        ("N d < n", lambda n, samples: samples < n),
        ("n < N d < 2 n", lambda n, samples: n < samples < 2 * n),
        ("2 n <= N d", lambda n, samples: 2 * n <= samples),
    ):
        chosen = [row for row in rows if inside(row["n"], row["width"] * D)]
        if not chosen:
            continue
        share = [predicted_rank(row["n"], row["width"]) / row["n"] for row in chosen]
        table.append(
            {
                "region": side,
                "cells": len(chosen),
                "train error predicted": NOISE_STD**2 * float(np.mean(1 - np.array(share))),
                "measured": float(np.mean([np.mean(row["train"]) for row in chosen])),
                "largest gap of rank / n": max(
                    abs(np.mean(row["ranks"]) / row["n"] - s)
                    for row, s in zip(chosen, share, strict=True)
                ),
                "lambda_min from": min(float(np.mean(row["smallest"])) for row in chosen),
                "to": max(float(np.mean(row["smallest"])) for row in chosen),
            }
        )
    return table


def draw(rows):
    """Both heat maps with the line N d = n, and cuts through them at one n."""
    widths = sorted({row["width"] for row in rows})
    samples = sorted({row["n"] for row in rows})
    maps = {name: np.full((len(widths), len(samples)), np.nan) for name in ("train", "smallest")}
    for row in rows:
        place = widths.index(row["width"]), samples.index(row["n"])
        for name, values in maps.items():
            values[place] = np.mean(row[name])
    ends = np.array([0.0, widths[-1] + 1.0])
    line = (ends * D, ends, "N d = n")
    figure, (left, right) = figures.figure(
        f"Montanari & Zhong, memorization: two-layer ReLU NT model, d = {D}", panels=2
    )
    figures.heat_map(left, samples, widths, maps["train"], name="mean square", line=line)
    figures.heat_map(
        right,
        samples,
        widths,
        np.maximum(maps["smallest"], 0.0),
        name=r"$\lambda_{\min}(K_N)$, gray: 0",
        log_from=VISIBLE,
        line=line,
    )
    figures.label(
        left, x="samples n", y="width N", title=r"train error of a fit to noise, $\sigma = 1$"
    )
    figures.label(right, x="samples n", y="width N", title="smallest eigenvalue")
    near = min(samples, key=lambda n: abs(n - CUT))
    return {"phase_diagram": figure, "phase_diagram_cut": _cut(rows, near)}


def _cut(rows, n: int):
    """Train error and smallest eigenvalue against N at one n, with predictions."""
    chosen = [row for row in rows if row["n"] == n]
    widths = np.array([row["width"] for row in chosen])
    dense = np.arange(widths.min(), widths.max() + 1)
    figure, (left, right) = figures.figure(
        f"Montanari & Zhong, memorization: a cut through the phase diagram at n = {n}", panels=2
    )
    errors = [_expected_train_error(n, int(width)) for width in dense]
    figures.curve(left, dense, errors, name=r"$\sigma^2 (1 - \mathrm{rank} / n)$")
    figures.points(
        left, widths, [mean_interval(row["train"]) for row in chosen], name="measured, mean, 95 %"
    )
    edges = [
        theory.finite_width_min_eigenvalue(np.array(row["spectrum"]), D, row["width"])
        for row in chosen
    ]
    figures.curve(right, widths, edges, name="edge from the spectrum of K")
    figures.points(
        right,
        widths,
        [mean_interval(row["smallest"]) for row in chosen],
        name="measured, mean, 95 %",
    )
    for ax in (left, right):
        figures.threshold(ax, n / D, name="N d = n")
    figures.label(left, x="width N", y="train error of a fit to noise")
    figures.label(right, x="width N", y=r"$\lambda_{\min}(K_N)$")
    figures.legend(left)
    figures.legend(right)
    return figure


def _expected_train_error(n: int, width: int) -> float:
    return theory.noise_train_error(n, round(predicted_rank(n, width)), noise_std=NOISE_STD)


def _grid(samples, widths, draws):
    return tuple({"n": n, "width": width, "draws": draws} for n in samples for width in widths)


EXPERIMENT = Experiment(
    name="montanari_zhong.phase_diagram",
    title="Train error of a ridgeless fit to noise and lambda_min(K_N) over n and N",
    claims=("memorization",),
    grids={
        "smoke": _grid((60, 120, 180), (3, 6, 9, 12, 15), 3),
        "full": _grid(tuple(range(20, 401, 20)), tuple(range(2, 41, 2)), 10),
    },
    measure=measure,
    draw=draw,
    summary=summary,
)

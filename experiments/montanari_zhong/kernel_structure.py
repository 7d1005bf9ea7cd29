"""Norm of the residual of K against d along n = 3 d: the spec's table, section 2 (i), and E06."""

from __future__ import annotations

import jax
import numpy as np

from experiments.montanari_zhong import setting
from ntval.activations import activation
from ntval.observables import spectra
from ntval.regimes import Regime
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory

RELU = activation("relu")
RATIO = 3  # n / d
DEGREE = 1


def measure(cell, key):
    """Norms of K less its part of degrees 0 and 1 and a multiple of the identity, one a draw."""
    d = cell["d"]
    regime = Regime(n=RATIO * d, d=d, widths=(1,))  # no weights: K alone
    energies = theory.energies(RELU, d, DEGREE)
    identity = theory.tail_energy(RELU, d, DEGREE) * np.eye(regime.n)
    norms = []
    for key_inputs in jax.random.split(key, cell["draws"]):
        x = setting.inputs(key_inputs, regime.n, d)
        harmonics = gegenbauer.polynomials(d, DEGREE, x @ x.T / d)
        residual = setting.infinite_width(regime, x) - identity
        residual -= np.tensordot(energies, harmonics, axes=1)
        norms.append(spectra.operator_norm((residual + residual.T) / 2))
    return {"norms": norms}


def summary(rows):
    """A row for each d: formula (i) against the mean."""
    table = []
    for row in rows:
        n, d = RATIO * row["d"], row["d"]
        predicted = theory.residual_norm(RELU, n, d)
        mean, low, high = mean_interval(row["norms"])
        table.append(
            {
                "d": d,
                "n": n,
                "predicted": predicted,
                "measured": mean,
                "95 % from": low,
                "to": high,
                "ratio": mean / predicted,
                "remainder": theory.residual_norm_remainder(RELU, n, d),
            }
        )
    return table


def draw(rows):
    """Points over formula (i), both axes logarithmic: a power of d."""
    d = [row["d"] for row in rows]
    dense = figures.between(min(d), max(d))
    predicted = [theory.residual_norm(RELU, RATIO * k, k) for k in dense]
    remainder = [theory.residual_norm_remainder(RELU, RATIO * k, k) for k in dense]
    figure, (ax,) = figures.figure(
        r"Montanari & Zhong, structure of K: residual $\Delta$, ReLU, n = 3 d"
    )
    name = r"$\gamma_2 (2 \sqrt{r} + r)$, r = n / B(d, 2), and its remainder"
    figures.curve(ax, dense, predicted, remainder=remainder, name=name)
    intervals = [mean_interval(row["norms"]) for row in rows]
    figures.points(ax, d, intervals, name="measured, mean and 95 % interval")
    figures.label(
        ax,
        x="input dimension d",
        y=r"$\|\Delta\| = \|K - \gamma_{>1} I - \gamma_0 P_0 - \gamma_1 P_1\|$",
        log="xy",
        ticks=d,
    )
    figures.legend(ax, loc="lower left")
    return {"kernel_structure": figure}


def _grid(dimensions, draws):
    return tuple({"d": d, "draws": draws} for d in dimensions)


EXPERIMENT = Experiment(
    name="montanari_zhong.kernel_structure",
    title="K less a low-rank part and a multiple of the identity: its norm against d, n = 3 d",
    grids={"smoke": _grid((20, 40, 80), 8), "full": _grid((20, 40, 80, 160, 320), 20)},
    measure=measure,
    draw=draw,
    summary=summary,
)

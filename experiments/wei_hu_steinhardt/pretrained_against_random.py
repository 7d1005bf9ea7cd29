"""Why representations differ, against n: least error, norm bound, and where the labels' power is.

Pretrained networks, the same at random weights, and kernels of infinite width on digits: C20 to C22
of the spec, and its tables of rates. Beside them, what the spectrum of the whole pool says without
labels: effective ranks, and the bound of benign overfitting that they make.
"""

from __future__ import annotations

import jax
import numpy as np

from experiments.wei_hu_steinhardt.setting import RIDGES
from ntval.claims.wei_hu_steinhardt.splits import Split, pool_of
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.observables.spectra import effective_ranks
from ntval.regimes import RealData
from ntval.reports import figures
from ntval.runs.experiments import Experiment, mean_interval

RANKS = (1, 3, 10, 30, 100, 300)
SPECTRUM = ("R_0", "R_10", "largest r_k", "k*", "k*/n + n/R")
_SHARE = 1e-3  # of the trace: the ridge at which effective dimensions are compared
_NAMES = {
    ("digits", "infinite_width"): "digits, infinite width",
    ("mnist", "infinite_width"): "MNIST, infinite width",
    ("mnist", "efficientnet_lite0"): "MNIST, EfficientNet",
    ("vader", "minilm"): "words, MiniLM",
}


def of_split(split: Split) -> dict[str, float]:
    """Of one split: the least test error and the least GCV of the grid, the norm bound at its
    smallest ridge, and the effective dimension."""
    trace = float(np.trace(split.gram))
    ridges = np.array(RIDGES) * trace
    found = cross_validation(split.gram, split.labels, ridges=ridges)
    return {
        "test": min(split.test_error(ridge) for ridge in ridges),
        "gcv": float(found.gcv.min()),
        "norm": split.norm_bound(float(ridges[0])),
        "dimension": float(found.effective_dimension[RIDGES.index(_SHARE)]),
    }


def alignment(vectors, labels) -> list[float]:
    """The share of the labels' power on the first eigenvectors, as many as `RANKS` says."""
    power = ((vectors[:, ::-1].T @ labels) ** 2).sum(axis=1)
    return (np.cumsum(power)[np.array(RANKS) - 1] / power.sum()).tolist()


def spectrum_alone(eigenvalues, n: int) -> dict[str, float]:
    r"""Effective ranks of a spectrum, and the bound $k^* / n + n / R_{k^*}$ on what noise adds to
    the risk, $k^* = \min \{k : r_k \ge n\}$; without the last two where every r_k is below n.

    Source: Bartlett, Long, Lugosi & Tsigler (2020), Theorem 4 (recalled), up to constants.
    """
    first, second = effective_ranks(eigenvalues)
    found = {"R_0": second[0], "R_10": second[10], "largest r_k": first.max()}
    enough = np.flatnonzero(first >= n)
    if len(enough):
        k = int(enough[0])
        found |= {"k*": k, "k*/n + n/R": k / n + n / second[k]}
    return {name: float(value) for name, value in found.items()}


def measure(cell, key):
    """Numbers of the cell's splits, of a pretrained network at random weights as well."""
    fields = ("data", "n", "n_test", "network")
    point = RealData(**{name: cell[name] for name in fields})
    pool = pool_of(point)
    splits = [Split(k, point, pool) for k in jax.random.split(key, cell["splits"])]
    controlled = pool.control is not None
    found = {"pretrained" if controlled else "infinitely many": (pool, splits)}
    if controlled:
        others = [split.of_control() for split in splits]
        found["random"] = (others[0].data, others)
    values = {}
    for weights, (of, each) in found.items():
        numbers = [of_split(split) for split in each]
        values |= {f"{weights} {kind}": [one[kind] for one in numbers] for kind in numbers[0]}
        eigenvalues, vectors = np.linalg.eigh(of.gram)
        values[f"{weights} alignment"] = alignment(vectors, of.labels)
        values[f"{weights} ranks"] = effective_ranks(eigenvalues)[1][np.array(RANKS) - 1].tolist()
        alone = spectrum_alone(eigenvalues, point.n)
        values |= {f"{weights} {name}": value for name, value in alone.items()}
    return values


def summary(rows):
    """A row for each kernel and n; the rate is that of the least test error since the row above."""
    table = []
    for name in dict.fromkeys((row["data"], row["network"]) for row in rows):
        for weights in ("infinitely many", "pretrained", "random"):
            last = None
            for row in rows:
                if (row["data"], row["network"]) != name or f"{weights} test" not in row:
                    continue
                mean, low, high = mean_interval(row[f"{weights} test"])
                rate = None if last is None else np.log(last[1] / mean) / np.log(row["n"] / last[0])
                last = (row["n"], mean)
                at = {kind: float(np.mean(row[f"{weights} {kind}"])) for kind in ("gcv", "norm")}
                shares = row[f"{weights} alignment"]
                table.append(
                    {
                        "kernel": _NAMES[name],
                        "weights": weights,
                        "n": row["n"],
                        "predicted": at["gcv"],
                        "measured": mean,
                        "95 % from": low,
                        "to": high,
                        "rate": "" if rate is None else float(rate),
                        "norm bound": at["norm"],
                        "dimension": float(np.mean(row[f"{weights} dimension"])),
                        "top 10": shares[RANKS.index(10)],
                        "top 100": shares[RANKS.index(100)],
                        **{name: row.get(f"{weights} {name}", "none") for name in SPECTRUM},
                    }
                )
    return table


def draw(rows):
    """Four panels: least error and GCV, norm bound, the labels' power, and effective ranks, a color
    a kernel."""
    figure, (error, norm, power, ranks) = figures.figure(
        "Wei, Hu & Steinhardt: error, norm bound, alignment and effective ranks", panels=4
    )
    table = summary(rows)
    largest = {}
    for row in rows:
        largest[row["data"], row["network"]] = row
    kernels = dict.fromkeys((row["kernel"], row["weights"]) for row in table)
    for style, (kernel, weights) in enumerate(kernels):
        of = [row for row in table if (row["kernel"], row["weights"]) == (kernel, weights)]
        sizes = [row["n"] for row in of]
        name = kernel if weights == "infinitely many" else f"{kernel}, {weights}"
        intervals = [(row["measured"], row["95 % from"], row["to"]) for row in of]
        figures.points(error, sizes, intervals, name=name, style=style)
        figures.curve(error, sizes, [row["predicted"] for row in of], style=style)
        norm.plot(sizes, [row["norm bound"] for row in of], color=_color(style), marker="o")
        last = next(row for key, row in largest.items() if _NAMES[key] == kernel)
        power.plot(RANKS, last[f"{weights} alignment"], color=_color(style), marker="o")
        ranks.plot(RANKS, last[f"{weights} ranks"], color=_color(style), marker="o")
    sizes = sorted({row["n"] for row in table})
    title = "points: test, line: GCV"
    figures.label(error, x="n", y="least error", title=title, log="xy", ticks=sizes)
    title = "norm bound, ridge / trace = 1e-6"
    figures.label(norm, x="n", y="norm bound", title=title, log="xy", ticks=sizes)
    title = "labels' power on the first eigenvectors"
    figures.label(power, x="eigenvectors", y="share", title=title, log="x", ticks=RANKS)
    title = "effective rank R_k of the pool"
    figures.label(ranks, x="k + 1", y="R_k", title=title, log="xy", ticks=RANKS)
    figures.legend(error, loc="lower left")
    low, high = error.get_ylim()
    error.set_ylim(low / 4, high)
    return {"pretrained_against_random": figure}


def _color(style: int) -> str:
    return figures.COLORS[style % len(figures.COLORS)]


def _grid(sizes, splits, taken):
    return tuple(
        {"data": data, "network": network, "n": n, "n_test": 400, "splits": splits}
        for data, network in taken
        for n in sizes
    )


EXPERIMENT = Experiment(
    name="wei_hu_steinhardt.pretrained_against_random",
    title="Least error, norm bound, alignment, ranks: pretrained, random, infinite width",
    grids={
        "smoke": _grid((200, 400), 6, (("digits", "infinite_width"),)),
        "full": _grid((100, 200, 400, 700), 16, tuple(_NAMES)),
    },
    measure=measure,
    draw=draw,
    summary=summary,
    version=2,
    claims=("pretrained_against_random", "norm_bound_on_digits"),
)

"""Random splits of labelled data: GCV, test error and train error over a grid of ridges."""

from __future__ import annotations

import jax
import numpy as np

from ntval.claims.wei_hu_steinhardt.splits import Split, pool_of
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.regimes import RealData
from ntval.reports import figures
from ntval.runs.experiments import mean_interval

# Shares of the trace.
RIDGES = (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
KINDS = ("gcv", "loo", "test", "train")


def errors(split: Split) -> dict[str, list[float]]:
    """Of one split, each kind of error at every ridge."""
    ridges = np.array(RIDGES) * float(np.trace(split.gram))
    found = cross_validation(split.gram, split.labels, ridges=ridges)
    return {
        "gcv": found.gcv.tolist(),
        "loo": found.leave_one_out.tolist(),
        "test": [split.test_error(ridge) for ridge in ridges],
        "train": found.train_error.tolist(),
    }


def measure(cell, key):
    """Errors of the cell's splits; of a pretrained network those at random weights as well."""
    fields = ("data", "n", "n_test", "network")
    point = RealData(**{name: cell[name] for name in fields})
    pool = pool_of(point)
    splits = [Split(key_split, point, pool) for key_split in jax.random.split(key, cell["splits"])]
    weights = "infinitely many" if pool.control is None else "pretrained"
    found = {weights: [errors(split) for split in splits]}
    if pool.control is not None:
        found["random"] = [errors(split.of_control()) for split in splits]
    return {
        f"{weights} {kind}": [split[kind] for split in of]
        for weights, of in found.items()
        for kind in KINDS
    }


def summary(rows):
    """A row for each size, weights and ridge: means over splits, and GCV and leave-one-out over
    the test error."""
    table = []
    for row in rows:
        for weights in ("infinitely many", "pretrained", "random"):
            if f"{weights} gcv" not in row:
                continue
            each = {kind: np.array(row[f"{weights} {kind}"]) for kind in KINDS}
            for k, share in enumerate(RIDGES):
                mean, low, high = mean_interval(each["test"][:, k])
                table.append(
                    {
                        "network": row["network"],
                        "weights": weights,
                        "n": row["n"],
                        "ridge / trace": share,
                        "predicted": float(each["gcv"][:, k].mean()),
                        "measured": mean,
                        "95 % from": low,
                        "to": high,
                        "train": float(each["train"][:, k].mean()),
                        "GCV / test": float((each["gcv"] / each["test"])[:, k].mean()),
                        "LOO / test": float((each["loo"] / each["test"])[:, k].mean()),
                    }
                )
    return table


def panel(ax, table, *, series, title):
    """GCV as a line, the test error as points, the train error behind, over the ridge: one color a
    value of `series`."""
    for style, name in enumerate(dict.fromkeys(row[series] for row in table)):
        rows = [row for row in table if row[series] == name]
        shares = [row["ridge / trace"] for row in rows]
        label = f"n = {name}" if series == "n" else f"{name} weights"
        ax.plot(shares, [row["train"] for row in rows], color="0.8", linewidth=1.0, zorder=1)
        figures.curve(ax, shares, [row["predicted"] for row in rows], style=style)
        intervals = [(row["measured"], row["95 % from"], row["to"]) for row in rows]
        figures.points(ax, shares, intervals, name=label, style=style)
    smallest = min(row["measured"] for row in table)
    largest = max(row["measured"] for row in table)
    ax.set_ylim(0.5 * smallest, 1.3 * largest)
    figures.label(ax, x="ridge / trace of K", y="error", title=title, log="xy")
    figures.legend(ax, loc="lower right", title="points: test, line: GCV, gray: train")

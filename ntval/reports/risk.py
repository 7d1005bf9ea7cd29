"""Estimates of a risk as a table, a picture and a page, under what they say together."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ntval.reports import figures
from ntval.reports.documents import rendered, write_whole
from ntval.reports.terminal import fitted, plain_table, prose
from ntval.runs.risk_estimates import RiskEstimates
from ntval.runs.risk_reading import gcv_is_wrong, reading, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def print_risk(found: RiskEstimates, on: Console) -> None:
    """The reading, and below it a row a ridge."""
    prose(on, title(found))
    for sentence in reading(found):
        prose(on, f"- {sentence}")
    columns = _columns(found)
    table = plain_table(*columns)
    for row in _rows(found, columns):
        table.add_row(*row)
    on.print(fitted(_marked(table), on.width, dispensable=_DISPENSABLE))


_DISPENSABLE = ("95 %", "dispersion", "dimension", "of trace", "train", "LOO", "error")


def _marked(table: Table) -> Table:
    table.caption = (
        "* selected by GCV; ! GCV is wrong beyond chance; [95 % intervals]; ridge in K + ridge I"
    )
    table.caption_justify = "left"
    return table


def _columns(found: RiskEstimates) -> list[str]:
    names = ["ridge>", "of trace>", "GCV>", "LOO>", "held out>", "95 %"]
    if found.error_rate is not None:
        names.append("error>")
    return [*names, "train>", "dimension>", "dispersion>", ""]


def _rows(found: RiskEstimates, columns: list[str]) -> list[list[str]]:
    off = gcv_is_wrong(found)
    low, high = found.held_out.interval()
    rows = []
    for i, ridge in enumerate(found.ridges.tolist()):
        cells = {
            "ridge>": f"{ridge:.3g}",
            "of trace>": f"{ridge / found.trace:.2g}",
            "GCV>": f"{found.gcv.mean[i]:.4g}",
            "LOO>": f"{found.leave_one_out.mean[i]:.4g}",
            "held out>": f"{found.held_out.mean[i]:.4g}",
            "95 %": f"[{low[i]:.3g}, {high[i]:.3g}]",
            "train>": f"{found.train_error[i]:.3g}",
            "dimension>": f"{found.effective_dimension[i]:.4g}",
            "dispersion>": f"{found.leverage_dispersion[i]:.2f}",
            "": ("*" if i == found.selected else "") + ("!" if off[i] else ""),
        }
        if found.error_rate is not None:
            cells["error>"] = f"{100 * found.error_rate.mean[i]:.1f} %"
        rows.append([cells[column] for column in columns])
    return rows


def draw_risk(found: RiskEstimates) -> Figure:
    """GCV and LOO as curves over ridge, held-out risk as points, train error behind."""
    made, (ax,) = figures.figure(f"Predicted and held-out risk: {title(found)}")
    made.set_size_inches(7.4, 4.4)
    positive = found.ridges[found.ridges > 0]
    without = found.ridges[0] == 0
    # 0 has its own place, left of the smallest.
    places = found.ridges.copy()
    if without:
        places[0] = positive[0] / 3 if len(positive) else found.trace * 1e-8
    low, high = found.held_out.interval()
    ax.plot(places, found.train_error, color="0.75", linewidth=1.2, label="train error", zorder=1)
    figures.curve(ax, places, found.gcv.mean, name="GCV", style=0)
    figures.curve(ax, places, found.leave_one_out.mean, name="LOO", style=2)
    intervals = [
        (float(m), float(max(a, m * 1e-3)), float(b))
        for m, a, b in zip(found.held_out.mean, low, high, strict=True)
    ]
    figures.points(ax, places, intervals, name="held-out risk, 95 %", style=1)
    figures.level(ax, found.constant, name="mean of the training labels")
    if found.agreement_ridge is not None and found.agreement_ridge > 0:
        figures.threshold(ax, found.agreement_ridge, name="dimensions of n, n/2 agree from here")
    figures.label(ax, x="ridge, in K + ridge I", y="risk", log="xy")
    least = min(float(found.gcv.mean.min()), float(found.held_out.mean.min()))
    top = max(float(found.gcv.mean.max()), float(found.held_out.mean.max()))
    ax.set_ylim(least / 3, top * 1.5)
    if without:
        ticks = [places[0], *(10.0 ** np.arange(*_decades(positive)))]
        ax.set_xticks(ticks, labels=["0", *(f"{tick:g}" for tick in ticks[1:])])
    figures.legend(ax, loc="best")
    return made


def _decades(positive: np.ndarray) -> tuple[int, int, int]:
    """Powers of ten from the smallest ridge to the largest, about six of them."""
    if len(positive) == 0:
        return 0, 0, 1
    low, high = int(np.ceil(np.log10(positive[0]))), int(np.floor(np.log10(positive[-1])))
    return low, high + 1, max(1, (high - low + 5) // 6)


def page_values(found: RiskEstimates) -> dict[str, Any]:
    """What a page shows of estimates."""
    columns = _columns(found)
    return {
        "title": title(found),
        "reading": reading(found),
        "picture": figures.svg(partial(draw_risk, found)),
        "columns": [column.removesuffix(">") for column in columns],
        "rows": _rows(found, columns),
    }


def write_risk_page(found: RiskEstimates, path: Path, *, what: str) -> None:
    """Write estimates as one self-contained page; `what`: the kernel and data, in words."""
    write_whole(path, rendered("gcv.html", command="gcv", what=what, risk=page_values(found)))

"""Figures: measured points over predicted curves, heat maps with predicted lines.

Drawn without pyplot, so without global state; matplotlib loads when the first figure is made, and
where it is not installed that is said in the figure's place.
Measured is always points with intervals, predicted always lines.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Real

from ntval.errors import CompatibilityError, InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Okabe and Ito's colors, told apart by color-blind readers too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")

_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "ntval",  # equal figures, equal files
}

Interval = tuple[float, float, float]
Places = Sequence[float] | Real[np.ndarray, "places"]


def why_not() -> str:
    """Why no figure can be drawn; "" where it can."""
    if find_spec("matplotlib"):
        return ""
    return "figures need matplotlib, which is not installed; pip install matplotlib"


def figure(title: str, *, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure with panels in a row, under a title that names the claim.

    Raises: `CompatibilityError` without matplotlib.
    """
    if reason := why_not():
        raise CompatibilityError(f"{reason}.")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        made = Figure(figsize=(1.2 + 4.6 * panels, 4.2), layout="constrained")
        made.suptitle(title, fontsize=10.5)
        axes = made.subplots(1, panels, squeeze=False)[0]
    for ax in axes:
        ax.grid(color="0.92", linewidth=0.8)
        ax.set_axisbelow(True)
    return made, list(axes)


def label(
    ax: Axes,
    *,
    x: str,
    y: str,
    title: str = "",
    log: str = "",
    ticks: Sequence[float] = (),
    log_above: float | None = None,
) -> None:
    """Label the axes; `log` names those with a logarithmic scale: "x", "y" or "xy".

    `ticks` are the places on the x axis that are written out. An x axis that holds 0 is linear
    up to `log_above`, and logarithmic from there.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.set_title(title, fontsize=10)
    if "x" in log:
        ax.set_xscale("log")
    if log_above is not None:
        ax.set_xscale("symlog", linthresh=log_above)
    if "y" in log:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        # The wider the range, the fewer numbers are written out within a power of ten.
        digits = (1, 2, 3, 4, 6, 8) if high < 10 * low else (1, 2, 5) if high < 300 * low else (1,)
        ax.yaxis.set_major_locator(LogLocator(subs=digits))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    if ticks:
        ax.set_xticks(list(ticks), labels=[f"{tick:g}" for tick in ticks])
        ax.set_xticks([], minor=True)


def between(low: int, high: int) -> list[int]:
    """Whole numbers from `low` to `high`, about evenly spread in their logarithm: for curves."""
    return sorted({round(float(place)) for place in np.geomspace(low, high, 24)})


def points(
    ax: Axes,
    x: Places,
    intervals: Sequence[Interval],
    *,
    name: str,
    style: int = 0,
    ring: bool = False,
) -> None:
    """Measured values with their intervals (middle, low, high); `style` picks color and marker.

    A `ring` stays visible around points that cover it.
    """
    middle, low, high = np.array(intervals, dtype=np.float64).T
    ax.errorbar(
        np.asarray(x, dtype=np.float64),
        middle,
        yerr=[middle - low, high - middle],
        fmt=MARKERS[style % len(MARKERS)],
        color=COLORS[style % len(COLORS)],
        markerfacecolor="none" if ring else None,
        markersize=9 if ring else 4.5,
        capsize=4 if ring else 2.5,
        linewidth=1.1,
        label=name,
        zorder=3,
    )


def curve(
    ax: Axes,
    x: Places,
    y: Places,
    *,
    name: str | None = None,
    style: int = 0,
    remainder: Places | None = None,
) -> None:
    """A predicted curve, with the band that its remainder leaves."""
    ax.plot(x, y, color=COLORS[style % len(COLORS)], linewidth=1.4, label=name)
    if remainder is not None:
        band(ax, x, np.subtract(y, remainder), np.add(y, remainder), style=style)


def band(
    ax: Axes,
    x: Places,
    low: Real[np.ndarray, "x"],
    high: Real[np.ndarray, "x"],
    *,
    name: str | None = None,
    style: int = 0,
) -> None:
    """The band between two predicted curves."""
    color = COLORS[style % len(COLORS)]
    ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0, label=name)


def level(ax: Axes, y: float, *, name: str, color: str = "0.45") -> None:
    """A predicted horizontal line, e.g. a limit."""
    ax.axhline(y, color=color, linestyle=":", linewidth=1.3, label=name)


def threshold(ax: Axes, x: float, *, name: str) -> None:
    """A predicted vertical line where something changes."""
    ax.axvline(x, color="0.45", linestyle="--", linewidth=1.1, label=name)


def legend(ax: Axes, **where: Any) -> None:
    """The legend of a panel; `where` as in matplotlib, e.g. loc and title."""
    ax.legend(fontsize=8.5, title_fontsize=8.5, frameon=False, **where)


def heat_map(
    ax: Axes,
    x: Places,
    y: Places,
    values: Real[np.ndarray, "y x"],
    *,
    name: str,
    log_from: float | None = None,
    line: tuple[Places, Places, str] | None = None,
) -> None:
    """Colored cells at all pairs of `x` and `y`, ascending, and a predicted `line` (x, y, name).

    With `log_from` colors are logarithmic, and values below it are gray.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    shown = np.asarray(values, dtype=np.float64)
    top = float(np.nanmax(shown))
    norm = None if log_from is None else LogNorm(log_from, max(top, 10 * log_from))
    mesh = ax.pcolormesh(
        _edges(x),
        _edges(y),
        # A logarithmic scale would leave out what is not positive.
        shown if log_from is None else np.maximum(shown, log_from / 2),
        norm=norm,
        cmap=colormaps["viridis"].with_extremes(under="0.8"),
        rasterized=True,
    )
    ax.grid(visible=False)
    bar = ax.figure.colorbar(mesh, ax=ax, extend="min" if norm else "neither")
    bar.set_label(name)
    if line is not None:
        ax.plot(line[0], line[1], color="white", linewidth=3.2, alpha=0.8)
        ax.plot(line[0], line[1], color=COLORS[1], linewidth=1.8, label=line[2])
        ax.legend(fontsize=8.5, loc="upper left", framealpha=0.85, frameon=True)
    ax.set_xlim(*_edges(x)[[0, -1]])
    ax.set_ylim(*_edges(y)[[0, -1]])


def _edges(centers: Places) -> Real[np.ndarray, "edges"]:
    """Edges of cells halfway between their centers."""
    middle = np.asarray(centers, dtype=np.float64)
    if len(middle) == 1:
        return middle[0] + np.array([-0.5, 0.5])
    half = (middle[1:] + middle[:-1]) / 2
    return np.concatenate([[2 * middle[0] - half[0]], half, [2 * middle[-1] - half[-1]]])


def write(drawn: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write each figure as NAME.svg and NAME.png into `folder`, which is made; gives the paths.

    Raises: `InputError` when that cannot be done.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvases = {"svg": FigureCanvasSVG, "png": FigureCanvasAgg}
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, made in drawn.items():
            for form, canvas in canvases.items():
                path = folder / f"{name}.{form}"
                metadata = {"Date": None} if form == "svg" else {"Software": "ntval"}
                with rc_context(_STYLE):
                    canvas(made).print_figure(
                        path, format=form, dpi=150, metadata=metadata, facecolor="white"
                    )
                written.append(path)
    except OSError as error:
        raise InputError(
            f"--out needs a directory that can be written to, got {str(folder)!r} "
            f"({error.strerror}); choose another."
        ) from None
    return written


def svg(draw: Callable[[], Figure]) -> str:
    """What `draw` makes as an <svg> element, or a paragraph that says why it is not drawn."""
    if reason := why_not():
        return f'<p class="note">Not drawn: {reason}.</p>'
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text = io.StringIO()
    FigureCanvasSVG(draw()).print_figure(
        text, format="svg", metadata={"Date": None}, facecolor="white"
    )
    return text.getvalue()[text.getvalue().index("<svg") :]

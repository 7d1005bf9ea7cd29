"""GCV against the test error of the infinite-width kernel on digits: C15 and C16 of the spec."""

from __future__ import annotations

from experiments.wei_hu_steinhardt import setting
from ntval.reports import figures
from ntval.runs.experiments import Experiment


def draw(rows):
    """Test errors over GCV, both axes logarithmic, a color a number of samples."""
    figure, (ax,) = figures.figure("Wei, Hu & Steinhardt: two-layer ReLU NTK, digits")
    setting.panel(ax, setting.summary(rows), series="n", title="")
    return {"digits_ntk": figure}


def _grid(sizes, splits):
    fixed = {"data": "digits", "network": "infinite_width", "n_test": 900, "splits": splits}
    return tuple({"n": n, **fixed} for n in sizes)


EXPERIMENT = Experiment(
    name="wei_hu_steinhardt.digits_ntk",
    title="GCV and test error against ridge and n: infinite-width kernel on scikit-learn's digits",
    grids={"smoke": _grid((200, 400), 8), "full": _grid((100, 200, 400, 800), 40)},
    measure=setting.measure,
    draw=draw,
    summary=setting.summary,
    claims=("digits_ntk_near_interpolation",),
)

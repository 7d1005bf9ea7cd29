"""GCV against the test error of pretrained networks and of random ones: C20 to C22 of the spec."""

from __future__ import annotations

from experiments.wei_hu_steinhardt import setting
from ntval.reports import figures
from ntval.runs.experiments import Experiment

_TITLES = {
    "efficientnet_lite0": "EfficientNet-Lite0, digits of MNIST",
    "minilm": "MiniLM, ratings of words",
}


def draw(rows):
    """A panel for each network at its largest n: pretrained and random weights."""
    table = setting.summary(rows)
    figure, axes = figures.figure(
        "Wei, Hu & Steinhardt: kernels of pretrained networks", panels=len(_TITLES)
    )
    for ax, (network, title) in zip(axes, _TITLES.items(), strict=True):
        of = [row for row in table if row["network"] == network]
        n = max(row["n"] for row in of)
        chosen = [row for row in of if row["n"] == n]
        setting.panel(ax, chosen, series="weights", title=f"{title}, n = {n}")
    return {"pretrained_network": figure}


def _grid(sizes, splits):
    taken = {"efficientnet_lite0": ("mnist", 600), "minilm": ("vader", 400)}
    return tuple(
        {"network": network, "data": data, "n": n, "n_test": rest, "splits": splits}
        for network, (data, rest) in taken.items()
        for n in sizes
    )


EXPERIMENT = Experiment(
    name="wei_hu_steinhardt.pretrained_network",
    title="GCV and test error against ridge: pretrained EfficientNet-Lite0 and MiniLM, and random",
    grids={"smoke": _grid((400,), 6), "full": _grid((200, 400, 700), 24)},
    measure=setting.measure,
    draw=draw,
    summary=setting.summary,
    claims=("pretrained_against_random",),
)

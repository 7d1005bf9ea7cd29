"""Figures: files that are not empty, the same each time, and no global state."""

import subprocess
import sys

import numpy as np
import pytest

from ntval.errors import CompatibilityError, InputError
from ntval.front.cli.options import require_figures, write_figures
from ntval.reports import figures


def drawn():
    figure, (left, right) = figures.figure("Claim: what it says", panels=2)
    x = [20.0, 40.0, 80.0]
    figures.curve(left, x, [3.0, 2.0, 1.0], remainder=[0.1, 0.1, 0.1], name="predicted")
    figures.points(left, x, [(3.0, 2.8, 3.2), (2.0, 1.9, 2.4), (1.0, 0.9, 1.1)], name="measured")
    figures.points(left, x, [(3.0, 3.0, 3.0)] * 3, name="another", style=1, ring=True)
    figures.level(left, 0.5, name="limit")
    figures.threshold(left, 30.0, name="threshold")
    figures.label(left, x="d", y="value", log="xy", ticks=x)
    figures.legend(left)
    values = np.array([[0.0, -1e-17, 1e-3], [1e-2, 1e-1, np.nan]])
    figures.heat_map(
        right,
        [1, 2, 4],
        [10, 20],
        values,
        name="value",
        log_from=1e-4,
        line=([1, 4], [10, 20], "l"),
    )
    figures.label(right, x="n", y="N", log_above=0.01)
    return figure


def test_figure_is_written_as_svg_and_png_that_are_no_empty_files(tmp_path):
    svg, png = figures.write({"a": drawn()}, tmp_path / "new" / "folder")
    assert (svg.name, png.name) == ("a.svg", "a.png")
    assert b"<svg" in svg.read_bytes()
    assert png.read_bytes().startswith(b"\x89PNG")
    assert min(svg.stat().st_size, png.stat().st_size) > 10_000


def test_equal_figures_are_equal_files(tmp_path):
    one, other = (figures.write({"a": drawn()}, tmp_path / name) for name in ("one", "other"))
    for left, right in zip(one, other, strict=True):
        assert left.read_bytes() == right.read_bytes()


def test_everything_that_is_drawn_is_in_the_legend_and_labelled():
    left, right, *_ = drawn().axes
    names = {text.get_text() for text in left.get_legend().get_texts()}
    assert names == {"predicted", "measured", "another", "limit", "threshold"}
    assert (left.get_xlabel(), left.get_ylabel()) == ("d", "value")
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["20", "40", "80"]
    assert right.get_xscale() == "symlog"


def test_heat_map_keeps_its_cells_centered():
    left = figures.figure("t")[1][0]
    figures.heat_map(left, [10, 20, 40], [3], np.ones((1, 3)), name="value")
    assert left.get_xlim() == (5.0, 50.0)
    assert left.get_ylim() == (2.5, 3.5)


@pytest.mark.parametrize(("low", "high"), [(20, 320), (3, 3), (1, 1000)])
def test_whole_numbers_between_reach_both_ends_and_ascend(low, high):
    places = figures.between(low, high)
    assert (places[0], places[-1]) == (low, high)
    assert places == sorted(set(places))


def test_directory_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out needs a directory") as refused:
        figures.write({"a": drawn()}, tmp_path / "file")
    assert "\n" not in str(refused.value)


def test_without_matplotlib_pages_and_commands_say_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    with pytest.raises(CompatibilityError, match="pip install matplotlib"):
        figures.figure("t")
    assert "pip install matplotlib" in figures.svg(lambda: figures.figure("t")[0])
    write_figures(lambda: {"t": figures.figure("t")[0]}, tmp_path)
    assert "no figure is drawn: figures need matplotlib" in capsys.readouterr().out
    require_figures(None)
    with pytest.raises(CompatibilityError, match=r"--out needs figures, and .*pip install"):
        require_figures(tmp_path)
    assert not list(tmp_path.iterdir())


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_matplotlib_loads_with_the_first_figure_and_pyplot_never():
    code = (
        "import sys; import ntval.front.cli.app, ntval.runs.experiments; "
        "from ntval.reports import figures; "
        "print('matplotlib' in sys.modules); figures.figure('t'); "
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    assert run(code).split() == ["False", "True", "False"]

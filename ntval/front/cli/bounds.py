"""`ntval bounds`: what theorems say of the smallest eigenvalue of your kernel at your data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ntval.errors import InputError
from ntval.front.cli.options import Json, NetworkPath, Seed, prepare, require_directories


def bounds(
    network: NetworkPath = None,
    mlp: Annotated[
        str | None,
        typer.Option(help="One of ntval's without biases, e.g. relu:400,300.", metavar="NAME:N,N"),
    ] = None,
    data: Annotated[
        str, typer.Option(help="'digits', 'mnist' or an .npz file with x.", metavar="NAME|FILE.npz")
    ] = "digits",
    rows: Annotated[int, typer.Option(help="How many rows of the data.", min=1)] = 200,
    failure: Annotated[float, typer.Option(help="Probability that a bound may fail.")] = 1e-6,
    seed: Seed = "0",
    json_path: Json = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with pictures.", metavar="FILE.html")
    ] = None,
) -> None:
    """Print every bound on the smallest eigenvalue that applies, beside the eigenvalue."""
    require_directories(json_path, report)
    if (network is None) == (mlp is None):
        raise InputError("bounds needs one of --network MODULE:ATTR and --mlp NAME:N,N.")
    prepare()
    from ntval.data import sets
    from ntval.networks import loading
    from ntval.reports import documents, terminal
    from ntval.reports.bounds import print_bounds, write_bounds_page
    from ntval.runs import bounds as runs
    from ntval.runs.settings import seed_of

    x = sets.load(data).x[:rows]
    if network is not None:
        loaded = loading.load(network)
        model: Any = loading.fitted(loaded, x.shape[1:])
        x = x.reshape(len(x), *(model.input_shape or x.shape[1:]))
    else:
        x = x.reshape(len(x), -1)
        model = _ours(str(mlp), x.shape[1])
    found = runs.bounds(x, model, seed=seed_of(seed), failure=failure)
    on = terminal.console()
    print_bounds(found, on)
    if json_path is not None:
        documents.write_json({**found.document(), "versions": documents.versions()}, json_path)
        on.print(f"wrote {json_path}", soft_wrap=True)
    if report is not None:
        what = f"{network or mlp}, {len(x)} rows of {data}"
        write_bounds_page(found, report, what=what)
        on.print(f"wrote {report}", soft_wrap=True)


def _ours(text: str, d: int) -> Any:
    """The network of ntval's that `text` describes."""
    from ntval.networks.mlp import Mlp

    name, colon, widths = text.partition(":")
    sizes = [word.strip() for word in widths.split(",")] if widths else []
    if not colon or not all(word.isdecimal() and int(word) > 0 for word in sizes):
        raise InputError(f"--mlp needs an activation and widths, got {text!r}; e.g. relu:400,300.")
    return Mlp(d, tuple(map(int, sizes)), name, b_std=0.0)

"""Options that several commands of the command line share, and what their values must be."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ntval.errors import CompatibilityError, InputError

Claims = Annotated[
    list[str] | None, typer.Argument(help="Names, last words or papers; all without any.")
]
Seed = Annotated[
    str, typer.Option(help="Seed of all randomness: a number, or 'commit' for that of HEAD.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Write results as JSON.", metavar="FILE")]
Workers = Annotated[int, typer.Option(help="Processes to run checks in.", min=1)]
Profile = Annotated[str, typer.Option(help="quick, standard or thorough.")]
Alpha = Annotated[float, typer.Option(help="Probability of refuting correct code.")]
NetworkPath = Annotated[
    str | None, typer.Option("--network", help="Your network, MODULE:ATTR.", metavar="MODULE:ATTR")
]
MlpWords = Annotated[
    str | None,
    typer.Option(
        "--mlp", help="One of ntval's without biases, e.g. relu:400,300.", metavar="NAME:N,N"
    ),
]
DATA = "'digits', 'mnist', 'openml:NAME' or an .npz or .npy file of x"
DataName = Annotated[str | None, typer.Option("--data", help=f"{DATA}.", metavar="NAME|FILE")]


def prepare() -> None:
    """Settings of this process, before NumPy and JAX load."""
    from ntval.runs.process import use_compilation_cache, use_cpu, use_one_thread

    use_cpu()
    # Older XLA warns of every entry of its compilation cache that it reads.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    use_one_thread()
    use_compilation_cache()


def require_directories(*paths: Path | None) -> None:
    """Refuse a path to write to whose directory does not exist."""
    for path in paths:
        if path is not None and not path.parent.is_dir():
            raise InputError(
                f"output needs an existing directory, got {str(path)!r}; create it first."
            )


def require_figures(out: Path | None) -> None:
    """Refuse a directory for figures where none can be drawn."""
    from ntval.reports import figures

    if out is not None and (reason := figures.why_not()):
        raise CompatibilityError(f"--out needs figures, and {reason}.")


def write_figures(draw: Callable[[], Mapping[str, Any]], folder: Path) -> None:
    """Write what `draw` makes into a directory, and print the paths, or why nothing is drawn."""
    from ntval.reports import figures, terminal

    on = terminal.console()
    if reason := figures.why_not():
        terminal.prose(on, f"no figure is drawn: {reason}")
        return
    for path in figures.write(draw(), folder):
        on.print(f"wrote {path}", soft_wrap=True)


def model_of(command: str, network: str | None, mlp: str | None, x: Any) -> tuple[Any, Any]:
    """The network that one of two options names, and the rows x in the shape that it takes.

    Raises: `InputError` unless there is one of them, and for words that name no network.
    """
    if (network is None) == (mlp is None):
        raise InputError(f"{command} needs one of --network MODULE:ATTR and --mlp NAME:N,N.")
    from ntval.networks import loading

    if network is not None:
        integers = x.dtype if x.dtype.kind in "iub" else None
        model = loading.fitted(loading.load(network), x.shape[1:], integers)
        return model, x.reshape(len(x), *(model.input_shape or x.shape[1:]))
    flat = x.reshape(len(x), -1)
    return _ours(str(mlp), flat.shape[1]), flat


def _ours(text: str, d: int) -> Any:
    """The network of ntval's that `text` describes."""
    from ntval.networks.mlp import Mlp

    name, colon, widths = text.partition(":")
    sizes = [word.strip() for word in widths.split(",")] if widths else []
    if not colon or not all(word.isdecimal() and int(word) > 0 for word in sizes):
        raise InputError(f"--mlp needs an activation and widths, got {text!r}; e.g. relu:400,300.")
    return Mlp(d, tuple(map(int, sizes)), name, b_std=0.0)

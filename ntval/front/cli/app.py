"""The command line: check, baseline, power, calibrate, explore, bounds, gcv, run, list and others.

| exit status | |
|---|---|
| 0 | nothing refuted |
| 1 | something refuted, missed (`power`), not calibrated, or drifted: never a crash |
| 2 | unusable arguments or input, told in one line |
| 3 | something inconclusive, under --strict |
| 4 | a crash: a fault of ntval's or of the network's; its traceback is in a file |
| 130 | interrupted: what was done is written, marked as incomplete |
| 141 | the reader of the output closed it |
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from ntval import __version__
from ntval.errors import NO_SPACE, NtvalError, first_line
from ntval.front.cli import (
    baseline,
    bounds,
    calibrate,
    catalogue,
    check,
    doctor,
    explore,
    fetch,
    gcv,
    power,
    run,
)
from ntval.front.cli.streams import use_plain_text


class Commands(TyperGroup):
    """The commands; what would end them with a status of somebody else's is a crash."""

    def invoke(self, ctx: Any) -> Any:
        """What a command gives. Typer makes status 1 of an EOFError and of a closed pipe."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            print(f"interrupted{f': {error}' if error.args else ''}", file=sys.stderr)
            raise typer.Exit(130) from None
        except (SystemExit, EOFError, BrokenPipeError) as error:
            # Rich raises SystemExit(1) where it meets a closed pipe.
            if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
                raise typer.Exit(141) from None
            raise RuntimeError(f"{type(error).__name__}({error}) inside of a command") from error


_WIDTH = shutil.get_terminal_size().columns
_NARROW = _WIDTH < 60  # boxes of three columns would cut the names of options

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None if _NARROW else "rich",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "terminal_width": _WIDTH - 1 if _NARROW else None,
    },
    help="Validate neural tangent kernels: verdicts with stated error rates.",
    epilog="What the words mean: docs/glossary.md. Where to begin: README.md.",
)


def _version(asked: bool) -> bool:
    if asked:
        print(f"ntval {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _ntval(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and end.")
    ] = False,
) -> None:
    """Validate neural tangent kernels: verdicts with stated error rates."""


app.command()(check.check)
app.add_typer(baseline.app, name="baseline")
app.command()(power.power)
app.command()(calibrate.calibrate)
app.command()(explore.explore)
app.command()(bounds.bounds)
app.command()(gcv.gcv)
app.command()(fetch.fetch)
app.command()(run.run)
app.command("list")(catalogue.list_claims)
app.command()(catalogue.where)
app.command()(doctor.doctor)


# Of click, or of the copy that newer typers carry.
UsageError = cast(type[Exception], typer.BadParameter.__base__)


def main() -> None:
    """Run the command line and end with a status of the table above."""
    use_plain_text()
    try:
        raise SystemExit(app(prog_name="ntval", standalone_mode=False))
    except SystemExit:
        raise
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # pyright: ignore[reportAttributeAccessIssue]
        else:
            print(f"error: {_usage(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except NtvalError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise SystemExit(_crash(error)) from None
        print(f"error: output needs space, got {error.strerror}; free some.", file=sys.stderr)
        raise SystemExit(2) from None
    except BaseException as error:  # Python's own status of a traceback is 1, that of a refutation
        raise SystemExit(_crash(error)) from None


def _crash(error: BaseException) -> int:
    """The status of a crash, told in one line."""
    words = f"{type(error).__name__}: {first_line(error)}".rstrip(": ")
    print(
        f"crash: {words}; no verdict, but a fault of ntval's or of the network's: {_traceback()}",
        file=sys.stderr,
    )
    return 4


def _traceback() -> str:
    """Where the traceback is: in a file, or below where none can be written."""
    text = traceback.format_exc()
    try:
        handle, path = tempfile.mkstemp(prefix="ntval-crash-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return f"the traceback follows.\n{text}"
    return f"its traceback is in {path}."


def _usage(error: Any) -> str:
    """What is wrong with the words of a command line, in one line, and where the right ones are."""
    words = " ".join(error.format_message().split())
    words += "" if words.endswith((".", "?")) else "."
    return f"{words} See `{error.ctx.command_path if error.ctx else 'ntval'} --help`."

"""One exception class a failure. Every message names argument, value, rule and way out."""

import errno
from collections.abc import Iterable


class NtvalError(Exception):
    """Base of every error that ntval raises on purpose."""


class InputError(NtvalError, ValueError):
    """An argument breaks a rule: wrong shape, dtype, value or combination."""


class NetworkError(NtvalError, ValueError):
    """A network cannot be read, initialized or applied as a kernel needs it."""


class GramError(NtvalError, ValueError):
    """A Gram matrix is not one: asymmetric, not positive semi-definite, or singular."""


class DataError(NtvalError, ValueError):
    """A data set is missing, malformed or unreadable."""


class UnknownNameError(NtvalError, LookupError):
    """A name of a claim, activation or profile that does not exist."""


class CompatibilityError(NtvalError, ImportError):
    """Installed versions that cannot work together."""


class RefutedError(NtvalError, AssertionError):
    """A claim was refuted; raised by `Result.raise_if_refuted` alone."""


# Error numbers of a disk, or a quota, that is full.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def first_line(error: BaseException) -> str:
    """What an error says in its first line, at most 200 characters, without the full stop."""
    return (str(error).strip().splitlines() or [""])[0][:200].rstrip(".")


# Commands that list all names of a kind, for kinds that have too many for a message.
_LISTS = {
    "claim": "All names: `ntval list`",
    "fault": "All names: `ntval list`",
    "experiment": "All names: `ntval run`",
    "activation": "All names: ntval.activations.ACTIVATIONS",
}
_FEW = 8  # names that a line may write out


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Error for `name`, which is none of `known`: up to three nearest, and where all are.

    Where none is near, a short list is written out. Last words (`symmetry`) and upper case count
    as near.
    """
    names, name = sorted(known), str(name)
    hint = did_you_mean(name, names)
    if not hint and len(names) <= _FEW:
        hint = f"known: {', '.join(names)}."
    elif not hint:
        hint = f"the nearest: {', '.join(map(repr, _nearest(name, names, 0.0)))}."
    way_out = f" {_LISTS[kind]}." if kind in _LISTS else ""
    return UnknownNameError(f"Unknown {kind} {name!r}; {hint}{way_out}")


def did_you_mean(name: str, known: Iterable[str], *, most: int = 3) -> str:
    """`did you mean 'a' or 'b'?` with the nearest of `known`; nothing where none is near."""
    near = _nearest(name, known, 0.6)[:most]
    return f"did you mean {_either(near)}?" if near else ""


def _nearest(name: str, known: Iterable[str], cutoff: float) -> list[str]:
    """Up to three of `known` whose likeness to `name`, from 0 to 1, is at least `cutoff`."""
    from difflib import get_close_matches

    names = sorted(known)
    words = {word.rpartition(".")[2].lower(): word for word in names}
    words |= {word.lower(): word for word in names}
    found = get_close_matches(name.lower(), words, n=6, cutoff=cutoff)
    return list(dict.fromkeys(words[word] for word in found))[:3]


def _either(names: list[str]) -> str:
    """'a', 'b' or 'c'."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} or {last}" if first else last

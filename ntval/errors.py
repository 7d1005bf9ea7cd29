"""One exception class a failure. Every message names argument, value, rule and way out."""


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


def first_line(error: BaseException) -> str:
    """What an error says in its first line, at most 200 characters, without the full stop."""
    return (str(error).strip().splitlines() or [""])[0][:200].rstrip(".")


def unknown_name(kind: str, name: str, known) -> UnknownNameError:
    """Error for `name`, which is none of `known`, with the nearest that is."""
    from difflib import get_close_matches

    known = sorted(known)
    short = {word.rpartition(".")[2]: word for word in known}
    near = get_close_matches(name, known, n=1) or get_close_matches(name, short, n=1)
    hint = (
        f"did you mean {short.get(near[0], near[0])!r}?" if near else "known: " + ", ".join(known)
    )
    return UnknownNameError(f"Unknown {kind} {name!r}; {hint}")

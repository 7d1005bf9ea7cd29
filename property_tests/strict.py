"""What holds every function of ntval to its signature in tests: a whole number is a float too."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checker(function: Any) -> Any:
    """`function` with its signature enforced.

    A function inside another is enforced when its signature has shapes: it is made anew at every
    call, which costs a millisecond.
    """
    inner = isinstance(function, Callable) and "<locals>" in function.__qualname__
    if inner and not any('"' in str(hint) for hint in function.__annotations__.values()):
        return function
    return _beartype(function)

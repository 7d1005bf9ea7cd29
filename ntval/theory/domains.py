"""Where a remainder that was measured holds: outside of it there is none."""

from __future__ import annotations

from collections.abc import Sequence

from ntval.activations import Activation
from ntval.errors import InputError


def require_measured(
    formula: str,
    activation: Activation,
    activations: Sequence[str],
    **ranges: tuple[float, float, float],
) -> None:
    """Refuse a regime in which the remainder of `formula` was never measured.

    `activations`: names for which it was. `ranges`: of each quantity its value, and the ends
    between which it was.

    Source: the remainders that are measured, each in its docstring.
    Raises: `InputError` naming the argument, what it may be, and the way out.
    """
    if activation.name not in activations:
        raise InputError(
            f"{formula} needs an activation for which its remainder is measured "
            f"({', '.join(activations)}), got {activation.name!r}; measure it there, or use one of "
            "these."
        )
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise InputError(
                f"{formula} needs {name} between {low:g} and {high:g}, where its remainder is "
                f"measured, got {value:g}; measure it there, or take another size."
            )

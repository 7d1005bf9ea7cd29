"""Planted faults that come in every size: a kernel, a row or an entry too large.

"analytic_scale_3" is family "analytic_scale" at 3 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ntval.faults import mutations
from ntval.faults.fault import Fault, Plant
from ntval.faults.sites import in_analytic_gram, in_empirical_gram, in_grams

_CHANGES: dict[str, tuple[str, Callable[[float], Callable]]] = {
    "scale": ("is {} % too large", mutations.times),
    "off_diagonal": ("is {} % too large off the diagonal", mutations.off_diagonal_times),
    "row": ("is {} % too large in one row", mutations.row_times),
    "entry": ("is {} % too large in one entry", mutations.entry_times),
}

# Faults that come in every size: family -> plant of a size.
FAMILIES: Mapping[str, Callable[[float], Plant]] = {
    f"{place}_{kind}": lambda size, within=within, change=change: within(change(1 + size))
    for place, within in (
        ("analytic", in_analytic_gram),
        ("empirical", in_empirical_gram),
        ("gram", in_grams),
    )
    for kind, (_, change) in _CHANGES.items()
}


def sized(family: str, size: float) -> Fault:
    """The fault of a family at a size, 0.03 for 3 %."""
    place, _, kind = family.partition("_")
    which = {
        "analytic": "the analytic kernel",
        "empirical": "the empirical kernel",
        "gram": "a Gram matrix",
    }[place]
    percent = f"{100 * size:.3g}"
    return Fault(
        f"{family}_{percent}",
        f"{which} {_CHANGES[kind][0].format(percent)}",
        FAMILIES[family](size),
        family,
        size,
    )


FAULTS = tuple(
    sized(family, size)
    for family, sizes in (
        ("analytic_scale", (0.01, 0.03, 0.1, 1.0)),
        ("analytic_off_diagonal", (0.01, 0.03, 0.1, 1.0)),
        ("analytic_row", (0.1,)),
        ("analytic_entry", (0.15,)),
        ("empirical_scale", (0.01, 0.03, 0.1, 1.0)),
        ("empirical_off_diagonal", (0.01, 0.03, 0.1, 1.0)),
        ("empirical_row", (0.1,)),
        ("empirical_entry", (0.15,)),
        ("gram_scale", (0.01, 0.1)),
        ("gram_off_diagonal", (0.03, 0.1)),
        ("gram_entry", (0.15, 0.5)),
    )
    for size in sizes
)

"""Points of a domain as a Hypothesis strategy."""

from __future__ import annotations

from hypothesis import strategies as st

from ntval.claims.domain import Domain, Drawn, Interval, Layers
from ntval.regimes import Point


def points_of(domain: Domain) -> st.SearchStrategy[Point]:
    """Points of a domain: sizes and names from what it lists, numbers freely."""
    drawn = {name: _values_of(of) for name, of in domain.drawn.items()}
    points = st.fixed_dictionaries(drawn).map(domain.point)
    return points.filter(lambda point: all(h.holds(point) for h in domain.where))


def _values_of(drawn: Drawn) -> st.SearchStrategy:
    if isinstance(drawn, Interval):
        numbers = st.floats(drawn.low, drawn.high)
        return st.one_of(st.just(0.0), numbers) if drawn.zero else numbers
    if isinstance(drawn, Layers) and drawn.last is None:
        widths = st.sampled_from(drawn.sizes.values)
        return st.lists(widths, min_size=drawn.fewest, max_size=drawn.most).map(tuple)
    return st.sampled_from(drawn.some())

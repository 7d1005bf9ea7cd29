"""The alpha and the seed of a session, and what of them is a test's.

With pytest-xdist every worker collects all tests, hence knows all parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from ntval.front.pytest.collection import marked, uses_check_claim
from ntval.front.pytest.options import Options
from ntval.runs.settings import is_alpha, is_seed


@dataclass
class Budget:
    """How the session's alpha is split.

    alpha: of all tests together that have none of their own.
    tests: how many those are.
    marked: the alpha of each test that has its own, by its id.
    """

    alpha: float
    tests: int = 0
    marked: dict[str, float] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Whether any test uses `check_claim`."""
        return bool(self.tests or self.marked)

    @property
    def part(self) -> float:
        """The alpha of a test whose marker sets none."""
        return self.alpha / self.tests

    @property
    def total(self) -> float:
        """The session's alpha and those of marked tests."""
        return (self.alpha if self.tests else 0.0) + sum(self.marked.values())

    def split(self, items: Iterable[pytest.Item]) -> None:
        """Count the tests that get a part."""
        for item in filter(uses_check_claim, items):
            own = marked(item, "alpha")
            if own is None:
                self.tests += 1
            elif is_alpha(own):
                self.marked[item.nodeid] = own


def alpha_of_test(item: pytest.Item, budget: Budget) -> float:
    """What a test may spend: its marker's alpha, or its part of the session's."""
    own = marked(item, "alpha")
    if own is not None and not is_alpha(own):
        _refuse("alpha", "a probability between 0 and 1", own, "a part of the session's")
    return budget.part if own is None else own


def seed_of_test(item: pytest.Item, options: Options) -> int:
    """The seed of a test: its marker's, or the session's."""
    own = marked(item, "seed")
    if own is not None and not is_seed(own):
        _refuse("seed", "a whole number from 0 to 2^63 - 1", own, "the session's")
    return options.seed if own is None else own


def _refuse(name: str, rule: str, value: object, default: str) -> None:
    """Fail the test whose marker cannot be used."""
    pytest.fail(
        f"@pytest.mark.ntval({name}=...) needs {rule}, got {value!r}; leave it out for {default}.",
        pytrace=False,
    )

"""Claims at points that Hypothesis draws, and strategies of inputs: never of a seed.

Each new array shape compiles anew, so free sizes would cost seconds an example; statistical
noise comes from hash(claim, point, suite seed), not from Hypothesis (EVIDENCE in DESIGN).
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import hypothesis.extra.numpy as numpy_strategies
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ntval.claims.budget import CONFIRMATIONS, fresh_seed, point_alpha
from ntval.claims.claim import Claim
from ntval.claims.outcome import Outcome, Result
from ntval.errors import InputError
from ntval.evidence.verdict import Verdict
from ntval.regimes import Point
from ntval.runs.domains import points_of


def examined(
    claim: Claim,
    *,
    seed: int = 0,
    alpha: float = 1e-6,
    max_examples: int = 8,
    effort: float = 1.0,
    seconds: float = math.inf,
) -> Outcome:
    """The claim's outcome over points that Hypothesis draws, repeated when it is refuted.

    `alpha` is the probability of refuting a true claim, whatever Hypothesis draws: it is not
    divided by `max_examples`. A point drawn twice is not counted again, and nothing is shrunk:
    a point's key is a hash of the point, so verdicts at near points are independent. After
    `seconds` no further point is examined.
    Raises: `InputError` for a claim without a domain.
    """
    domain = claim.domain
    if domain is None:
        raise InputError(
            f"examined needs a claim with a domain to draw points of, got {claim.name!r}; write "
            "one, or check it at points of its profiles."
        )
    found: dict[Point, Result] = {}
    start = time.monotonic()
    level = point_alpha(alpha, max_examples)

    @settings(
        max_examples=max_examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(point=points_of(domain))
    def example(point: Point) -> None:
        refuted = any(r.decision.verdict is Verdict.REFUTED for r in found.values())
        late = time.monotonic() - start > seconds
        if point not in found and not refuted and not late:
            found[point] = claim.check(seed, point, alpha=level, effort=effort)

    example()
    outcome = Outcome(claim.name, tuple(found.values()), max_examples, alpha)
    if not outcome.suspected:
        return outcome
    repetitions = tuple(
        tuple(
            claim.check(fresh_seed(seed, i), result.point, alpha=level, effort=effort)
            for result in outcome.suspects()
        )
        for i in range(1, CONFIRMATIONS + 1)
    )
    return replace(outcome, repetitions=repetitions)


def inputs(n: int, d: int, *, largest: float = 3.0) -> st.SearchStrategy[np.ndarray]:
    """Inputs of shape (n, d) with bounded entries; rows may coincide or vanish."""
    return numpy_strategies.arrays(
        np.float64,
        (n, d),
        elements=st.floats(-largest, largest, allow_subnormal=False, width=32),
    )


def positive_definite(
    n: int, *, smallest: float = 1e-3, largest: float = 10.0
) -> st.SearchStrategy[np.ndarray]:
    """Symmetric matrices with all eigenvalues in [smallest, largest]."""
    return st.builds(
        _matrix,
        st.lists(st.floats(smallest, largest), min_size=n, max_size=n),
        inputs(n, n),
    )


def _matrix(eigenvalues: list[float], basis: np.ndarray) -> np.ndarray:
    orthogonal, _ = np.linalg.qr(basis + np.eye(len(basis)))
    matrix = orthogonal * np.array(eigenvalues) @ orthogonal.T
    return (matrix + matrix.T) / 2

"""Hypothesis strategies: sizes from written ladders, values freely, never a seed.

Each new array shape compiles anew, so free sizes would cost seconds an example; statistical
noise comes from hash(claim, point, suite seed), not from Hypothesis (EVIDENCE in DESIGN).
"""

from __future__ import annotations

from dataclasses import replace

import hypothesis.extra.numpy as numpy_strategies
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ntval.activations import ACTIVATIONS
from ntval.claims.budget import CONFIRMATIONS, fresh_seed, point_alpha
from ntval.claims.claim import Claim
from ntval.claims.outcome import Outcome, Result
from ntval.evidence.verdict import Verdict
from ntval.regimes import D_LADDER, N_LADDER, OUTPUTS_LADDER, WIDTH_LADDER, Point, Regime


def points_for(claim: Claim) -> st.SearchStrategy[Point]:
    """Regimes where a claim holds: those it writes out, or any size, depth, scale and activation.

    A claim in which chance decides has its points written out, as its power depends on them.
    """
    written = claim.points.get("random")
    if written or claim.statistical or "theorem's setting" in claim.needs:
        return st.sampled_from(written or claim.points["standard"])
    return st.builds(
        Regime,
        n=st.sampled_from(N_LADDER),
        d=st.sampled_from(D_LADDER),
        widths=st.lists(st.sampled_from(WIDTH_LADDER), min_size=1, max_size=3).map(tuple),
        activation=st.sampled_from(sorted(ACTIVATIONS)),
        w_std=st.floats(0.25, 2.0),
        b_std=st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
        outputs=st.sampled_from(OUTPUTS_LADDER),
        parametrization=st.sampled_from((None, "standard")),
    )


def examined(
    claim: Claim,
    *,
    seed: int = 0,
    alpha: float = 1e-6,
    max_examples: int = 8,
    effort: float = 1.0,
) -> Outcome:
    """The claim's outcome over points that Hypothesis draws, repeated when it is refuted.

    `alpha` is the probability of refuting a true claim, whatever Hypothesis draws: it is not
    divided by `max_examples`. A point drawn twice is not counted again, and nothing is shrunk:
    a point's key is a hash of the point, so verdicts at near points are independent.
    """
    found: dict[Point, Result] = {}
    level = point_alpha(alpha, max_examples)

    @settings(
        max_examples=max_examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(point=points_for(claim))
    def example(point: Point) -> None:
        refuted = any(r.decision.verdict is Verdict.REFUTED for r in found.values())
        if point not in found and not refuted:
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

"""Montanari & Zhong, 2007.12826: the tail of the kernel acts as a ridge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ntval.claims.claim import Claim
from ntval.claims.domain import Interval
from ntval.claims.montanari_zhong.risk import LARGE, MIDDLE, SMALL, kernel_risk, polynomial_risk
from ntval.claims.montanari_zhong.setting import (
    PAPER,
    SETTING,
    arguments,
    grid,
    regimes,
    samples_over_d,
    two_layer,
)
from ntval.claims.procedures import Means
from ntval.claims.sampling import Replicate, looped
from ntval.theory import montanari_zhong as theory


@looped
def _gap(
    draw: Replicate,
    energies: Callable[..., Any] = theory.energies,
    tail: Callable[..., float] = theory.tail_energy,
) -> list[float]:
    """Risk of KRR minus that of PRR with the self-induced ridge, at the same inputs."""
    return [kernel_risk(draw) - polynomial_risk(draw, energies=energies, tail=tail)]


self_induced_ridge = Claim(
    name="montanari_zhong.self_induced_ridge",
    source=f"{PAPER}, theorem D: R_KRR(l) = R_PRR(l + v) + o(1) (statement of the abstract; rate "
    "recalled); the gap by the deterministic equivalent, derived; E16, E21.",
    statement="Kernel ridge regression is polynomial ridge regression with the ridge "
    "lambda + gamma_{>l}: their risks differ by O(n/B(d, k*)), as the equivalents do.",
    needs=SETTING,
    points={
        "quick": grid(MIDDLE, noise_std=0.5),  # a smaller d hides "tail_of_limit"
        "standard": (
            *grid(SMALL, MIDDLE, activations=("relu", "gelu"), noise_std=0.5),
            *grid(SMALL, MIDDLE, ridge=0.1, noise_std=0.5),
        ),
        "thorough": (
            *grid(SMALL, MIDDLE, LARGE, activations=("relu", "gelu"), noise_std=0.5),
            *grid(SMALL, MIDDLE, LARGE, ridge=0.1, noise_std=0.5),
        ),
    },
    domain=regimes(
        samples_over_d(2, 5),
        activations=("relu", "gelu", "silu"),
        ridge=Interval(0.01, 0.5, zero=True),
        noise_std=Interval(0.3, 1.0),  # without it bias and variance nearly cancel
    ),
    subject=two_layer,
    procedure=Means(
        _gap,
        labels=("R_KRR - R_PRR",),
        formula=theory.self_induced_ridge_gap,
        remainder=theory.self_induced_ridge_gap_remainder,
        at=arguments,
        resolution=0.0002,
        first=32,
        most=256,
    ),
    faults=(
        "tail_of_limit",
        "energies_without_constant",
        "tail_missing",
        "tail_shifted_up",
        "tail_shifted_down",
        "energies_shifted",
    ),
)

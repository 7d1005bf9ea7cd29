r"""Montanari & Zhong, 2007.12826: how the kernel of finite width concentrates.

| here | paper | meaning |
|---|---|---|
| `n`, `d`, `width` | $n$, $d$, $N$ | samples, input dimension, hidden neurons |
| $\psi$ in formulas | $n / (N d)$ | inverse overparameterization |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.theory.domains import require_measured

MEASURED = ("relu", "tanh", "gelu")


def concentration(n: int, d: int, width: float) -> float:
    r"""Typical $\|K^{-1/2} K_N K^{-1/2} - I\|$: $2\sqrt\psi + \psi$ with $\psi = n / (N d)$.

    The Marchenko-Pastur edge of n whitened rows and N d columns.

    Source: spec montanari_zhong, theorem A (measured constant, derived and checked).
    Accuracy: -4 % to +10 % for n >= 4 d and N >= 30, up to +25 % at n = 2 d.
    """
    ratio = n / (width * d)
    return 2 * math.sqrt(ratio) + ratio


def concentration_remainder(activation: Activation, n: int, d: int, width: float) -> float:
    r"""How far the mean of $\|K^{-1/2} K_N K^{-1/2} - I\|$ may lie above `concentration`.

    The neurons come in blocks of d, so that n + d takes the place of n in theorem A:
    $2 \sqrt{\psi'} + \psi' - 2 \sqrt\psi - \psi$ with $\psi' = (n + d) / (N d)$.

    The upper end is 1.02 times `concentration` with n + d in place of n.

    Source: derived in part; theorem A (recalled) has the n + d. The factor is measured here for
    n >= 2 d and N >= 32 (ReLU, tanh, GELU; d = 20..160); at n = d it is 1.16. At d = 20, N = 32,
    n = 60 and 101 the mean lay 1.6 % below the lower end, by the Tracy-Widom shift of a norm.
    Raises: `InputError` outside of that.
    """
    require_measured(
        "concentration",
        activation,
        MEASURED,
        d=(d, 20, math.inf),
        ratio=(n / d, 2, math.inf),
        width=(width, 32, math.inf),
    )
    return 1.02 * concentration(n + d, d, width) - concentration(n, d, width)


def mean_concentration(activation: Activation, n: int, d: int, width: int) -> float:
    r"""Mean of $\|K^{-1/2} K_N K^{-1/2} - I\|$: the middle between `concentration` and
    `concentration` plus its remainder.

    Source: as `concentration_remainder` (derived in part, measured).
    Accuracy: `mean_concentration_remainder`.
    """
    return concentration(n, d, width) + mean_concentration_remainder(activation, n, d, width)


def mean_concentration_remainder(activation: Activation, n: int, d: int, width: int) -> float:
    """How far `mean_concentration` may lie from the mean: half of `concentration_remainder`.

    Source: as `concentration_remainder` (derived in part, measured).
    """
    return concentration_remainder(activation, n, d, width) / 2


def concentration_slope(n: int, d: int, widths: Sequence[int]) -> float:
    r"""Slope of $\log \|K^{-1/2} K_N K^{-1/2} - I\|$ over $\log N$ on a ladder of widths: that of
    `concentration`, which tends to -1/2 from below.

    Source: derived here. Accuracy: `concentration_slope_remainder`.
    """
    return float(_slope_weights(widths) @ np.log([concentration(n, d, width) for width in widths]))


def concentration_slope_remainder(
    activation: Activation, n: int, d: int, widths: Sequence[int]
) -> float:
    r"""How far the mean slope may lie from `concentration_slope`: 0.02, and the slope that n + d in
    place of n makes.

    The samples that the norm counts lie between n and n + d, by `concentration_remainder`; they
    are nearly the same at every width.

    Source: derived here, but the 0.02 is measured (36 regimes of 24 draws: ReLU, tanh, GELU;
    d = 20..60, n = 66..200, widths N, 2 N, 4 N, 8 N with N = 32..64): for n >= 4 d slopes lie 0.006
    below to 0.02 above, each known to 0.01. For n = 2 d they lie up to 0.06 above.
    Raises: `InputError` outside of that.
    """
    require_measured(
        "concentration_slope",
        activation,
        MEASURED,
        d=(d, 20, math.inf),
        ratio=(n / d, 4, math.inf),
        width=(min(widths), 32, math.inf),
    )
    slopes = [concentration_slope(samples, d, widths) for samples in (n, n + d)]
    return 0.02 + abs(slopes[0] - slopes[1])


def _slope_weights(widths: Sequence[int]) -> Float[np.ndarray, "widths"]:
    log_width = np.log(widths) - np.log(widths).mean()
    return log_width / (log_width @ log_width)

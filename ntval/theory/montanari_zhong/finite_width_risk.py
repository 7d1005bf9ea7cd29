r"""Risk of regression with the empirical kernel: double descent, at finite n, d and N.

| here | literature | meaning |
|---|---|---|
| `parameters` | $k = N d$ | directions that the features of finite width span |
| `threshold` | $\kappa$ | learning threshold of the operator's levels, degree 1 aside |
| `first` | $s$ | learning threshold of degree 1 |
| `learned`, `dimension` | $L_q$, T | shares learned, and how many directions in all |

The gradients of a network at random weights are taken as k independent random features of the
kernel K, but for their mean over the weights, $\mu_0 x_j$: it is the same in all neurons, so the
linear functions are no random features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory.domains import require_measured
from ntval.theory.levels import bracketed_root
from ntval.theory.montanari_zhong.spectrum import operator_levels
from ntval.theory.ridge_equivalents import Target

_LAST_DEGREE = 10  # kept as levels; what is above has infinitely many, infinitely small ones


def finite_width_risk(
    activation: Activation, n: int, d: int, width: int, target: Target, *, ridge: float
) -> float:
    r"""Mean risk of kernel ridge regression with the empirical kernel $K_N$.

    $$\kappa (1 - T / n)(1 - T / k) = \lambda / n, \qquad T = \sum_q B_q L_q, \qquad
      \frac{k}{\kappa} = \frac{k - d}{s} + \frac{d}{s + e_1}$$
    $$1 - L_1 = \frac{s}{e_1 + s}, \qquad 1 - L_q = \frac{\kappa}{e_q + \kappa}, \qquad
      R + \sigma^2 = \frac{\sum_q F_q [(1 - L_q) - (1 - L_q)'] + \sigma^2}{1 - (T + T') / n}$$
    with k = Nd and a prime for the derivative over the log of $\kappa_1 = \kappa (1 - T / k)$,
    the threshold given the features. For $N \to \infty$ it is `kernel_ridge_risk`.

    Source: spec montanari_zhong, Z1 (random-feature eigenframework, recalled; there with every
    degree random, s = $\kappa$, which is up to 20 % too large); degree 1 derived here, by the
    deterministic equivalent of $F F^\top$, $F = [\sqrt{e_1}\, Q, G \Lambda^{1/2} / \sqrt k]$, Q
    of d orthonormal columns and G Gaussian. Features of one neuron are dependent: a heuristic.
    Accuracy: `finite_width_risk_remainder`.
    Raises: `InputError` on a negative ridge, and without one at Nd = n, where R is infinite, or
    for a polynomial of fewer directions than samples and parameters.
    """
    if not ridge >= 0:
        raise InputError(f"ridge needs to be >= 0, got {ridge!r}; 0 is the limit of no ridge.")
    parameters = width * d
    if ridge == 0 and parameters == n:
        raise InputError(
            f"finite_width_risk needs a ridge > 0 or Nd != n, got ridge=0.0, n = Nd = {n}: the "
            "risk is infinite there."
        )
    eigenvalues, counts, tail = operator_levels(activation, d, degree=_LAST_DEGREE)
    levels = _RandomFeatures(eigenvalues, counts, tail, parameters, d)
    fewest = min(n, parameters)
    directions = math.inf if tail > 0 else float(counts[eigenvalues > 0].sum())
    if directions <= fewest and ridge == 0:
        raise InputError(
            f"finite_width_risk needs a ridge > 0 with {directions:g} directions for n={n} samples "
            f"and {parameters} parameters, got ridge=0.0; add a ridge."
        )
    start = math.log((float(counts @ eigenvalues) + tail) / n)
    least = _root(lambda k: levels.dimension(k) - fewest, start) if directions > fewest else 0.0
    threshold = least
    if ridge > 0:

        def unmet(k: float) -> float:
            if k <= least:
                return 1.0
            dimension = levels.dimension(k)
            return ridge / n - k * (1 - dimension / n) * (1 - dimension / parameters)

        threshold = _root(unmet, start)
    missed, missed_slope, dimension_slope = levels.missed(threshold)
    energies = target.require_levels(len(missed))
    bias = float(energies @ (missed - missed_slope)[: len(energies)])
    noise = target.noise_std**2
    variance = (levels.dimension(threshold) + dimension_slope) / n
    return (bias + noise) / (1 - variance) - noise


@dataclass(frozen=True)
class _RandomFeatures:
    """Levels of the operator, of which `parameters` features span a random part."""

    eigenvalues: Float[np.ndarray, "levels"]
    counts: Float[np.ndarray, "levels"]
    tail: float
    parameters: int
    d: int

    def thresholds(
        self, threshold: float
    ) -> tuple[Float[np.ndarray, "levels"], Float[np.ndarray, "levels"]]:
        r"""The learning threshold of each degree, and its derivative in `threshold`.

        That of degree 1 is the root of $s^2 + (e_1 - \kappa) s = \kappa c$,
        $c = e_1 (k - d) / k$.
        """
        each, slopes = np.full(len(self.eigenvalues), threshold), np.ones(len(self.eigenvalues))
        level = float(self.eigenvalues[1])
        if level > 0:
            most = level * (1 - self.d / self.parameters)
            ahead = level - threshold
            root = math.sqrt(ahead**2 + 4 * threshold * most)
            first = 2 * threshold * most / (ahead + root) if ahead > 0 else (root - ahead) / 2
            each[1], slopes[1] = first, (first + most) / root if root > 0 else 1.0
        return each, slopes

    def dimension(self, threshold: float) -> float:
        """T, the number of directions that are learned."""
        each, _ = self.thresholds(threshold)
        return float((self.counts * self.eigenvalues / (self.eigenvalues + each)).sum()) + (
            self.tail / threshold
        )

    def missed(
        self, threshold: float
    ) -> tuple[Float[np.ndarray, "levels"], Float[np.ndarray, "levels"], float]:
        """The shares that are missed, and the derivatives of them and of `dimension` in the log of
        the threshold given the features."""
        each, slopes = self.thresholds(threshold)
        steps = self.eigenvalues / (self.eigenvalues + each) ** 2 * slopes
        fall = -float(self.counts @ steps) - self.tail / threshold**2
        given = 1 - self.dimension(threshold) / self.parameters
        rate = threshold * given / (given - threshold * fall / self.parameters)
        return each / (self.eigenvalues + each), rate * steps, rate * fall


def _root(excess: Callable[[float], float], start: float) -> float:
    """The root of a function that falls from positive to negative; `start` is a log near it."""
    low = high = start
    while excess(math.exp(low)) <= 0:
        low -= 1.0
    while excess(math.exp(high)) >= 0:
        high += 1.0
    return math.exp(bracketed_root(lambda log: excess(math.exp(log)), low, high))


def finite_width_risk_remainder(
    activation: Activation, n: int, d: int, width: int, target: Target, *, ridge: float
) -> float:
    """How far `finite_width_risk` may lie from the mean: 7 % of it.

    Source: measured here, on 32 draws each of 50 regimes (ReLU, tanh, GELU; d = 20..47,
    n = 2 d..6 d, N = 6..64, Nd = 2.5 n..32 n; ridge 0 to 0.1, noise 0.2 to 1): the mean lies 6 %
    below to 6 % above, most often 0 to 3 % below; at Nd = 2 n..2.4 n up to 13 % above. With few
    neurons searches found 10 to 36 % above (N = 6, 8; n = 2 d..3 d, Nd < 3 n) and 7 % (N = 10):
    their features are too dependent for the peak at Nd = n to be that far away.
    Raises: `InputError` for other activations, d < 20, n < 2 d, N < 12 or Nd < 3 n.
    """
    require_measured(
        "finite_width_risk",
        activation,
        ("relu", "tanh", "gelu"),
        d=(d, 20, math.inf),
        samples=(n / d, 2, math.inf),
        width=(width, 12, math.inf),
        ratio=(width * d / n, 3, math.inf),
    )
    return 0.07 * finite_width_risk(activation, n, d, width, target, ridge=ridge)

r"""What holds exactly at finite width: ranks, moments, and the loss of gradient descent.

| here | paper | meaning |
|---|---|---|
| `sizes` | $n_0, \dots, n_L$ | layer sizes from the inputs to the outputs |
| `eigenvalues` | | of the kernel K = J J^T |
| `rate` | $\eta$ | of $\theta \leftarrow \theta - \eta J^\top (f - y)$: half a sum of squares |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from ntval.activations import Activation
from ntval.errors import InputError


def num_parameters(sizes: Sequence[int]) -> int:
    r"""$P = \sum_l n_{l-1} n_l$, without biases.

    Source: definition (derived). Accuracy: exact.
    """
    return sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))


def largest_rank(activation: Activation, n: int, sizes: Sequence[int]) -> int:
    r"""The rank of K at n inputs that it cannot exceed: min(n, P), less one direction for each
    hidden neuron where the activation is homogeneous: $P - \sum_l n_l$; d where it is linear.

    Source: spec bombari_amani_mondelli, section 4.2 (derived and checked). A scaling of a neuron's
    incoming weights that its outgoing ones undo leaves the network as it is.
    Accuracy: exact.
    """
    if activation.name == "linear":
        return min(n, sizes[0] * sizes[-1])
    free = num_parameters(sizes)
    if activation.homogeneity is not None:
        free -= sum(sizes[1:-1])
    return min(n, free)


# What is put beside each input.
Pairs = Literal["repeated", "antipodal", "doubled"]


def rank_of_pairs(
    activation: Activation, pairs: Pairs, count: int, d: int, hidden_layers: int
) -> int:
    r"""Rank of the kernel at `count` generic inputs x and, beside each, x again, -x, or 2 x, of a
    network without biases that has more parameters than that.

    Repeated inputs repeat their gradients. So do antipodal ones up to sign where $\phi$ is odd or
    even. With $\phi(u) - \phi(-u) = c u$ and one hidden layer the difference of two gradients is
    linear in x: such differences span d directions. A homogeneous $\phi$ makes the gradient at 2 x
    twice that at x.

    Source: spec bombari_amani_mondelli, section 6 (derived and checked). Accuracy: exact, for
    weights in general position.
    Raises: `InputError` for antipodal inputs and one hidden layer of an activation that is none of
    these.
    """
    if pairs == "repeated":
        return count
    if pairs == "doubled":
        return count if activation.homogeneity == 1 else 2 * count
    if activation.parity != 0:
        return count
    if hidden_layers > 1:
        return 2 * count
    u = np.array([0.3, 0.7, 1.9])
    odd = (activation.fn(u) - activation.fn(-u)) / u
    if np.ptp(odd) > 1e-12:
        raise InputError(
            f"rank_of_pairs needs, for antipodal inputs and one hidden layer, an activation that "
            f"is odd, even, or linear in its odd part, got {activation.name!r}."
        )
    return count + min(count, d)


def relative_second_moment(widths: Sequence[int]) -> float:
    r"""$E K^2 / (E K)^2 = \prod_l (1 + 5 / n_l)$ of K(x, x) of the last layer of a ReLU network
    with He's initialization and no biases, at any depth and any widths $n_l$ of hidden layers.

    $|f_l|^2$ given $f_{l-1}$ is $|f_{l-1}|^2$ times a mean of $n_l$ independent squares
    $2 \max(g, 0)^2$, of mean 1 and mean square 6.

    Source: spec, section 8, Y1 (derived and checked). Accuracy: exact.
    """
    return math.prod(1 + 5 / width for width in widths)


def rank_one_probability(angle: float, width: int) -> float:
    r"""$(1 - \theta/\pi)^n + (\theta/\pi)^n$: the probability that the sign features of two inputs
    at angle $\theta$ have rank 1, `width` = n Gaussian neurons of features +1 and -1.

    Source: spec, section 8, Y2 (derived and checked). Accuracy: rounding.
    Raises: `InputError` unless the angle is between 0 and pi.
    """
    if not 0 <= angle <= math.pi:
        raise InputError(f"angle needs to be between 0 and pi, got {angle!r}; use radians.")
    share = angle / math.pi
    return (1 - share) ** width + share**width


def descent_bound(smallest: float, first_loss: float, rate: float, steps: int) -> list[float]:
    r"""$(1 - \eta \lambda_{\min})^{2t}$ times the first loss, t = 0, ..., `steps` - 1: no
    linearized loss lies above it, for $\eta \le 1 / \lambda_{\max}$.

    Source: spec, A13 and C6 (derived). Accuracy: rounding.
    """
    return [first_loss * (1 - rate * smallest) ** (2 * t) for t in range(steps)]

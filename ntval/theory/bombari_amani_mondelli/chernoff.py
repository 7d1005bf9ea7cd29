r"""Sums of independent random positive semidefinite matrices: Chernoff's bounds, both ways, and for
comparison those of Bernstein and Hoeffding, which say less.

| here | Tropp (2012) | meaning |
|---|---|---|
| `smallest` | $\mu_{\min} = \lambda_{\min}(\sum_j E Z_j)$ | of the mean of the sum |
| `largest_term` | $R$, $\|Z_j\| \le R$ surely | no term is larger |
| `failure` | $\delta$ | probability that the bound fails |
"""

from __future__ import annotations

import math

from ntval.errors import InputError
from ntval.theory.levels import bracketed_root


def lower_deviation(ratio: float, n: int, failure: float) -> float:
    r"""The least $\epsilon$ with $n\, e^{-g(\epsilon)\,\mu/R} \le \delta$,
    $g(\epsilon) = \epsilon + (1 - \epsilon) \ln(1 - \epsilon)$ and $\mu / R$ = `ratio`; 1 where
    there is none, which makes the bound 0.

    Source: spec bombari_amani_mondelli, sections 2.3 and 4.6 (derived from Tropp 2012, theorem
    1.1, recalled; checked). Accuracy: 1e-12 absolute.
    Raises: `InputError` unless ratio >= 0, n >= 1 and 0 < failure < 1.
    """
    needed = _needed(ratio, n, failure)
    if needed >= 1 - 1e-12:  # g(1) = 1
        return 1.0

    def excess(epsilon: float) -> float:
        return epsilon + (1 - epsilon) * math.log1p(-epsilon) - needed

    return bracketed_root(excess, 0.0, 1 - 1e-15)


def upper_deviation(ratio: float, failure: float) -> float:
    r"""The least $\epsilon$ with $e^{-h(\epsilon)\,\mu/R} \le \delta$,
    $h(\epsilon) = (1 + \epsilon) \ln(1 + \epsilon) - \epsilon$; infinite at `ratio` = 0.

    No factor n: one direction, fixed before the draw, has to be large.

    Source: as `lower_deviation` (derived and checked). Accuracy: 1e-12 relative.
    Raises: `InputError` unless ratio >= 0 and 0 < failure < 1.
    """
    needed = _needed(ratio, 1, failure)
    if math.isinf(needed):
        return math.inf

    def excess(epsilon: float) -> float:
        return (1 + epsilon) * math.log1p(epsilon) - epsilon - needed

    high = 1.0
    while excess(high) < 0:
        high *= 2
    return bracketed_root(excess, 0.0, high)


def _needed(ratio: float, n: int, failure: float) -> float:
    if not ratio >= 0 or not n >= 1 or not 0 < failure < 1:
        raise InputError(
            f"A bound of Chernoff's needs ratio >= 0, n >= 1 and failure between 0 and 1, got "
            f"ratio={ratio!r}, n={n!r}, failure={failure!r}."
        )
    return math.log(n / failure) / ratio if ratio > 0 else math.inf


def chernoff_lower_bound(smallest: float, largest_term: float, n: int, *, failure: float) -> float:
    r"""$(1 - \epsilon) \mu$: the smallest eigenvalue of a sum of n x n matrices lies below it with
    probability `failure` at most; 0, which says nothing, when $\mu / R \le \ln(n / \delta)$.

    Source: as `lower_deviation` (derived and checked). Accuracy: 1e-12 relative.
    Raises: `InputError` as it.
    """
    if smallest <= 0:
        return 0.0
    return smallest * (1 - lower_deviation(smallest / largest_term, n, failure))


def chernoff_upper_bound(smallest: float, largest_term: float, *, failure: float) -> float:
    r"""$(1 + \epsilon) \mu$: the smallest eigenvalue of the sum lies above it with probability
    `failure` at most.

    Source: as `upper_deviation` (derived and checked). Accuracy: 1e-12 relative.
    Raises: `InputError` as it.
    """
    if smallest <= 0:  # nonnegative terms of mean 0 are 0
        return 0.0
    return smallest * (1 + upper_deviation(smallest / largest_term, failure))


def bernstein_deviation(
    mean_norm: float, largest_term: float, n: int, terms: int, *, failure: float
) -> float:
    r"""t with $P(\|\tfrac1m \sum_j Z_j - E Z\| > t) \le \delta$ for m independent positive
    semidefinite $Z_j$ of one mean, $\|Z_j\| \le R$ and $\|E Z\|$ = `mean_norm`:
    $$t = \Big[\tfrac{R \ell}{3} + \sqrt{(R \ell / 3)^2 + 2 m R \|E Z\|\, \ell}\Big] / m, \qquad
      \ell = \ln(2n / \delta)$$
    The smallest eigenvalue is then within t of its mean's, by Weyl.

    Source: spec bombari_amani_mondelli, section 4.6 (derived from Tropp 2012, recalled; checked).
    Accuracy: rounding. Raises: `InputError` unless n, m >= 1 and 0 < failure < 1.
    """
    _require(n, terms, failure)
    level = math.log(2 * n / failure)
    first = largest_term * level / 3
    return (first + math.sqrt(first**2 + 2 * terms * largest_term * mean_norm * level)) / terms


def hoeffding_deviation(n: int, terms: int, *, failure: float, length: float = 1.0) -> float:
    r"""t with $P(\|\tfrac1m \sum_j Z_j - E Z\| > t) \le \delta$ where each of the $n (n + 1) / 2$
    entries of $Z_j$ lies in an interval of `length` w:
    $t = n w \sqrt{\ln(n (n + 1) / \delta) / 2m}$.

    Source: Hoeffding's inequality of each entry and n times the largest (textbook; derived and
    checked in the spec, section 4.6). Accuracy: rounding. Raises: as `bernstein_deviation`.
    """
    _require(n, terms, failure)
    return n * length * math.sqrt(math.log(n * (n + 1) / failure) / (2 * terms))


def _require(n: int, terms: int, failure: float) -> None:
    if not n >= 1 or not terms >= 1 or not 0 < failure < 1:
        raise InputError(
            f"A deviation of a mean of matrices needs n >= 1, terms >= 1 and failure between 0 and "
            f"1, got n={n!r}, terms={terms!r}, failure={failure!r}."
        )

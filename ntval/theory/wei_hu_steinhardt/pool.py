r"""The omniscient risk with a finite pool in place of the population: Wei, Hu & Steinhardt's
setting on real data.

| here | literature | meaning |
|---|---|---|
| `eigenvalues` | $\lambda_i$ | of $K / M$, K the kernel of all M rows of the pool |
| `energies` | $v_i^2$ | mean square of the labels on the i-th eigenvector, summed over outputs |
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ntval.theory import ridge_equivalents
from ntval.theory.ridge_equivalents import Target, ridge_equivalent


def plug_in_risk(
    eigenvalues: Float[np.ndarray, "M"],
    energies: Float[np.ndarray, "M"],
    n: int,
    *,
    ridge: float,
) -> float:
    r"""The error over the whole pool of a regression on n of its rows, at an absolute ridge:
    $E_0 \sum_i v_i^2 (1 - L_i)^2$.

    The rows that are fitted are among those of the pool: of the error on the other rows alone this
    is short by about n / M.

    Source: omniscient risk (recalled), with the pool as its population; spec, trap T6.
    Accuracy: that of `ridge_equivalent`; how far it is from the error is the claim's.
    Raises: `InputError` on negative arguments.
    """
    equivalent = ridge_equivalent(eigenvalues, np.ones(len(eigenvalues)), n, ridge=ridge)
    return ridge_equivalents.risk(equivalent, Target(tuple(energies.tolist())))


def plug_in_remainder(relative_ridge: float) -> float:
    r"""How far the mean of the error over the pool, over `plug_in_risk`, may lie from 1 on the
    digits: $0.02 (0.001/c)^{1/3}$.

    Source: measured, 30 splits at each of n = 200, 250, 300, 400 and ridges c = 0.001, 0.003, 0.01,
    0.1: at most 0.014, 0.009, 0.005, 0.001, with standard errors of 0.003 to 0.001.
    """
    return 0.02 * (1e-3 / relative_ridge) ** (1 / 3)

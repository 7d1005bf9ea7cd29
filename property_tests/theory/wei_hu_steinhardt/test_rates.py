"""How far GCV and risk lie apart: against a simulation of single labels."""

import numpy as np
import pytest

from ntval.theory import wei_hu_steinhardt as theory

N, FEATURES, DRAWS = 60, 160, 1000


@pytest.mark.parametrize("ridge", [0.1, 3.0])
def test_the_square_error_of_gcv_has_the_mean_that_is_derived(ridge):
    rng = np.random.default_rng(0)
    levels, shares = theory.power_law(FEATURES, 1.5), theory.power_law(FEATURES, 1.5)
    size = np.sqrt(shares / shares.sum() / levels)
    found = []
    for _ in range(DRAWS):
        x = rng.standard_normal((N, FEATURES)) * np.sqrt(levels)
        target = size * rng.choice([-1.0, 1.0], FEATURES)
        inverse = np.linalg.inv(x @ x.T + ridge * np.eye(N))
        dual = inverse @ (x @ target + 0.5 * rng.standard_normal(N))
        risk = levels @ (x.T @ dual - target) ** 2 + 0.25
        gcv = (dual**2).mean() / np.diag(inverse).mean() ** 2
        found.append(N * (gcv / risk - 1) ** 2)
    fields = {"decay": 1.5, "ridge": ridge}
    allowed = 5 * np.std(found) / np.sqrt(DRAWS)
    allowed += theory.gcv_rate_remainder(N, FEATURES, **fields)
    assert abs(np.mean(found) - theory.gcv_rate(N, FEATURES, **fields)) <= allowed


def test_with_a_large_ridge_errors_are_independent():
    # Nothing is learned, and GCV is the mean of n squares of labels.
    assert abs(theory.gcv_rate(50, 100, decay=1.5, ridge=1e6) - 2) <= 1e-4

"""A remainder that was measured is refused where it was not."""

import numpy as np
import pytest

from ntval.activations import activation
from ntval.claims.catalogue import CLAIMS
from ntval.claims.procedures import Means, value_of
from ntval.errors import InputError
from ntval.theory import montanari_zhong as theory

SIN, RELU = activation("sin"), activation("relu")


@pytest.mark.parametrize(
    ("refused", "way_out"),
    [
        (lambda: theory.concentration_remainder(SIN, 240, 60, 64), "relu, tanh, gelu"),
        (lambda: theory.concentration_remainder(RELU, 60, 60, 64), "ratio between 2"),
        (lambda: theory.concentration_remainder(RELU, 240, 60, 16), "width between 32"),
        (lambda: theory.smallest_outlier_remainder(activation("softplus"), 240, 40), "softplus"),
        (lambda: theory.largest_bulk_eigenvalue_remainder(RELU, 400, 40), "ratio between 3 and 8"),
        (lambda: theory.expected_min_eigenvalue_remainder(SIN, 50, 200), "got 'sin'"),
        (lambda: theory.finite_width_min_eigenvalue_remainder(SIN, 200, 20, 20), "sin"),
        (lambda: theory.finite_width_min_eigenvalue_remainder(RELU, 100, 20, 8), "width between"),
        (lambda: theory.min_eigenvalue_limit_remainder(SIN, [(48, 16)]), "relu, gelu"),
        (lambda: theory.min_eigenvalue_limit_remainder(RELU, [(160, 16)]), "ratio between 2"),
        (
            lambda: theory.linear_target_risk_remainder(SIN, 120, 40, ridge=0.1, noise_std=0.5),
            "got 'sin'",
        ),
    ],
)
def test_a_remainder_is_refused_where_it_was_not_measured(refused, way_out):
    with pytest.raises(InputError, match=way_out):
        refused()


@pytest.mark.parametrize(
    "claim",
    [claim for claim in CLAIMS.values() if isinstance(claim.procedure, Means)],
    ids=lambda claim: claim.name,
)
def test_every_point_of_a_claim_lies_where_its_remainder_was_measured(claim):
    procedure = claim.procedure
    for point in {point for points in claim.points.values() for point in points}:
        assert np.isfinite(value_of(procedure.remainder, procedure.at(point))).all()

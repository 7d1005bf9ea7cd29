"""Entries of a Gram matrix: their scale bounds them, their places and names belong together."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.front.strategies import positive_definite
from ntval.observables.entries import entry_labels, entry_scale, upper_triangle


@given(matrix=st.sampled_from([2, 5, 9]).flatmap(positive_definite))
def test_the_scale_bounds_the_entries_of_a_positive_definite_matrix(matrix):
    scale = entry_scale(np.diag(matrix))
    # A product and a root; the matrix is positive definite by more than its own rounding.
    assert (np.abs(matrix) <= scale * (1 + rounding_allowance(3))).all()


def test_the_scale_is_the_root_of_the_product_of_two_diagonals():
    first, second = np.array([4.0, 9.0]), np.array([1.0, 16.0, 0.0])
    expected = [[2.0, 8.0, 0.0], [3.0, 12.0, 0.0]]
    assert entry_scale(first, second).tolist() == expected  # roots of squares are exact
    assert entry_scale(first).tolist() == [[4.0, 6.0], [6.0, 9.0]]
    assert isinstance(entry_scale(first), np.ndarray)
    assert not isinstance(entry_scale(jnp.asarray(first)), np.ndarray)


def test_a_diagonal_that_rounding_made_negative_has_no_scale_beside_another():
    assert entry_scale(np.array([-1e-20, 4.0])).tolist() == [[1e-20, 0.0], [0.0, 4.0]]


@pytest.mark.parametrize("n", [1, 3, 12])
def test_places_and_names_of_entries_belong_together(n):
    rows, columns = upper_triangle(n)
    labels = entry_labels(n)
    assert len(rows) == len(columns) == len(labels) == len(set(labels)) == n * (n + 1) // 2
    assert (rows <= columns).all()
    assert labels == tuple(f"K[{i}, {j}]" for i in range(n) for j in range(i, n))
    assert [f"K[{i}, {j}]" for i, j in zip(rows, columns, strict=True)] == list(labels)

"""Inequalities between smallest eigenvalues, on matrices made to break them: duplicates, zero rows,
rank deficiency, entries from 1e-8 to 1e8. Hypothesis shrinks what it finds."""

from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.observables import spectra

SIZES = st.integers(1, 6)


@st.composite
def gram_matrices(draw, size=None):
    """X X^T for X of whole numbers, rows repeated, opposite, zero, or scaled by powers of ten."""
    n = draw(SIZES if size is None else st.just(size))
    rank = draw(st.integers(1, 4))
    row = st.lists(st.integers(-3, 3), min_size=rank, max_size=rank)
    pool = draw(st.lists(row, min_size=1, max_size=3))
    scales = st.sampled_from((1.0, -1.0, 0.0, 1e-8, 1e-4, 1e4, 1e8))
    rows = [np.array(draw(st.sampled_from(pool)), dtype=float) * draw(scales) for _ in range(n)]
    return np.array(rows) @ np.array(rows).T


def pairs():
    return SIZES.flatmap(lambda n: st.tuples(gram_matrices(n), gram_matrices(n)))


def smallest(matrix):
    """The smallest eigenvalue of any symmetric matrix, a zero matrix among them."""
    return spectra.min_eigenvalue(matrix) if np.trace(matrix) > 0 else 0.0


def rounding(*matrices):
    """What eigenvalues of matrices, and of their sums and products, may be off by: n roundings of
    the norm, of which the trace is more."""
    n = len(matrices[0])
    return rounding_allowance(40 * n) * sum(float(np.trace(np.abs(m))) for m in matrices)


@given(pair=pairs())
def test_weyl_smallest_eigenvalues_are_superadditive(pair):
    left, right = pair
    assert smallest(left + right) >= smallest(left) + smallest(right) - rounding(left, right)


@given(pair=pairs())
def test_weyl_a_rank_one_update_moves_it_no_further_than_to_the_next(pair):
    matrix, other = pair
    update = np.outer(other[0], other[0])
    second = np.sort(np.linalg.eigvalsh(matrix))[: 2 if len(matrix) > 1 else 1][-1]
    allowed = rounding(matrix, update)
    least = smallest(matrix + update)
    assert least >= smallest(matrix) - allowed
    if len(matrix) > 1:
        assert least <= second + allowed


@given(pair=pairs())
def test_schur_product_keeps_the_smallest_diagonal_entry_s_share(pair):
    left, right = pair
    product = left * right
    bound = smallest(left) * np.diag(right).min()
    allowed = rounding(product) + rounding(left) * np.diag(right).max()
    assert smallest(product) >= bound - allowed


@given(matrix=gram_matrices())
@example(matrix=np.array([[2.0, 1.0], [1.0, 2.0]]))
def test_gershgorin_s_disks_hold_it(matrix):
    radii = np.abs(matrix).sum(axis=1) - np.abs(np.diag(matrix))
    assert smallest(matrix) >= (np.diag(matrix) - radii).min() - rounding(matrix)


@given(matrix=gram_matrices())
def test_a_smaller_matrix_interlaces(matrix):
    if len(matrix) < 2:
        return
    least, second = np.sort(np.linalg.eigvalsh(matrix))[:2]
    for left_out in range(len(matrix)):
        kept = np.delete(np.delete(matrix, left_out, 0), left_out, 1)
        allowed = rounding(matrix)
        assert least - allowed <= smallest(kept) <= second + allowed


@given(matrix=gram_matrices(), exponent=st.integers(-100, 100))
def test_it_scales_with_the_matrix(matrix, exponent):
    scaled = matrix * 2.0**exponent  # exact
    expected = smallest(matrix) * 2.0**exponent
    assert abs(smallest(scaled) - expected) <= rounding(scaled)


def semidefinite(matrix):
    """Whether a symmetric matrix of fractions has no negative eigenvalue: elimination, exactly."""
    rows = [list(row) for row in matrix]
    while rows:
        place = next((i for i, row in enumerate(rows) if row[i] != 0), None)
        if place is None:  # a zero diagonal allows zeros alone
            return all(entry == 0 for row in rows for entry in row)
        pivot = rows[place]
        if pivot[place] < 0:
            return False
        rest = [i for i in range(len(rows)) if i != place]
        rows = [[rows[i][j] - rows[i][place] * pivot[j] / pivot[place] for j in rest] for i in rest]
    return True


def shifted(matrix, shift):
    """matrix - shift I, in fractions."""
    return [
        [Fraction(float(entry)) - (shift if i == j else 0) for j, entry in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


@given(
    lower=st.integers(1, 5).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(-9, 9), min_size=n, max_size=n), min_size=n, max_size=n
        )
    )
)
@example(lower=[[1, 0], [1, 0]])
@example(lower=[[0]])
def test_certificate_and_value_enclose_the_exact_one_of_whole_numbers(lower):
    matrix = np.tril(np.array(lower, dtype=float))
    matrix = matrix + np.tril(matrix, -1).T
    certified = Fraction(spectra.certified_min_eigenvalue(matrix))
    assert semidefinite(shifted(matrix, certified))  # certified <= the smallest, exactly
    value = float(np.linalg.eigvalsh(matrix)[0])
    if np.trace(matrix) > 0:
        value = spectra.min_eigenvalue(matrix)
    allowed = Fraction(rounding_allowance(40 * len(matrix)) * max(np.abs(matrix).sum(), 1.0))
    assert semidefinite(shifted(matrix, Fraction(value) - allowed))  # and so is the value, nearly,
    assert not semidefinite(shifted(matrix, Fraction(value) + allowed))  # and no smaller than it


def test_elimination_tells_signs():
    assert semidefinite(shifted(np.array([[1.0, 1.0], [1.0, 1.0]]), 0))
    assert not semidefinite(shifted(np.array([[0.0, 1.0], [1.0, 0.0]]), 0))
    assert not semidefinite(shifted(np.array([[1.0, 1.0], [1.0, 1.0]]), Fraction(1, 10**30)))

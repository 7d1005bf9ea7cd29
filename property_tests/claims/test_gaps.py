"""The inputs at which a mean kernel is examined: all, those that stand out first."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from ntval import Verdict
from ntval.arrays import float64, rounding_allowance
from ntval.claims.kernel_identities import mean_kernel, nngp_kernel
from ntval.claims.kernel_identities.gaps import _standing_out, gap_labels, pool_of
from ntval.kernels import analytic
from ntval.regimes import Regime
from ntval.subjects.mlp import mlp_subject

ROWS = np.random.default_rng(0).standard_normal((40, 8))
REGIME = Regime(n=6, d=8, widths=(128,), activation="relu")


def subject_at(rows, change=lambda gram, x1, x2: gram):
    """Our network at these rows, with a twin whose kernel is changed."""
    subject = mlp_subject(REGIME, kernel_fn=analytic.kernel_fn)
    right = subject.network.kernel_fn

    def twin(x1, x2=None, get="ntk"):
        return change(
            np.asarray(right(x1, x2, get)), np.asarray(x1), np.asarray(x1 if x2 is None else x2)
        )

    return replace(
        subject,
        network=replace(subject.network, kernel_fn=twin),
        inputs=lambda key, n: jax.numpy.asarray(rows[:n]),
        any_input=False,
        num_inputs=len(rows),
    )


def verdict(claim, subject):
    return replace(claim, subject=lambda point: subject).check(0, REGIME).decision


def test_the_farthest_the_nearest_the_longest_and_the_shortest_come_first():
    rows = ROWS.copy()
    rows[[7, 30]] = rows[3], -rows[5]  # equal to another, and opposite to one
    rows[21] = rows[20] + 0.01 * rows[0]
    rows[11] *= 5
    rows[33] *= 0.1
    order = list(_standing_out(rows))
    assert order[:6] == [5, 30, 20, 21, 11, 33]
    assert sorted(order) == list(range(40))


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[:2], np.zeros((3, 8)), np.ones((4, 8))])
def test_few_equal_and_zero_rows_have_an_order(rows):
    assert sorted(_standing_out(rows)) == list(range(len(rows)))


def test_inputs_of_our_choosing_have_an_opposite_and_a_near_one():
    subject = mlp_subject(REGIME, kernel_fn=analytic.kernel_fn)
    with float64():
        x = np.asarray(pool_of(jax.random.key(3), REGIME, subject).x)
    cosines = cosine(x[:4], x[:4]) - 2 * np.eye(4)
    np.testing.assert_allclose(cosines[0, 1], -1, rtol=rounding_allowance(20))
    # 0.05 of the way to another input: 0.1 radii away at most.
    assert cosines.max() > 1 - 0.1**2 / 2 / 0.9


def test_a_users_data_is_examined_as_it_is():
    with float64():
        pool = pool_of(jax.random.key(3), REGIME, subject_at(ROWS))
    assert sorted(map(tuple, np.asarray(pool.x))) == sorted(map(tuple, ROWS))


OFF = {
    "in the second half of the rows": lambda gram, x1, x2: (
        gram * (1 + 0.5 * (x1[:, :1] > 0) * (x2[:, 0] > 0))
    ),
    "at the two farthest apart": lambda gram, x1, x2: np.where(
        cosine(x1, x2) <= cosine(ROWS, ROWS).min() + 1e-9, gram + lengths(x1, x2) / 8, gram
    ),
}


def lengths(x1, x2):
    return np.linalg.norm(x1, axis=1)[:, None] * np.linalg.norm(x2, axis=1)


def cosine(x1, x2):
    return x1 @ x2.T / lengths(x1, x2)


@pytest.mark.parametrize("where", OFF)
def test_a_twin_that_is_off_somewhere_is_refuted(where):
    assert verdict(mean_kernel, subject_at(ROWS, OFF[where])).verdict is Verdict.REFUTED


def test_a_twin_that_is_off_beyond_those_that_stand_out_is_refuted_by_random_pairs():
    with float64():
        first = np.asarray(pool_of(jax.random.key(3), REGIME, subject_at(ROWS)).x[:6])
    known = {tuple(row) for row in first}

    def change(gram, x1, x2):
        factors = [np.array([1.0 if tuple(r) in known else 1.2 for r in x]) for x in (x1, x2)]
        return gram * factors[0][:, None] * factors[1]

    decision = verdict(mean_kernel, subject_at(ROWS, change))
    assert decision.verdict is Verdict.REFUTED
    assert decision.details["where"] in gap_labels(REGIME)[-3:]


def test_one_input_has_a_mean_kernel():
    point = replace(REGIME, n=1)
    claim = replace(mean_kernel, subject=lambda point: subject_at(ROWS[:1]))
    assert claim.check(0, point).decision.verdict is Verdict.SUPPORTED


def test_an_ntk_for_the_nngp_is_refuted_and_the_right_one_supported():
    right = subject_at(ROWS)
    kernel_fn = right.network.kernel_fn
    wrong = replace(right.network, kernel_fn=lambda x1, x2=None, get="ntk": kernel_fn(x1, x2))
    assert verdict(nngp_kernel, right).verdict is Verdict.SUPPORTED
    assert verdict(nngp_kernel, replace(right, network=wrong)).verdict is Verdict.REFUTED

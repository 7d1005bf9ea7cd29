"""Exact laws at finite width against drawn networks."""

import math

import jax
import numpy as np
import pytest
from simulation import interval

from ntval.activations import activation
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.kernels import deep_mlp
from ntval.networks.mlp import Mlp, init
from ntval.theory import bombari_amani_mondelli as theory


@pytest.mark.parametrize(
    ("name", "sizes", "n", "rank"),
    [
        *[("relu", (6, 8, 1), 76, 48), ("tanh", (6, 8, 1), 76, 56), ("linear", (6, 8, 1), 20, 6)],
        *[("tanh", (8, 8, 8, 1), 130, 130), ("relu", (6, 5, 4, 1), 30, 30)],
    ],
)
def test_ranks_are_those_of_drawn_kernels(name, sizes, n, rank):
    assert theory.largest_rank(activation(name), n, sizes) == rank
    mlp = Mlp(sizes[0], sizes[1:-1], name, b_std=0.0)
    best = 0
    for seed in range(4):
        key = jax.random.key(seed)
        x = np.random.default_rng(seed).standard_normal((n, sizes[0]))
        values = np.linalg.eigvalsh(np.asarray(deep_mlp.ntk(mlp, init(mlp, key), x)))
        best = max(best, int((values > 1e-12 * values[-1]).sum()))
    # Dead units take directions away; no draw has more.
    assert best <= rank
    assert best >= rank - (3 if name == "relu" else 0)


@pytest.mark.parametrize(
    ("name", "pairs", "layers", "rank"),
    [
        ("relu", "repeated", 1, 9),
        ("relu", "doubled", 2, 9),
        ("gelu", "doubled", 1, 18),
        ("tanh", "antipodal", 2, 9),
        ("cos", "antipodal", 1, 9),
        ("relu", "antipodal", 1, 14),  # 9 pairs and 5 dimensions
        ("gelu", "antipodal", 1, 14),
        ("relu", "antipodal", 2, 18),
    ],
)
def test_ranks_at_pairs_are_those_of_drawn_kernels(name, pairs, layers, rank):
    assert theory.rank_of_pairs(activation(name), pairs, 9, 5, layers) == rank
    mlp = Mlp(5, (40,) * layers, name, w_std=1.0, b_std=0.0)
    x = np.random.default_rng(0).standard_normal((9, 5))
    x = np.concatenate([x, {"repeated": 1, "doubled": 2, "antipodal": -1}[pairs] * x])
    values = np.linalg.eigvalsh(np.asarray(deep_mlp.ntk(mlp, init(mlp, jax.random.key(0)), x)))
    assert (values > 1e-12 * values[-1]).sum() == rank


def test_antipodes_of_an_activation_without_symmetry_are_refused():
    with pytest.raises(InputError, match="odd, even, or linear in its odd part"):
        theory.rank_of_pairs(activation("sigmoid"), "antipodal", 3, 5, 1)


@pytest.mark.parametrize("widths", [(10, 10, 10), (20, 20), (5,)])
def test_second_moments_are_those_of_drawn_networks(widths):
    rng, draws = np.random.default_rng(0), 40_000
    features = np.zeros((draws, 7))
    features[:, 0] = 1.0
    for width in widths:
        fan_in = features.shape[1]
        weights = rng.standard_normal((draws, fan_in, width)) * math.sqrt(2 / fan_in)
        if fan_in == 7:  # |x|^2 = d
            features = features * math.sqrt(fan_in)
        features = np.maximum(np.einsum("ti,tij->tj", features, weights), 0.0)
    kernel = (features**2).sum(axis=1)
    mean, _ = interval(kernel)
    square, allowed = interval((kernel / mean) ** 2)
    # That the mean is estimated too moves the ratio by as much again.
    assert abs(square - theory.relative_second_moment(widths)) <= 2 * allowed


@pytest.mark.parametrize("width", [1, 5, 20])
@pytest.mark.parametrize("angle", [0.0, 0.3, 2.0, math.pi])
def test_rank_one_probabilities_are_shares_of_draws(angle, width):
    rng, draws = np.random.default_rng(0), 20_000
    pair = np.array([[1.0, 0.0], [math.cos(angle), math.sin(angle)]])
    signs = np.sign(np.einsum("tjd,id->tij", rng.standard_normal((draws, width, 2)), pair))
    one = np.abs(np.einsum("tj,tj->t", signs[:, 0], signs[:, 1])) == width
    expected = theory.rank_one_probability(angle, width)
    allowed = 5 * math.sqrt(expected * (1 - expected) / draws) + 5 / draws
    assert abs(one.mean() - expected) <= allowed


def test_linear_descent_stays_below_its_bound():
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((12, 30))
    kernel, residual = factor @ factor.T, rng.standard_normal(12)
    values, vectors = np.linalg.eigh(kernel)
    rate, steps = 1 / values[-1], 50
    residuals = theory.descent_residuals(values, vectors.T @ residual, rate, steps - 1)
    losses = (residuals**2).sum(axis=1)
    run = []
    for _ in range(steps):
        run.append(residual @ residual)
        residual = residual - rate * kernel @ residual
    # A step has n products a row, and the eigenbasis n roundings more: relative to the first loss.
    rounding = rounding_allowance(50 * 4 * 12 * 12) * run[0]
    np.testing.assert_allclose(losses, run, rtol=0, atol=rounding)
    bound = theory.descent_bound(values[0], run[0], rate, steps)
    assert (np.array(run) <= np.array(bound) * (1 + 1e-12)).all()
    assert theory.num_parameters((6, 5, 4, 1)) == 54

"""Laws of inputs."""

import jax
import numpy as np
import pytest

from ntval.data.laws import LAWS, sampler
from ntval.errors import UnknownNameError
from ntval.regimes import INPUT_LAWS

N, D = 4000, 12


def test_a_regime_may_name_each_of_them():
    assert tuple(LAWS) == INPUT_LAWS


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_mean_square_norm_is_d_times_the_square_of_the_scale(law, scale):
    # Norms of one call share a subspace or centres, so several calls are averaged.
    draw = sampler(law, D, scale=scale)
    means = np.array(
        [(np.asarray(draw(jax.random.key(i), N)) ** 2).sum(axis=1).mean() for i in range(30)]
    )
    error = means.std(ddof=1) / np.sqrt(len(means))
    exact = law in ("sphere", "cube")
    allowed = N * np.finfo(float).eps * D * scale**2 if exact else 6 * error
    assert abs(means.mean() - D * scale**2) <= allowed


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("d", [1, 2, 3, 50])
def test_every_dimension_and_number_of_inputs_has_finite_inputs(law, d):
    for n in (1, 5):
        x = np.asarray(sampler(law, d)(jax.random.key(0), n))
        assert x.shape == (n, d)
        assert np.isfinite(x).all()


def test_low_rank_inputs_have_few_large_directions_and_clustered_ones_few_places():
    low = np.linalg.svd(np.asarray(sampler("low_rank", D)(jax.random.key(0), N)))[1]
    assert low[D // 4 - 1] > 3 * low[D // 4]
    x = np.asarray(sampler("clustered", D)(jax.random.key(0), 200))
    nearest = np.sort(((x[:, None] - x) ** 2).sum(axis=2), axis=1)[:, 1:20].max(axis=1)
    assert (nearest < D).all()  # the mean square distance of independent inputs is 2 d


def test_an_unknown_law_is_named():
    with pytest.raises(UnknownNameError, match="sphere"):
        sampler("spheer", 3)

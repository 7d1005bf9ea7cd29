"""Kernels of pretrained networks: kept, and made anew when anything changes."""

import numpy as np
import pytest

from ntval.data import sources
from ntval.networks import efficientnet_lite
from ntval.subjects import pretrained

IMAGES = np.random.default_rng(0).random((3, 32, 32, 3)).astype(np.float32)


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """An empty cache, and the number of kernels that were made."""
    made = []
    ntk = pretrained.layerwise.ntk

    def count(*args, **options):
        made.append(args)
        return ntk(*args, **options)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained.layerwise, "ntk", count)
    return made


def test_a_kernel_is_made_once_for_the_same_weights_and_inputs(counted):
    first = pretrained.efficientnet_gram(IMAGES, pretrained.RANDOM)
    again = pretrained.efficientnet_gram(IMAGES, pretrained.RANDOM)
    assert len(counted) == 1
    assert np.array_equal(first, again)  # to the bit: a copy
    pretrained.efficientnet_gram(IMAGES[:2], pretrained.RANDOM)
    assert len(counted) == 2


def test_a_damaged_kernel_is_made_anew(counted):
    first = pretrained.efficientnet_gram(IMAGES, pretrained.RANDOM)
    (path,) = (sources.cache_directory() / "kernels").iterdir()
    for content in (b"", path.read_bytes()[:-8], b"no array"):
        path.write_bytes(content)
        again = pretrained.efficientnet_gram(IMAGES, pretrained.RANDOM)
        assert np.abs(again - first).max() <= 1e-6 * np.abs(first).max()  # float32 in the blocks
    assert len(counted) == 4


def test_the_kernel_is_that_of_the_last_layers_gradients(counted):
    import jax

    state = efficientnet_lite.random_weights()
    found = pretrained.efficientnet_gram(IMAGES, pretrained.RANDOM)
    features = np.asarray(efficientnet_lite.body(state, IMAGES))
    params = efficientnet_lite.last_params(state, *pretrained._top(efficientnet_lite.WIDTH))
    rows = []
    for x in features:
        gradient = jax.grad(lambda p, x=x: efficientnet_lite.last(state, p, x)[0])(params)
        rows.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]))
    exact = np.array([[a @ b for b in rows] for a in rows])
    # The test's side is float32: sums of 320 and 1280 products, and of 413,441.
    assert np.abs(found - exact).max() <= 1e-3 * np.abs(exact).max()

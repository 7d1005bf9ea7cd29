"""EfficientNet-Lite0: what it says of two photographs, and its parts."""

import numpy as np
import pytest

from ntval.data import sources
from ntval.networks import efficientnet_lite

WEIGHTS = pytest.mark.skipif(
    not sources.present("efficientnet_lite0"),
    reason=str(sources.absent_words("efficientnet_lite0")),
)


def photographs():
    """The two photographs of scikit-learn, the middle of each, 224x224."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    found = []
    for image in load_sample_images().images:
        height, width, _ = image.shape
        left = (width - height) // 2
        middle = Image.fromarray(image[:, left : left + height])
        found.append(np.asarray(middle.resize((224, 224), Image.Resampling.BICUBIC)) / 255.0)
    return np.stack(found).astype(np.float32)


@WEIGHTS
def test_it_knows_a_palace_and_a_daisy():
    pytest.importorskip("PIL")
    state = efficientnet_lite.pretrained()
    found = np.asarray(efficientnet_lite.probabilities(state, photographs()))
    assert found.argmax(axis=1).tolist() == [698, 985]
    # The spec gives 0.33 and 0.21 for another way to shrink the photographs.
    assert (np.abs(found.max(axis=1) - [0.33, 0.21]) < 0.05).all()


@WEIGHTS
def test_its_weights_have_the_shapes_of_the_architecture_and_no_others():
    state = efficientnet_lite.pretrained()
    sizes = {name: array.size for name, array in state.items() if "running" not in name}
    assert sum(sizes.values()) == 4_652_008


def test_the_last_layers_have_as_many_parameters_as_the_specification_says():
    state = efficientnet_lite.random_weights()
    params = efficientnet_lite.last_params(state, np.zeros((1280, 1)), np.zeros(1))
    assert sum(array.size for array in params.values()) == 413_441


def test_random_weights_keep_images_apart_and_the_same_seed_gives_the_same():
    state = efficientnet_lite.random_weights(3)
    images = np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)
    found = np.asarray(efficientnet_lite.body(state, images))
    assert found.shape == (2, 1, efficientnet_lite.BODY)
    assert np.isfinite(found).all()
    assert not np.allclose(found[0], found[1])
    again = efficientnet_lite.random_weights(3)
    assert all(np.array_equal(state[name], again[name]) for name in state)

"""Labels as people have them become targets, or are refused in one line."""

import numpy as np
import pytest

from ntval.data.labels import targets_of
from ntval.errors import InputError

DIGITS = np.arange(60) % 10


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (DIGITS, None),
        (DIGITS.astype(np.uint8), None),
        (DIGITS.astype(float), True),
        (np.array(list("abcdefghij"))[DIGITS], None),
        (np.array(list("abcdefghij"), dtype=object)[DIGITS], None),
        (DIGITS.astype(object), None),
        (DIGITS.tolist(), None),
    ],
)
def test_classes_are_one_hot_less_their_share(y, classes):
    targets = targets_of(y, 60, classes=classes)
    assert len(targets.classes) == 10
    assert np.abs(targets.values.sum(axis=1)).max() <= 1e-15
    assert (targets.values.argmax(axis=1) == DIGITS).all()
    assert np.unique(targets.values).tolist() == [-0.1, 0.9]


@pytest.mark.parametrize(
    ("y", "classes", "outputs"),
    [
        (np.linspace(0, 1, 60), None, 1),
        (np.linspace(0, 1, 120).reshape(60, 2), None, 2),
        (DIGITS.astype(float), False, 1),
        (DIGITS, False, 1),
        (np.arange(60.0), None, 1),
        (DIGITS.reshape(60, 1), None, 1),
        (np.linspace(0, 1, 60).astype(np.float32), None, 1),
        (np.linspace(0, 1, 60).astype(object), None, 1),  # as a column of a table may be
    ],
)
def test_numbers_stay_numbers(y, classes, outputs):
    targets = targets_of(y, 60, classes=classes)
    assert targets.classes is None
    assert targets.values.shape == (60, outputs)
    assert (targets.values == np.asarray(y).reshape(60, outputs)).all()


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (DIGITS[:-1], None, "y needs shape .60,."),
        (DIGITS.astype(float), None, "10 distinct whole numbers as floats; say classes=True"),
        (np.where(DIGITS > 4, 1.0, -1.0), None, "2 distinct whole numbers as floats"),
        (np.arange(60), None, "60 distinct whole numbers in 60 samples; say classes=False"),
        (DIGITS * 0, None, "two classes or more, got 0 alone"),
        (DIGITS * np.nan, None, "y needs finite entries"),
        (DIGITS * np.nan, True, "y needs finite entries"),
        (np.zeros((60, 2, 2)), None, "y needs shape"),
        (np.eye(60)[:, :3], True, "one class a sample"),
        (np.array([1, "a"] * 30, dtype=object), None, "classes of one kind"),
        (DIGITS + 1j, None, "floating-point"),
    ],
)
def test_what_is_no_label_is_refused_in_one_line(y, classes, message):
    with pytest.raises(InputError, match=message) as caught:
        targets_of(y, 60, classes=classes)
    assert "\n" not in str(caught.value)


def test_as_many_names_as_samples_are_no_classes():
    with pytest.raises(InputError, match="numbers to predict, pass"):
        targets_of([f"{number:.4f}" for number in np.linspace(0, 1, 60)], 60)
    assert targets_of(["a", "b"], 2).classes == ("a", "b")

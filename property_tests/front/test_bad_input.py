"""What `check_network` cannot use is refused in one line that says what is wrong."""

import jax
import numpy as np
import pytest
from small_networks import X, drawn, tanh_mlp, weights

import ntval
from ntval.errors import InputError
from ntval.front.check_network import check_network

pytestmark = pytest.mark.usefixtures("as_users_run_it")


def raises(*_):
    raise KeyError("weights")


GRAM = {"model": X @ X.T, "x": X}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": 3}, "network needs a Network"),
        ({"model": tanh_mlp, "params": weights(4), "x": X[0]}, "x needs shape"),
        ({"model": tanh_mlp, "params": weights(4), "x": X * np.nan}, "x needs finite"),
        ({"model": tanh_mlp, "params": weights(4), "x": X[[0, 0, 1]]}, "x needs distinct rows"),
        ({"model": tanh_mlp, "params": weights(4), "x": X[:, :3]}, "needs to take inputs"),
        ({"model": tanh_mlp, "params": weights(4), "y": X[:, 0]}, "y needs x"),
        ({"model": tanh_mlp, "params": weights(4), "x": X, "y": X}, "y needs shape"),
        ({"model": X}, "model needs a Gram matrix"),
        ({"model": np.eye(3), "kernel_fn": np.eye(4)}, "kernel_fn needs to give"),
        ({"model": np.eye(3), "kernel_fn": lambda x1, x2: x1}, "kernel_fn needs x"),
        (
            {**GRAM, "kernel_fn": raises},
            "kernel_fn needs a function kernel_fn.* shape .40, 6.*KeyError",
        ),
        ({**GRAM, "kernel_fn": lambda x1, x2: None}, "kernel_fn needs a numeric array"),
        ({**GRAM, "kernel_fn": lambda x1, x2: [[1.0], []]}, "kernel_fn needs one array"),
        ({"model": np.eye(3), "params": weights(4)}, "has no params"),
        ({"model": np.eye(3), "alpha": 2.0}, "alpha needs"),
        ({"model": np.eye(3), "alpha": None}, "alpha needs"),
        ({"model": np.eye(3), "seed": -1}, "seed needs a whole number from 0"),
        ({"model": np.eye(3), "seed": 1.0}, "seed needs"),
        ({"model": np.eye(3), "seed": True}, "seed needs"),
        ({"model": np.eye(3), "profile": "swift"}, "profile"),
        ({"model": np.eye(3), "on_fail": "ignore"}, "on_fail needs 'raise', 'warn' or 'return'"),
        ({"model": np.eye(3), "claims": ["simmetry"]}, "symmetry"),
        ({"model": tanh_mlp, "x": X, "init": drawn, "widths": (4, 8)}, "widths needs"),
        ({"model": tanh_mlp, "x": X, "init": drawn, "widths": "abcd"}, "widths needs"),
        ({"model": tanh_mlp, "x": X, "init": raises}, "init needs a function .* KeyError"),
        ({"model": tanh_mlp, "params": weights(4), "x": X, "kernel_fn": 3}, "kernel_fn needs"),
    ],
)
def test_bad_input_ends_in_one_line_that_says_what_is_wrong(given, message):
    with pytest.raises(ntval.errors.NtvalError, match=message) as caught:
        check_network(**given)
    assert "\n" not in str(caught.value)


LABELS = np.zeros(len(X))


@pytest.mark.parametrize("y", [LABELS, LABELS.tolist(), LABELS.astype(int), LABELS.astype(bool)])
def test_targets_are_numbers_of_any_kind(y):
    run = check_network(tanh_mlp, weights(4), X, y, claims=["symmetry"])
    assert not run.refuted


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (LABELS.astype(str), "y needs floating-point entries, got dtype <U32"),
        (LABELS + 1j, "y needs floating-point entries, got dtype complex128"),
        (LABELS.astype(object), "y needs a numeric array"),
        (LABELS.astype("M8[s]"), "y needs floating-point entries"),
        (LABELS * np.nan, "y needs finite entries, got nan"),
        (LABELS + np.inf, "y needs finite entries, got inf"),
        (LABELS[1:], "y needs shape .* leave out no row"),
        (LABELS[:, None], r"y needs shape .* take a column, e.g. y\[:, 0\]"),
        (3.0, "y needs shape"),
        ([[1.0], [1.0, 2.0]], "y needs one array of numbers, got list"),
        (np.ma.masked_equal(LABELS, 0.0), "y needs entries without a mask"),
        (jax.random.key(0), "y needs one array of numbers, got PRNGKeyArray"),
    ],
)
def test_targets_that_are_no_numbers_are_refused_in_one_line(y, message):
    with pytest.raises(InputError, match=message) as refused:
        check_network(tanh_mlp, weights(4), X, y)
    assert "\n" not in str(refused.value)

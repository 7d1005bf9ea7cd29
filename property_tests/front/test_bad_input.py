"""What `check_network` cannot use is refused in one line that says what is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import X, drawn, tanh_mlp, weights

import ntval
from ntval.errors import InputError
from ntval.front.check_network import check_network
from ntval.networks.mlp import Mlp

pytestmark = pytest.mark.usefixtures("as_users_run_it")


def raises(*_):
    raise KeyError("weights")


GRAM = {"model": X @ X.T, "x": X}
AT = {"params": weights(4), "x": X}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": 3}, "network needs a Network"),
        ({"model": tanh_mlp, "params": weights(4), "x": X[0]}, "x needs shape"),
        ({"model": tanh_mlp, "params": weights(4), "x": X * np.nan}, "x needs finite"),
        ({"model": tanh_mlp, "params": weights(4), "x": X[:, :3]}, "needs to take inputs"),
        ({"model": lambda p, x: (tanh_mlp(p, x), x), **AT}, "it returns tuple, not one array"),
        ({"model": lambda p, x: tanh_mlp(p, x).argmax(-1), **AT}, "it returns int64, not real"),
        ({"model": lambda p, x: tanh_mlp(p, x) * 1j, **AT}, "it returns complex128, not real"),
        ({"model": lambda p, x: tanh_mlp(p, x).sum(), **AT}, "a row an input"),
        (
            {"model": lambda p, x: tanh_mlp(p, x.reshape(1, 6))[0], **AT},
            r"pass jax.vmap\(apply_fn, in_axes",
        ),
        ({"model": lambda p, x: np.tanh(np.asarray(x)), **AT}, "NumPy, which JAX cannot trace"),
        ({"model": lambda p, x: x, "params": {"step": 3}, "x": X}, "hold no floating-point array"),
        ({"model": lambda p, x: tanh_mlp(p, jnp.log(x)), **AT}, r"finite values, got others at x"),
        (
            {"model": lambda p, x: jnp.sqrt(jax.nn.relu(tanh_mlp(p, x) - 9)), **AT},
            "finite derivatives.*as a norm at 0",
        ),
        ({"model": tanh_mlp, "params": weights(4), "y": X[:, 0]}, "y needs x"),
        ({"model": tanh_mlp, "params": weights(4), "x": X, "y": X[1:]}, "y needs shape"),
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


LABELS = np.arange(len(X)) % 2.0
NUMBERS = [LABELS, LABELS.tolist(), LABELS[:, None], X, 0 * LABELS, LABELS.astype(np.float32)]


@pytest.mark.parametrize("y", NUMBERS)
def test_targets_are_numbers_of_any_kind(y):
    run = check_network(tanh_mlp, weights(4), X, y, claims=["symmetry"])
    assert run.risk is not None
    assert run.risk.classes is None


@pytest.mark.parametrize("y", [LABELS.astype(int), LABELS == 1, LABELS.astype(str)])
def test_targets_are_classes_of_any_kind(y):
    run = check_network(tanh_mlp, weights(4), X, y, claims=["symmetry"])
    assert run.risk is not None
    assert len(run.risk.classes) == 2
    assert run.risk.n == len(X)


def test_a_regression_that_cannot_be_done_is_a_note_of_the_run():
    run = check_network(X[:3] @ X[:3].T, y=LABELS[:3], claims=["gram_matrices"])
    assert run.risk is None
    assert "No estimates of a risk: gcv needs 8 samples" in run.note
    indefinite = check_network(-X @ X.T, y=LABELS, claims=["gram_matrices"], on_fail="return")
    assert indefinite.refuted
    assert "No estimates of a risk: kernel_identities.positive_semidefinite" in indefinite.note


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (LABELS.astype(int) * 0, "y needs two classes or more"),
        (np.arange(len(X)), "whole numbers in 40 samples; say classes=False"),
        (LABELS + 1j, "y needs floating-point entries, got dtype complex128"),
        (np.array([*LABELS[1:], "a"], dtype=object), "y needs classes of one kind"),
        (LABELS.astype("M8[s]"), "y needs floating-point entries"),
        (LABELS * np.nan, "y needs finite entries, got nan"),
        (LABELS + np.inf, "y needs finite entries, got inf"),
        (LABELS[1:], "y needs shape .* give each of the 40 inputs"),
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


def test_sizes_of_a_network_are_whole_numbers_of_python_or_numpy():
    assert Mlp(np.int64(8), [np.int64(4)]) == Mlp(8, (4,))
    for sizes in ((8, 64), (8, "ab"), (8, (0,)), (8, (2.0,)), ((64,), "relu"), (True, (4,))):
        with pytest.raises(InputError, match=r"Mlp needs (widths as a tuple|an integer)"):
            Mlp(*sizes)

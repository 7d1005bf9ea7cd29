"""Whatever is brought to check_network ends in a verdict, or in one line of our own error."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ntval.errors import NtvalError
from ntval.front.check_network import check_network

pytestmark = pytest.mark.usefixtures("as_users_run_it")

SIZES = st.integers(0, 4)
DTYPES = st.sampled_from(
    [np.float64, np.float32, np.float16, np.int32, np.complex64, bool, object, "U8"]
)
NUMBERS = st.floats(-2, 2, width=16) | st.sampled_from([np.nan, np.inf, 0.0, 1e30])


@st.composite
def any_array(draw):
    """An array of few entries, now and then not finite, of any dtype and rank."""
    shape = tuple(draw(st.lists(SIZES, max_size=3)))
    values = draw(arrays.arrays(np.float64, shape, elements=NUMBERS))
    with np.errstate(all="ignore"):
        return np.nan_to_num(values).astype(draw(DTYPES)) if draw(st.booleans()) else values


def usable(*shape):
    """A right array, so that what comes after the first check is met as well."""
    return st.integers(0, 99).map(lambda seed: np.random.default_rng(seed).standard_normal(shape))


INPUTS = usable(3, 2) | usable(2, 2, 1) | any_array()
SQUARES = usable(3, 3).map(lambda a: a @ a.T) | usable(3, 3) | usable(5, 2, 2) | any_array()


def raises(params, x):
    raise KeyError("weights")


FORWARD = {
    "linear": lambda params, x: x.reshape(len(x), -1) @ jnp.ones((x[0].size, 1)) * params["w"],
    "scalar": lambda params, x: params["w"] * x.sum(),
    "text": lambda params, x: "outputs",
    "none": lambda params, x: None,
    "pair": lambda params, x: (x, x),
    "whole": lambda params, x: (x * 3).astype(int),
    "numpy": lambda params, x: np.tanh(np.asarray(x)),
    "not finite": lambda params, x: jnp.log(-(params["w"] ** 2) - 1) * x,
    "empty": lambda params, x: x[:, :0] * params["w"],
    "raises": raises,
}
KERNELS = {
    "none": None,
    "inner": lambda x1, x2: x1 @ x2.T,
    "text": lambda x1, x2, get: "kernel",
    "short": lambda x1, x2, get: x1[:, 0],
    "no arguments": lambda: 3,
    "raises": raises,
    "not finite": lambda x1, x2: x1 @ x2.T * np.nan,
    "number": 3,
}
PARAMS = st.just({"w": 1.0}) | st.sampled_from(
    [{"w": np.float32(2)}, {}, None, {"w": "text"}, {"v": 1.0}]
)
NETWORKS = st.fixed_dictionaries(
    {
        "model": st.sampled_from(sorted(FORWARD)).map(FORWARD.get),
        "params": PARAMS,
        "kernel_fn": st.sampled_from(sorted(KERNELS)).map(KERNELS.get),
    },
    optional={"x": INPUTS, "y": usable(3) | any_array()},
)
GRAMS = st.fixed_dictionaries(
    {"model": SQUARES},
    optional={
        "kernel_fn": SQUARES | st.sampled_from(sorted(KERNELS)).map(KERNELS.get),
        "x": INPUTS,
    },
)
OTHERS = st.fixed_dictionaries({"model": st.none() | st.integers() | st.text() | st.just(object())})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(given=st.one_of(GRAMS, NETWORKS, OTHERS))
@pytest.mark.filterwarnings("ignore")  # what a caller's functions warn of is the caller's
def test_anything_ends_in_a_verdict_or_in_one_line(given):
    claims = ["batch_independence", "symmetry", "positive_semidefinite", "gram_matrices"]
    message, run = "", None
    try:
        run = check_network(**given, claims=claims, on_fail="return")
    except NtvalError as error:
        message = str(error)
    assert run.finished if run else len(message) > 20
    assert "\n" not in message

"""Networks, kernels and Gram matrices that compute in less than float64."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conformance.foreign import X, of_relu, outcome, relu_by_hand, relu_net, relu_weights

from ntval import Verdict, check_network, stax
from ntval.arrays import float64


class Mixed(nn.Module):
    head: object

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, dtype=self.head)(nn.tanh(nn.Dense(32, dtype=jnp.bfloat16)(x)))


@pytest.mark.parametrize("head", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_mixed_precision_is_judged_by_the_lowest(head):
    run = check_network(Mixed(head), claims=["methods_agree"], x=X, on_fail="return")
    found = run.outcomes["kernel_identities.methods_agree"]
    assert found.verdict is Verdict.INCONCLUSIVE  # a contraction in bfloat16 may leave nothing
    assert "VACUOUS" in found.results[0].decision.summary
    assert "Computes in bfloat16" in run.note


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("stored", ["as it is", "as float64"])
def test_a_gram_matrix_is_judged_by_the_numbers_that_it_is_made_of(dtype, stored):
    rows = np.random.default_rng(0).standard_normal((20, 3000)) / 55
    given = (rows @ rows.T).astype(jnp.dtype(dtype))
    given = given if stored == "as it is" else given.astype(np.float64)
    run = check_network(given, claims=["positive_semidefinite"], on_fail="return")
    found = run.outcomes["kernel_identities.positive_semidefinite"]
    assert found.verdict is Verdict.SUPPORTED
    assert "positive" in found.results[0].decision.summary
    assert f"judged as {dtype}" in run.note


def test_float32_rounding_stored_as_float64_is_no_bug():
    x = np.linspace(-30, 31, 100)[:, None].astype(np.float32)
    given = (x @ x.T + np.exp(-((x - x.T) ** 2) / 1000)).astype(np.float64)
    assert np.linalg.eigvalsh(given)[0] < -1e-7  # beyond the rounding of float64
    assert outcome(given, "positive_semidefinite")[0] is not Verdict.REFUTED


def in_float32(x1, x2=None, get="ntk"):
    return relu_by_hand(*(None if x is None else x.astype(jnp.float32) for x in (x1, x2)), get)


def test_a_twin_in_float32_is_judged_as_float32():
    run = of_relu(in_float32, "block_consistency", "symmetry", "permutation_equivariance")
    assert not run.refuted
    found = run.outcomes["kernel_identities.block_consistency"].results[0].decision.summary
    assert "analytic (float32)" in found


def test_a_twin_of_float32_that_is_off_where_x2_is_given_is_refuted():
    def wrong(x1, x2=None, get="ntk"):
        return in_float32(x1, x2, get) * (1.0 if x2 is None else 1.02)

    assert of_relu(wrong, "block_consistency").refuted


def test_two_convolutions_with_constants_of_numpy_are_examined_in_float32():
    net = stax.serial(
        stax.Conv(4, (3, 3)), stax.Gelu(), stax.Conv(4, (3, 3)), stax.Flatten(), stax.Dense(1)
    )
    images = np.random.default_rng(0).standard_normal((4, 5, 5, 1))
    assert outcome(net, "precision", x=images)[0] is Verdict.SUPPORTED


@pytest.mark.filterwarnings("ignore:Inputs to this layer are assumed to have unit norm")
def test_polynomials_with_coefficients_of_numpy_are_examined_in_float32():
    net = stax.serial(stax.Dense(8), stax.Hermite(2), stax.Dense(1))
    # Its kernel is for pre-activations of variance 1, which is another claim's business.
    run = check_network(net, x=X, claims=["precision", "symmetry"], on_fail="return")
    assert not run.refuted


def test_a_network_that_does_not_run_in_float32_is_examined_without_that_claim():
    with float64():
        constant = jnp.full((len(X), 1), 0.5)

    def scaled(params, x):
        return jax.lax.mul(jnp.tanh(x) @ params, constant[: len(x)])  # of equal dtypes alone

    run = check_network(scaled, np.ones((8, 1)), X, claims=["precision", "symmetry"])
    reasons = {item.claim: item.reason for item in run.not_run}
    assert "in float32" in reasons["kernel_identities.precision"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_weights_stored_in_low_precision_are_weights_like_others(dtype):
    def init(key, width):
        return jax.tree.map(lambda leaf: leaf.astype(dtype), relu_weights(key, 64))

    claims = ["methods_agree", "finite_differences", "mean_kernel"]
    run = check_network(relu_net, x=X, init=init, kernel_fn=relu_by_hand, claims=claims)
    assert {found.verdict for found in run.outcomes.values()} == {Verdict.SUPPORTED}

"""The kernels of this package, checked by ntval: a test for each network and claim."""

import jax
from shallow import Gelu, Relu, relu_kernel, rounded_relu_kernel

import ntval

NETWORKS = {
    "gelu": Gelu(),
    "relu": {"model": Relu, "kernel_fn": relu_kernel},
    "rounded": {"model": Relu, "kernel_fn": rounded_relu_kernel},
}


@ntval.parametrize_with_claims(
    NETWORKS,
    claims=["batch_independence", "positive_semidefinite", "mean_kernel"],
    expected_refutations={
        "rounded-mean_kernel": "1.39 is not the square root of 2",
    },
)
def test_ntk(check, check_claim):
    check_claim(check)


def test_two_roads_to_the_kernel_agree_at_our_inputs(check_claim):
    x = jax.random.normal(jax.random.key(0), (12, 4))
    check_claim("methods_agree", Gelu(), x=x)


def test_any_weights_have_a_symmetric_kernel(ntval_key):
    run = ntval.check_network(Relu(ntval_key), claims=["symmetry"], name="relu")
    assert not run.refuted

"""Verdicts that are true of networks, inputs and matrices that nobody here chose."""

import re

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conformance.foreign import X, of_relu, outcome, relu_by_hand, relu_net, relu_weights

from ntval import Verdict, check_network, stax
from ntval.arrays import rounding_allowance
from ntval.claims.kernel_identities import means
from ntval.errors import InputError
from ntval.networks.network import Network
from ntval.regimes import Regime
from ntval.subjects.subject import Ladder, NetworkSubject


def mlp(width, depth=1, parameterization="ntk"):
    hidden = [stax.Dense(width, 2**0.5, parameterization=parameterization), stax.Relu()] * depth
    return stax.serial(*hidden, stax.Dense(1, 2**0.5, parameterization=parameterization))


def times(factor, width=512):
    init_fn, apply_fn, kernel_fn = mlp(width)
    return init_fn, apply_fn, lambda x1, x2=None, get="ntk": factor * kernel_fn(x1, x2, get)


@pytest.mark.parametrize(
    ("factor", "times_too", "word"),
    [(1e-3, 1000, "small"), (0.1, 10, "small"), (10.0, 10, "large")],
)
def test_a_twin_of_another_size_is_refuted_and_its_factor_named(factor, times_too, word):
    verdict, _, words = outcome(times(factor), x=X)
    assert verdict is Verdict.REFUTED
    said = rf"([\d.]+) \(± ([\d.]+) by chance\) times too {word} throughout: a wrong scale"
    found = re.search(said, words)
    assert found is not None, words
    size, error = map(float, found.groups())
    assert abs(size - times_too) <= error <= 0.05 * times_too


def test_the_size_of_biases_that_is_named_covers_the_true_one():
    def with_bias(std):
        return stax.serial(stax.Dense(256, 2**0.5, std), stax.Relu(), stax.Dense(1, 2**0.5, std))

    verdict, _, words = outcome((*with_bias(0.5)[:2], with_bias(0.7)[2]), x=X)
    assert verdict is Verdict.REFUTED
    found = re.search(r"that of biases ([\d.]+)% \(± ([\d.]+)% by chance\) too large", words)
    assert found is not None, words
    size, error = map(float, found.groups())
    assert abs(size - 40) <= error <= 8


def test_a_twin_of_another_parametrization_is_refuted():
    verdict, _, words = outcome((*mlp(32, 2, "standard")[:2], mlp(1, 2)[2]), x=X)
    assert verdict is Verdict.REFUTED
    assert "times too small, its layers weighted by their fan-in" in words
    assert "another parametrization" in words


@pytest.mark.parametrize("width", [8, 16])
def test_a_twin_of_half_the_size_is_not_supported_at_small_widths(width):
    assert outcome(times(0.5, width), x=X)[0] is not Verdict.SUPPORTED


def test_the_bias_of_products_of_random_matrices_is_not_known_from_one_width():
    net = stax.serial(
        stax.Dense(16),
        stax.GlobalSelfAttention(16, 8, 8, 2, attention_mechanism="IDENTITY", linear_scaling=False),
        stax.Flatten(),
        stax.Dense(1),
    )
    verdict, words, _ = outcome(net, x=X[:3].reshape(3, 4, 2))
    assert verdict is Verdict.INCONCLUSIVE
    assert "pass init(key, width) and widths" in words


def test_a_row_of_zeros_where_both_kernels_are_zero_is_supported():
    x = X.copy()
    x[2] = 0
    assert outcome(mlp(64), x=x)[0] is Verdict.SUPPORTED


def test_a_row_of_zeros_in_gram_matrices():
    factors = np.random.default_rng(0).standard_normal((400, 5, 60))
    factors[:, 1] = 0
    grams = factors @ factors.transpose(0, 2, 1) / 60
    limit = np.diag([1.0, 0.0, 1.0, 1.0, 1.0])
    assert outcome(grams, "gram_matrices.mean", kernel_fn=limit)[0] is Verdict.SUPPORTED
    limit[1, 1] = 0.5
    assert outcome(grams, "gram_matrices.mean", kernel_fn=limit)[0] is Verdict.REFUTED


def test_one_draw_of_a_finite_network_is_said_to_be_one():
    rng = np.random.default_rng(0)
    x, w, v = X[:, :5], rng.standard_normal((5, 512)), rng.standard_normal(512)
    h = x @ w / np.sqrt(5)
    features, slope = np.maximum(h, 0), (h > 0) * v
    given = (features @ features.T + (slope @ slope.T) * (x @ x.T) / 5) / 512
    kernel_fn = stax.serial(stax.Dense(1), stax.Relu(), stax.Dense(1))[2]
    _, _, words = outcome(given, "equals_reference", x=x, kernel_fn=kernel_fn)
    assert "as far as one draw of a finite network may be" in words
    assert "(draws, n, n)" in words
    run = check_network(np.repeat(given[None], 50, axis=0), x=x, kernel_fn=kernel_fn)
    reasons = {item.claim: item.reason for item in run.not_run}
    assert "matrices are the same" in reasons["gram_matrices.mean"]


def test_opposite_inputs_are_checked():
    x = np.linspace(-3, 3, 8)[:, None]
    net = stax.serial(stax.Dense(64, 1.5, 0.5), stax.Erf(), stax.Dense(1, 1.5, 0.5))
    verdict, words, _ = outcome(net, "positive_semidefinite", x=x)
    assert verdict is Verdict.SUPPORTED
    assert "positive" in words


LADDER = ("width_concentration", "parametrization")


def test_an_init_that_ignores_its_width_has_no_ladder():
    def init(key, width):
        return equinox.nn.MLP(8, 1, 16, 1, key=key)

    run = check_network(None, x=X, init=init, claims=["batch_independence", *LADDER])
    reasons = {item.claim: item.reason for item in run.not_run}
    assert "the same at every width" in reasons["kernel_identities.width_concentration"]


def test_a_twin_that_is_wrong_only_where_x2_is_given_is_refuted():
    init_fn, apply_fn, kernel_fn = mlp(64)

    def broken(x1, x2=None, get="ntk"):
        return kernel_fn(x1, x2, get) * (1.0 if x2 is None else 1.5)

    assert outcome((init_fn, apply_fn, broken), "block_consistency", x=X)[0] is Verdict.REFUTED


def test_a_wrong_custom_derivative_is_refuted():
    @jax.custom_jvp
    def tanh(t):
        return jnp.tanh(t)

    tanh.defjvp(lambda primals, tangents: (tanh(*primals), (1 - tanh(*primals)) * tangents[0]))
    params = {"w": np.random.default_rng(1).standard_normal((8, 32)), "v": np.ones((32, 1))}

    def apply_fn(params, x):
        return tanh(x @ params["w"]) @ params["v"]

    found = outcome(apply_fn, "finite_differences", params=params, x=X)
    assert found[0] is Verdict.REFUTED


def by_hand(x1, x2=None):
    """The kernel of one layer of ReLU and a head, from its formula."""
    x2 = x1 if x2 is None else x2
    norms = np.outer(np.linalg.norm(x1, axis=1), np.linalg.norm(x2, axis=1))
    cosine = np.clip(x1 @ x2.T / norms, -1, 1)
    angle = np.arccos(cosine)
    return norms / x1.shape[1] * (np.sin(angle) + 2 * (np.pi - angle) * cosine) / np.pi


RELU = stax.serial(stax.Dense(512, 2**0.5), stax.Relu(), stax.Dense(1))


def test_a_gram_matrix_by_hand_equals_that_of_stax():
    verdict, _, _ = outcome(by_hand(X), "equals_reference", x=X, kernel_fn=RELU[2])
    assert verdict is Verdict.SUPPORTED
    wrong = by_hand(X) + 1e-6 * np.eye(len(X))
    assert outcome(wrong, "equals_reference", x=X, kernel_fn=RELU[2])[0] is Verdict.REFUTED


@pytest.mark.parametrize(
    "kernel_fn",
    [
        lambda x1, x2=None, normalize=False: by_hand(x1, x2) / (9 if normalize else 1),
        lambda x1, x2, *, clip=1.0: by_hand(x1, x2),
    ],
)
def test_options_of_a_kernel_fn_are_left_alone(kernel_fn):
    verdict, _, _ = outcome(by_hand(X), "equals_reference", x=X, kernel_fn=kernel_fn)
    assert verdict is Verdict.SUPPORTED


def test_the_twin_in_a_triple_may_be_a_function_of_two_inputs():
    verdict, words, _ = outcome((*RELU[:2], lambda x1, x2: by_hand(x1, x2)), "symmetry", x=X)
    assert verdict is Verdict.SUPPORTED, words


def test_a_kernel_that_differs_from_some_row_on_is_refuted():
    def broken(x1, x2=None, get="ntk"):
        sizes = [np.where(np.arange(len(x)) < 16, 1.0, 1.2) for x in (x1, x1 if x2 is None else x2)]
        return RELU[2](x1, x2, get) * sizes[0][:, None] * sizes[1]

    x = np.random.default_rng(0).standard_normal((24, 6))
    assert outcome((*RELU[:2], broken), "block_consistency", x=x)[0] is Verdict.REFUTED


def test_jitter_where_x2_is_not_given_is_refuted():
    def broken(x1, x2=None, get="ntk"):
        return RELU[2](x1, x2, get) + (1e-3 * np.eye(len(x1)) if x2 is None else 0.0)

    assert outcome((*RELU[:2], broken), "block_consistency", x=X)[0] is Verdict.REFUTED


def test_a_reference_in_float32_is_no_gap():
    reference = by_hand(X).astype(np.float32)
    verdict, _, _ = outcome(by_hand(X), "equals_reference", kernel_fn=reference)
    assert verdict is Verdict.SUPPORTED


@pytest.mark.parametrize("sizes", [(8, 16), (32, 33), (10, 100)])
def test_the_bias_on_a_ladder_is_that_of_its_widths_however_far_apart(sizes, monkeypatch):
    def at(width, ladder=None):
        network, inputs = Network(None, len), lambda key, n: jnp.ones((n, 3))
        return NetworkSubject(network, inputs, ladder=ladder, num_inputs=width)

    def grams_program(rung):
        gram = np.eye(4) * (1 + 0.7 / rung.num_inputs)
        return lambda x, keys: np.repeat(gram[None], 64, axis=0)

    monkeypatch.setattr(means, "grams_program", grams_program)
    subject = at(1, Ladder("width", sizes, tuple(map(at, sizes))))
    found = means.measured_bias(jax.random.key(0), Regime(n=4, d=3), subject, 0)
    # Relative to the kernel at the wider one, and granted twice. Means of 64 equal numbers are
    # rounded 64 times, and their difference is 0.7 (1/m - 1/m') of them.
    expected = 2 * 0.7 / (1 + 0.7 / sizes[1])
    apart = 0.7 * (1 / sizes[0] - 1 / sizes[1])
    assert abs(found / expected - 1) <= 3 * rounding_allowance(64) / apart


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_wrong_size_that_a_wide_remainder_hides_is_not_supported(factor):
    # Few draws of a narrow network: the remainder is a good part of the kernel.
    rng = np.random.default_rng(0)
    scales = rng.standard_exponential((400, 1, 1))
    grams = scales * np.eye(3)
    verdict, words, _ = outcome(grams, "gram_matrices.mean", kernel_fn=factor * np.eye(3))
    assert verdict is not Verdict.SUPPORTED
    assert verdict is Verdict.REFUTED or "VACUOUS" in words


def test_the_nngp_needs_a_kernel_fn_that_has_one():
    def alone(x1, x2):
        return relu_by_hand(x1, x2)

    def raising(x1, x2=None, get="ntk"):
        if get == "nngp":
            raise NotImplementedError
        return relu_by_hand(x1, x2)

    for kernel_fn in (alone, raising):
        reasons = {i.claim: i.reason for i in of_relu(kernel_fn, "nngp_kernel").not_run}
        assert "get='nngp'" in reasons["kernel_identities.nngp_kernel"]


def test_rows_that_depend_on_the_batch_late_in_it_are_seen():
    x = np.random.default_rng(1).standard_normal((300, 8))

    def late(params, x):
        outputs = relu_net(params, x)
        off = jnp.where(jnp.arange(len(x)) == 290, 1e-3, 0.0)
        return outputs + off[:, None] * outputs.mean()

    run = check_network(
        late, relu_weights(jax.random.key(0), 16), x, claims=["batch_independence"],
        on_fail="return",
    )  # fmt: skip
    assert run.refuted
    assert not check_network(
        relu_net, relu_weights(jax.random.key(0), 16), x, claims=["batch_independence"]
    ).refuted


def test_a_kernel_fn_that_is_not_a_number_at_equal_inputs_is_refused_with_the_place_to_look():
    net = stax.serial(stax.Dense(16), stax.RectifiedMonomial(2), stax.Dense(1))
    with pytest.raises(InputError, match=r"got nan at index .* at equal and opposite inputs"):
        check_network(net, x=X)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_few_inputs_have_blocks(n):
    assert outcome(RELU, "block_consistency", x=X[:n] if n <= 6 else np.vstack([X, 2 * X[:1]]))[
        0
    ] is (Verdict.SUPPORTED)


def test_derivatives_of_outputs_of_very_different_sizes_are_seen():
    def two(params, x):
        outputs = relu_net(params, x)
        return jnp.concatenate([outputs, 1e-9 * outputs], axis=1)

    weights = relu_weights(jax.random.key(0), 16)
    run = check_network(two, weights, X, claims=["finite_differences"], on_fail="return")
    found = run.outcomes["kernel_identities.finite_differences"]
    assert found.verdict is Verdict.SUPPORTED, found.results[0].decision.summary

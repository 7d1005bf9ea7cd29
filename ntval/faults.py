"""Planted faults by name: what each changes. A claim lists, in `faults`, those it must refute.

A fault turns a claim into the claim about a broken implementation. Names say where the fault
sits: `road_` in the cheapest road to the empirical kernel, `kernel_` in the analytic kernel,
`apply_` in the forward pass, `weights_` and `inputs_` in what is drawn, `prediction_` in theory.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from ntval.activations import Activation, activation
from ntval.claims.claim import Claim, Subject, roads_of
from ntval.kernels import analytic, arc_cosine
from ntval.networks import Mlp
from ntval.theory import montanari_zhong as theory


@dataclass(frozen=True)
class Fault:
    """A planted fault: `plant(claim)` is the claim about the broken implementation."""

    name: str
    description: str
    plant: Callable[[Claim], Claim]


def _in_subject(change: Callable[[Subject], Subject]) -> Callable[[Claim], Claim]:
    def changed(subject: Subject) -> Subject:
        return replace(change(subject), rungs=tuple(changed(rung) for rung in subject.rungs))

    return lambda claim: replace(claim, subject=lambda regime: changed(claim.subject(regime)))


def _in_road(change: Callable) -> Callable[[Claim], Claim]:
    """Fault of the cheapest road alone: `change(road)` is the broken road."""

    def planted(subject: Subject) -> Subject:
        name = roads_of(subject.network)[0]
        return replace(subject, roads={**subject.roads, name: change(subject.roads[name])})

    return _in_subject(planted)


def _in_gram(change: Callable) -> Callable[[Claim], Claim]:
    """Fault of the cheapest road's result: `change(gram)` is the broken Gram matrix."""
    return _in_road(
        lambda road: lambda network, params, x1, x2=None: change(road(network, params, x1, x2))
    )


def _in_mlp(change: Callable[..., Mlp]) -> Callable[[Claim], Claim]:
    """Fault of the cheapest road: it takes the network for `change(mlp)`."""
    return _in_road(
        lambda road: (
            lambda network, params, x1, x2=None: road(
                replace(network, mlp=change(network.mlp)), params, x1, x2
            )
        )
    )


def _in_kernel(change: Callable) -> Callable[[Claim], Claim]:
    """Fault of the analytic kernel: `change(kernel)`, a function of (x1, x2, get)."""

    def planted(subject: Subject) -> Subject:
        network = subject.network
        if network.kernel_fn is None:
            return subject
        kernel_fn = network.kernel_fn
        broken = change(lambda x1, x2=None, get="ntk": jnp.asarray(kernel_fn(x1, x2, get)))
        return replace(subject, network=replace(network, kernel_fn=broken))

    return _in_subject(planted)


def _in_kernel_gram(change: Callable) -> Callable[[Claim], Claim]:
    return _in_kernel(lambda kernel: lambda x1, x2=None, get="ntk": change(kernel(x1, x2, get)))


def _in_twin(change: Callable[..., Mlp], of: Callable = analytic.kernel_fn):
    """Fault of the analytic kernel: it is that of the network `change(mlp)`."""

    def planted(subject: Subject) -> Subject:
        network = subject.network
        return replace(subject, network=replace(network, kernel_fn=of(change(network.mlp))))

    return _in_subject(planted)


def _in_apply(change: Callable) -> Callable[[Claim], Claim]:
    """Fault of the forward pass: `change(apply_fn)` is the broken one."""

    def planted(subject: Subject) -> Subject:
        # The closed forms would not see the forward pass: the broken network is not an Mlp's.
        roads = {"jacobian": subject.roads["jacobian"], "operator": subject.roads["operator"]}
        network = replace(subject.network, apply_fn=change(subject.network.apply_fn))
        return replace(
            subject,
            network=network,
            roads={**subject.roads, **dict.fromkeys(("two_layer", "deep_mlp"), roads["jacobian"])},
        )

    return _in_subject(planted)


def _in_weights(change: Callable) -> Callable[[Claim], Claim]:
    """Fault of the initialization: `change(params)` is what is drawn."""

    def planted(subject: Subject) -> Subject:
        init_fn = subject.network.init_fn
        return replace(
            subject,
            network=replace(
                subject.network,
                init_fn=lambda key, shape: (None, change(init_fn(key, shape)[1])),
            ),
        )

    return _in_subject(planted)


def _in_inputs(change: Callable) -> Callable[[Claim], Claim]:
    """Fault of the inputs: `change(inputs)`, a function of (key, n)."""
    return _in_subject(lambda subject: replace(subject, inputs=change(subject.inputs)))


def _times(factor: float):
    return lambda gram: factor * gram


def _off_diagonal_times(factor: float):
    return lambda gram: gram * jnp.where(jnp.eye(*gram.shape, dtype=bool), 1.0, factor)


def _as_float32(gram):
    return gram.astype(jnp.float32).astype(jnp.float64)


def _asymmetric(gram):
    """Entries off the diagonal grow by a millionth from column to column."""
    rows, columns = jnp.indices(gram.shape)
    return gram * (1 + 1e-6 * (columns - rows))


def _shifted_down(gram):
    """Minus 1 % of the mean diagonal more than what keeps the smallest eigenvalue at 0."""
    if gram.shape[0] != gram.shape[1]:
        return gram
    floor = jnp.linalg.eigvalsh((gram + gram.T) / 2)[0] + 0.01 * jnp.trace(gram) / len(gram)
    return gram - floor * jnp.eye(len(gram))


def _without_biases(params):
    return jax.tree.map(lambda leaf: leaf * 0 if jnp.ndim(leaf) == 1 else leaf, params)


def _derivative_is_function(mlp: Mlp) -> Mlp:
    fn: Activation = activation(mlp.activation)
    return replace(
        mlp, activation=replace(fn, name=f"{fn.name} for its derivative", derivative=fn.fn)
    )


def _without_input_factor(road):
    """The kernel without the factor <x, x'>/d that the first layer brings."""

    def broken(network, params, x1, x2=None):
        second = x1 if x2 is None else x2
        return road(network, params, x1, x2) / (x1 @ second.T / x1.shape[1])

    return broken


def _gaussian_first_layer(mlp, x1, x2=None, get="ntk"):
    """Kernel of the first layer for weights of law N(0, I/d), the large-d limit of the sphere."""
    x2 = x1 if x2 is None else x2
    fn = activation(mlp.activation)
    d = x1.shape[1]
    entries = [
        [
            arc_cosine.expectation(
                fn.derivative, a @ a / d, b @ b / d, a @ b / d, breakpoints=fn.breakpoints
            )
            for b in np.asarray(x2)
        ]
        for a in np.asarray(x1)
    ]
    return jnp.asarray(entries) * (x1 @ x2.T / d)


def _entry_exceeds_diagonal(gram):
    """Entry [0, 1] and its mirror image become 1.5 sqrt(K_00 K_11)."""
    if gram.shape[0] != gram.shape[1]:
        return gram
    value = 1.5 * jnp.sqrt(gram[0, 0] * gram[1, 1])
    return gram.at[0, 1].set(value).at[1, 0].set(value)


def _predict(formula: Callable) -> Callable[[Claim], Claim]:
    """Fault of the prediction: every predicted number is `formula(activation, regime)`."""
    return lambda claim: replace(
        claim,
        predict=lambda regime: np.full_like(
            claim.predict(regime), formula(activation(regime.activation), regime)
        ),
    )


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("road_times_2", "the empirical kernel is twice too large", _in_gram(_times(2.0))),
        Fault("road_times_103", "the empirical kernel is 3 % too large", _in_gram(_times(1.03))),
        Fault(
            "road_off_diagonal_3",
            "the empirical kernel is 3 % too large off the diagonal",
            _in_gram(_off_diagonal_times(1.03)),
        ),
        Fault(
            "road_derivative",
            "sigma in place of sigma' in the empirical kernel",
            _in_mlp(_derivative_is_function),
        ),
        Fault(
            "road_drops_bias",
            "the empirical kernel leaves the biases out",
            _in_mlp(lambda mlp: replace(mlp, b_std=0.0)),
        ),
        Fault("road_float32", "the empirical kernel passes through float32", _in_gram(_as_float32)),
        Fault(
            "road_asymmetric", "the empirical kernel is asymmetric by 1e-6", _in_gram(_asymmetric)
        ),
        Fault(
            "road_permuted_rows",
            "the empirical kernel's rows are in another order",
            _in_gram(lambda gram: jnp.concatenate([gram[1:2], gram[:1], gram[2:]])),
        ),
        Fault(
            "road_shifted_down",
            "the empirical kernel's smallest eigenvalue is slightly negative",
            _in_gram(_shifted_down),
        ),
        Fault(
            "road_without_inputs",
            "the empirical kernel lacks the factor <x, x'>/d",
            _in_road(_without_input_factor),
        ),
        Fault(
            "kernel_times_2", "the analytic kernel is twice too large", _in_kernel_gram(_times(2.0))
        ),
        Fault(
            "kernel_times_103",
            "the analytic kernel is 3 % too large",
            _in_kernel_gram(_times(1.03)),
        ),
        Fault(
            "kernel_off_diagonal_3",
            "the analytic kernel is 3 % too large off the diagonal",
            _in_kernel_gram(_off_diagonal_times(1.03)),
        ),
        Fault(
            "kernel_off_diagonal_10",
            "the analytic kernel is 10 % too large off the diagonal",
            _in_kernel_gram(_off_diagonal_times(1.1)),
        ),
        Fault(
            "kernel_drops_bias",
            "the analytic kernel is that of the network without biases",
            _in_twin(lambda mlp: replace(mlp, b_std=0.0)),
        ),
        Fault(
            "kernel_drops_layer",
            "the analytic kernel is that of the network with one hidden layer less or more",
            _in_twin(
                lambda mlp: replace(
                    mlp, widths=mlp.widths[1:] if len(mlp.widths) > 1 else 2 * mlp.widths
                )
            ),
        ),
        Fault(
            "kernel_of_gaussian_weights",
            "the analytic kernel is that of Gaussian weights, not of weights on the sphere",
            _in_subject(
                lambda subject: replace(
                    subject,
                    network=replace(
                        subject.network,
                        kernel_fn=functools.partial(_gaussian_first_layer, subject.network.mlp),
                    ),
                )
            ),
        ),
        Fault(
            "kernel_float32",
            "the analytic kernel passes through float32",
            _in_kernel_gram(_as_float32),
        ),
        Fault(
            "kernel_asymmetric",
            "the analytic kernel is asymmetric by 1e-6",
            _in_kernel_gram(_asymmetric),
        ),
        Fault(
            "kernel_permuted_rows",
            "the analytic kernel's rows are in another order",
            _in_kernel_gram(lambda gram: jnp.concatenate([gram[1:2], gram[:1], gram[2:]])),
        ),
        Fault(
            "kernel_shifted_down",
            "the analytic kernel's smallest eigenvalue is slightly negative",
            _in_kernel_gram(_shifted_down),
        ),
        Fault(
            "kernel_entry_exceeds_diagonal",
            "one entry of the analytic kernel is larger than its diagonal allows",
            _in_kernel_gram(_entry_exceeds_diagonal),
        ),
        Fault(
            "kernel_stale_inputs",
            "the analytic kernel is computed at inputs sorted anew",
            _in_kernel(
                lambda kernel: (
                    lambda x1, x2=None, get="ntk": kernel(
                        x1[jnp.argsort(x1.reshape(len(x1), -1)[:, 0])], x2, get
                    )
                )
            ),
        ),
        Fault(
            "apply_drops_bias",
            "the forward pass leaves the biases out",
            _in_apply(lambda fn: lambda params, x: fn(_without_biases(params), x)),
        ),
        Fault(
            "apply_scale_1_over_width",
            "outputs are scaled by 1/width in place of 1/sqrt(width)",
            _in_apply(
                lambda fn: lambda params, x: fn(params, x) / math.sqrt(params[-1]["w"].shape[0])
            ),
        ),
        Fault(
            "apply_centers_batch",
            "the forward pass subtracts the batch's mean",
            _in_apply(lambda fn: lambda params, x: fn(params, x) - fn(params, x).mean(axis=0)),
        ),
        Fault(
            "apply_normalizes_batch",
            "inputs are divided by the batch's standard deviation",
            _in_apply(lambda fn: lambda params, x: fn(params, x / (1 + x.std(axis=0)))),
        ),
        Fault(
            "apply_permutes_batch",
            "outputs come in another order than inputs",
            _in_apply(lambda fn: lambda params, x: fn(params, x)[::-1]),
        ),
        Fault(
            "weights_unnormalized",
            "weights are Gaussian with norm sqrt(d), not on the unit sphere",
            _in_weights(lambda params: jax.tree.map(lambda w: w * math.sqrt(w.shape[0]), params)),
        ),
        Fault(
            "inputs_gaussian",
            "inputs are Gaussian, not on the sphere",
            _in_inputs(lambda inputs: lambda key, n: jax.random.normal(key, inputs(key, n).shape)),
        ),
        Fault(
            "inputs_on_unit_sphere",
            "inputs have norm 1, not sqrt(d)",
            _in_inputs(
                lambda inputs: lambda key, n: inputs(key, n) / math.sqrt(inputs(key, n).shape[1])
            ),
        ),
        Fault(
            "prediction_limit",
            "the limit v_1 in place of the finite-d formula",
            _predict(lambda fn, regime: theory.min_eigenvalue_limit(fn)),
        ),
        Fault(
            "prediction_degree_shifted",
            "the tail starts one degree too late",
            _predict(lambda fn, regime: theory.tail_energy(fn, regime.d, 2)),
        ),
    )
}

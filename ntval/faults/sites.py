"""How a fault is planted: functions from a claim to the claim about a broken implementation.

Each says where it breaks what a claim examines: the cheapest method to the empirical kernel, the
analytic kernel, the forward pass, the initialization, the inputs, or the prediction.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntval.arrays import float64
from ntval.claims.claim import Claim
from ntval.claims.procedures import Formula, Means
from ntval.claims.sampling import draw_params, kept
from ntval.faults.fault import Plant, Site
from ntval.kernels import quadrature_oracle
from ntval.kernels.methods import methods_of
from ntval.networks.mlp import Mlp
from ntval.regimes import Point
from ntval.subjects.subject import GramSubject, LabelledGram, NetworkSubject, Subject


def _planting(site: Site, changed: Callable[[Subject], Subject]) -> Plant:
    """Fault of what is examined: `changed(subject)`."""

    def plant(claim: Claim) -> Claim:
        # One subject a point, as the claims have it: programs are compiled once.
        @kept
        def broken(point: Point) -> Subject:
            return changed(claim.subject(point))

        return replace(claim, subject=broken)

    return Plant(site, plant)


def in_network(site: Site, change: Callable[[NetworkSubject], NetworkSubject]) -> Plant:
    """Fault of a network: `change(subject)`, of every rung as well; other subjects stay."""

    def of_network(subject: NetworkSubject) -> NetworkSubject:
        ladder = subject.ladder
        if ladder is not None:
            ladder = replace(ladder, rungs=tuple(of_network(rung) for rung in ladder.rungs))
        return replace(change(subject), ladder=ladder)

    return _planting(site, lambda s: of_network(s) if isinstance(s, NetworkSubject) else s)


def in_method(change: Callable) -> Plant:
    """Fault of the cheapest method alone: `change(method)` is the broken method."""

    def planted(subject: NetworkSubject) -> NetworkSubject:
        name = methods_of(subject.network)[0]
        return replace(subject, methods={**subject.methods, name: change(subject.methods[name])})

    return in_network("empirical kernel", planted)


def in_public(change: Callable) -> Plant:
    """Fault of the tiled Jacobian that users call: `change(method)` is the broken one."""

    def planted(subject: NetworkSubject) -> NetworkSubject:
        public = {**subject.public, "jacobian": change(subject.public["jacobian"])}
        return replace(subject, public=public)

    return in_network("empirical kernel", planted)


def in_empirical_gram(change: Callable) -> Plant:
    """Fault of the cheapest method's result: `change(gram)` is the broken Gram matrix."""
    return in_method(
        lambda method: lambda network, params, x1, x2=None: change(method(network, params, x1, x2))
    )


def in_mlp(change: Callable[[Mlp], Mlp]) -> Plant:
    """Fault of the cheapest method: it takes the network for `change(mlp)`."""
    return in_method(
        lambda method: (
            lambda network, params, x1, x2=None: method(
                replace(network, mlp=change(network.mlp)), params, x1, x2
            )
        )
    )


def in_params(change: Callable) -> Plant:
    """Fault of the cheapest method: it differentiates by `change(params)` alone.

    `change` stops the gradient of what the broken kernel leaves out.
    """

    def changed(method):
        def broken(network, params, x1, x2=None):
            def frozen(params, x):
                return network.apply_fn(change(params), x)

            return method(replace(network, apply_fn=frozen), params, x1, x2)

        return broken

    def planted(subject: NetworkSubject) -> NetworkSubject:
        name = methods_of(subject.network)[0]
        return replace(
            subject, methods={**subject.methods, name: changed(subject.methods["jacobian"])}
        )

    return in_network("empirical kernel", planted)


def in_kernel_fn(change: Callable) -> Plant:
    """Fault of the analytic kernel: `change(kernel)`, a function of (x1, x2, get)."""

    def planted(subject: NetworkSubject) -> NetworkSubject:
        network = subject.network
        if network.kernel_fn is None:
            return subject
        kernel_fn = network.kernel_fn
        broken = change(lambda x1, x2=None, get="ntk": jnp.asarray(kernel_fn(x1, x2, get)))
        return replace(subject, network=replace(network, kernel_fn=broken))

    return in_network("analytic kernel", planted)


def in_analytic_gram(change: Callable) -> Plant:
    """Fault of the analytic kernel's result: `change(gram)` is the broken Gram matrix."""
    return in_kernel_fn(lambda kernel: lambda x1, x2=None, get="ntk": change(kernel(x1, x2, get)))


def in_grams(change: Callable[[Array], Array]) -> Plant:
    """Fault of Gram matrices that were computed elsewhere: each is `change(gram)`."""

    def planted(subject: Subject) -> Subject:
        if not isinstance(subject, GramSubject):
            return subject
        with float64():
            changed = np.stack([np.asarray(change(jnp.asarray(gram))) for gram in subject.grams])
        return replace(subject, grams=changed)

    return _planting("Gram matrix", planted)


def in_labelled(change: Callable[[LabelledGram], LabelledGram]) -> Plant:
    """Fault of labelled data: `change(subject)` is what is examined."""
    return _planting("Gram matrix", lambda s: change(s) if isinstance(s, LabelledGram) else s)


def in_twin(change: Callable[[Mlp], Mlp]) -> Plant:
    """Fault of the analytic kernel: it is that of the network `change(mlp)`, by quadrature."""

    def kernel(mlp: Mlp, x1, x2=None, get="ntk"):
        return jnp.asarray(
            {"ntk": quadrature_oracle.ntk, "nngp": quadrature_oracle.nngp}[get](mlp, x1, x2)
        )

    return in_kernel_of(kernel, change)


def in_kernel_of(kernel: Callable, change: Callable[[Mlp], Mlp] | None = None) -> Plant:
    """Fault of the analytic kernel: it is `kernel(change(mlp), x1, x2, get)`.

    A network that `change` leaves as it is keeps its kernel.
    """

    def planted(subject: NetworkSubject) -> NetworkSubject:
        mlp = subject.network.mlp
        if mlp is None:
            return subject
        changed = mlp if change is None else change(mlp)
        if change is not None and changed is mlp:
            return subject
        kernel_fn = functools.partial(kernel, changed)
        return replace(subject, network=replace(subject.network, kernel_fn=kernel_fn))

    return in_network("analytic kernel", planted)


def in_apply(change: Callable) -> Plant:
    """Fault of the forward pass: `change(apply_fn)` is the broken one."""

    def planted(subject: NetworkSubject) -> NetworkSubject:
        # The closed forms would not see the forward pass: the broken network is not an Mlp's.
        jacobian = subject.methods["jacobian"]
        return replace(
            subject,
            network=replace(subject.network, apply_fn=change(subject.network.apply_fn)),
            methods={**subject.methods, **dict.fromkeys(("two_layer", "deep_mlp"), jacobian)},
        )

    return in_network("forward pass", planted)


def in_init(change: Callable) -> Plant:
    """Fault of the initialization: `change(init)`, a function of a key that gives parameters."""

    def planted(subject: NetworkSubject) -> NetworkSubject:
        network = subject.network

        def broken(key: Array, shape: tuple[int, ...]) -> tuple[None, Any]:
            return None, change(functools.partial(draw_params, network))(key)

        return replace(subject, network=replace(subject.network, init_fn=broken))

    return in_network("weights", planted)


def in_inputs(change: Callable) -> Plant:
    """Fault of the inputs: `change(inputs)`, a function of (key, n)."""
    return in_network("inputs", lambda subject: replace(subject, inputs=change(subject.inputs)))


def in_prediction(formula: Formula) -> Plant:
    """Fault of the prediction: every predicted number is that of `formula`."""

    def plant(claim: Claim) -> Claim:
        procedure = claim.procedure
        assert isinstance(procedure, Means), f"{claim.name} predicts no mean"
        # The nearest wrong theory may be the one that is planted: none is named in its place.
        return replace(claim, procedure=replace(procedure, formula=formula, wrong=math.inf))

    return Plant("prediction", plant)


def in_option(**options: object) -> Plant:
    """Fault of what a measurement takes from theory: options of the claim's procedure.

    The pilot, which speaks of correct code, is left alone.
    """

    def plant(claim: Claim) -> Claim:
        return replace(claim, procedure=claim.procedure.taking(**options))

    return Plant("measurement", plant)

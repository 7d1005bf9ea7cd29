"""Bombari, Amani & Mondelli, 2205.10217: gradient descent beside its linearization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ntval.arrays import rounding_allowance
from ntval.claims.bombari_amani_mondelli.decomposition import SMOOTH, networks
from ntval.claims.bombari_amani_mondelli.memorization import forward_rounding, outputs_of
from ntval.claims.bombari_amani_mondelli.setting import PAPER, SETTING, deep, unscaled
from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis
from ntval.claims.kernel_identities.setting import network_rounding
from ntval.claims.procedures import Bound, Slopes
from ntval.claims.sampling import (
    MEASURED,
    Replicate,
    draw_params,
    empirical_at,
    kept,
    replicates,
    stream_of,
)
from ntval.evidence.exact import Bracket
from ntval.evidence.sequential import Draw
from ntval.observables import training
from ntval.observables.slopes import log_slope
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import bombari_amani_mondelli as theory

EVEN_AND_WIDE = Hypothesis(
    "the last hidden layer is even, and inputs are at most an eighth as many as the weights that "
    "enter it",
    lambda regime: (
        regime.widths[-1] % 2 == 0 and 8 * regime.n <= regime.widths[-1] * regime.widths[-2]
    ),
)
_DOMAIN = networks(
    EVEN_AND_WIDE, n=tuple(range(2, 61)), widths=(8, 12, 16, 20, 24, 30), activations=SMOOTH
)
_POINTS = {
    "quick": deep((40, 20, 24, 24), activations=("tanh",)),
    "standard": deep((40, 20, 24, 24), (20, 10, 12, 20, 16), activations=("tanh", "gelu")),
    "thorough": deep((40, 20, 24, 24), (60, 30, 40, 40), activations=SMOOTH),
}

_STEPS = 200
_GAMMA = 1000.0  # the kernel moves by a share of about 1e-6


@kept
def _runs(subject: NetworkSubject, descend: Callable) -> Callable:
    """Program of (parameters, x, y, rate): residuals of the network and of its linearization
    before each step and after the last, and the kernel of each step."""
    outputs = outputs_of(subject)

    def runs(params: Any, x: Float[Array, "n d"], y: Float[Array, "n"], rate: Float[Array, ""]):
        residuals = []
        linear = training.linearized(outputs, params)
        path = params
        for model in (linear, outputs):
            path = descend(model, params, x, y, rate=rate, steps=_STEPS)
            residuals.append(jax.lax.map(lambda at, f=model: f(at, x) - y, path))
        return *residuals, training.step_kernels(outputs, path, x)

    return jax.jit(runs)


def _gradient_descent(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    initial: Callable = training.antisymmetric,
    descend: Callable = training.trajectory,
    residuals: Callable = theory.descent_residuals,
    loss_bound: Callable[..., list[float]] = theory.descent_bound,
) -> list[Bracket]:
    """Gradient descent at the largest rate, of the network and of its linearization."""
    draw = Replicate(key, regime, subject)
    x, params = draw.x, initial(draw.params, _GAMMA)
    y = jax.random.normal(jax.random.fold_in(draw.key, 1), (regime.n,))
    rounding = forward_rounding(regime, params, x)
    gram = empirical_at(subject, params, x)
    eigenvalues, vectors = np.linalg.eigh(gram)
    rate = 1 / eigenvalues[-1]
    found = _runs(subject, descend)(params, x, y, rate)
    linear, network, kernels = (np.asarray(part) for part in found)

    # Of K itself, an entry and an eigenvalue; it is a change of K that correct code may have.
    spectral = network_rounding(subject, params, x) + rounding_allowance(8 * regime.n)
    of_kernel = spectral * float(np.trace(gram))
    # A step rounds outputs and parameters, which the outputs meet like another rounding of theirs;
    # no step makes errors larger.
    steps = np.arange(_STEPS + 1)
    of_steps = 4 * (steps + 1) * np.sqrt(regime.n) * rounding

    law = residuals(eigenvalues, vectors.T @ -np.asarray(y), rate, _STEPS)
    sizes = np.linalg.norm(law, axis=1)
    changes = np.linalg.norm(kernels - gram, axis=(1, 2))

    def apart(label: str, run: Float[np.ndarray, "rows n"], changes: Any) -> Bracket:
        """Where the distance from the law comes nearest to its bound."""
        distance = np.linalg.norm(run @ vectors - law, axis=1)
        norms = np.linalg.norm(run, axis=1)[:-1]
        smallest = float(eigenvalues[0])
        allowed = theory.departure_bound(changes + of_kernel, norms, smallest, rate) + of_steps
        worst = int(np.argmax(np.where(np.isnan(distance), np.inf, distance) / allowed))
        found = -distance[worst] / sizes[worst]
        return Bracket(label, found, found, -float(allowed[worst] / sizes[worst]), 1.0, -1.0,
                       f"after {worst} steps")  # fmt: skip

    bound = loss_bound(float(eigenvalues[0]), float(y @ y), rate, _STEPS + 1)
    # A change of the kernel enters the factor of a step.
    growth = 1 + rate * (changes + of_kernel) / (1 - rate * eigenvalues[0])
    allowed = np.sqrt(bound) * np.concatenate([[1.0], np.cumprod(growth)]) + of_steps
    room = (allowed - np.linalg.norm(network, axis=1)) / allowed
    least = float(np.where(np.isnan(room), -np.inf, room).min())
    first = -float(np.abs(network[0] + np.asarray(y)).max())
    return [
        Bracket("output at initialization", first, first, -rounding, rounding),
        apart("distance of the linearization from (I - eta K)^t r_0", linear, np.zeros(_STEPS)),
        apart("distance of the network from (I - eta K)^t r_0", network, changes),
        Bracket("room of the loss under (1 - eta lambda_min)^{2t}", least, least, 0.0, 1.0),
    ]


gradient_descent = Claim(
    name="bombari_amani_mondelli.gradient_descent",
    source=f"{PAPER}, theorem on gradient descent (recalled); A13 and C6 of the spec (derived and "
    "checked); distance from the linear law by the change of the kernel, derived here.",
    statement="With an antisymmetric initialization and a last layer scaled by gamma = 1000, the "
    "output starts at 0, residuals of gradient descent at eta = 1 / lambda_max follow "
    "(I - eta K)^t r_0 as far as the kernel stays, and the loss lies below "
    "(1 - eta lambda_min)^{2t} of the first.",
    needs=SETTING,
    points=_POINTS,
    domain=_DOMAIN,
    subject=unscaled,
    procedure=Bound(_gradient_descent, formula=theory.descent_residuals),
    faults=(
        "law_scale_10",
        "law_scale_minus_10",
        "descent_rate_10",
        "descent_half_frozen",
        "initial_halves_independent",
        "initial_not_paired",
        "initial_of_one_sign",
        "descent_rate_doubled",
        "descent_rate_over_n",
        "descent_uphill",
        "bound_of_half_a_sum",
    ),
)

_GAMMAS = (128.0, 256.0, 512.0, 1024.0)


@kept
def _lazy_slopes(subject: NetworkSubject, initial: Callable, descend: Callable) -> Callable:
    """Statistic of one draw: slopes over log gamma of the log distance between network and
    linearization after descent, of the movement, and of the relative change of the kernel."""
    outputs = outputs_of(subject)

    def statistic(key: Array, like: Float[Array, "n d"]) -> Float[Array, "3"]:
        n = len(like)
        key_x, key_y, key_fresh, key_params = jax.random.split(key, 4)
        x, fresh = subject.inputs(key_x, n), subject.inputs(key_fresh, n)
        y = jax.random.normal(key_y, (n,))
        drawn = draw_params(subject.network, key_params)

        def ends(gamma: Float[Array, ""]) -> Float[Array, "3"]:
            params = initial(drawn, gamma)
            before = training.jacobian(outputs, params, x)
            gram = before @ before.T
            rate = 1 / jnp.linalg.eigvalsh(gram)[-1]
            linear = training.linearized(outputs, params)
            last, last_linear = (
                jax.tree.map(
                    lambda leaf: leaf[-1],
                    descend(model, params, x, y, rate=rate, steps=_STEPS // 2),
                )
                for model in (outputs, linear)
            )
            after = training.jacobian(outputs, last, x)
            moved = optax.tree.norm(jax.tree.map(jnp.subtract, last, params))
            gap = outputs(last, fresh) - linear(last_linear, fresh)
            change = jnp.linalg.norm(after @ after.T - gram) / jnp.linalg.norm(gram)
            return jnp.array([jnp.linalg.norm(gap), moved, change])

        return log_slope(_GAMMAS, jax.lax.map(ends, jnp.array(_GAMMAS)))

    return statistic


def _lazy_rate(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    *,
    stream: str = MEASURED,
    initial: Callable = training.antisymmetric,
    descend: Callable = training.trajectory,
) -> Draw:
    statistic = _lazy_slopes(subject, initial, descend)
    like = jnp.zeros((regime.n, regime.d))
    return replicates(statistic, stream_of(key, stream), like, chunk=8)


lazy_rate = Claim(
    name="bombari_amani_mondelli.lazy_rate",
    source=f"{PAPER}, theorem on gradient descent (recalled); exponents measured in the spec, C6.",
    statement="With an antisymmetric initialization and a last layer scaled by gamma, after "
    "descent at eta = 1 / lambda_max the network departs from its linearization like gamma^-2, "
    "its parameters move like gamma^-1, and its kernel changes by a share of gamma^-2.",
    needs=SETTING,
    points=_POINTS,
    domain=_DOMAIN,
    subject=unscaled,
    procedure=Slopes(
        _lazy_rate,
        labels=("slope of the distance", "slope of the movement", "slope of the kernel's change"),
        formula=theory.lazy_rates,
        remainder=theory.lazy_rates_remainder,
        wrong=(-1.0, 0.0, -1.0),
        resolution=(0.01, 0.005, 0.01),
        pilot=8,
        most=128,
    ),
    faults=(
        "initial_of_root",
        "initial_not_paired",
        "initial_halves_independent",
        "initial_of_one_sign",
    ),
)

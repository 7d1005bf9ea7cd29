"""Kernel identities of derivatives: those of the network, and of every activation, are checked
against differences of values, which share nothing with them."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.activations import ACTIVATIONS, Activation
from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim
from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.setting import (
    ANY,
    REGIMES,
    autodiff_rows,
    lowest_precision,
    mlp_with_twin,
    network_rounding,
    params_and_inputs,
)
from ntval.claims.kernel_identities.words import factor_words
from ntval.claims.procedures import Identity
from ntval.evidence.exact import Comparison
from ntval.kernels.differentiable import raveled
from ntval.networks.rewriting import rewritten, without_rounding, without_rules, without_stops
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject

_DIRECTIONS = 4
_DEVIATIONS = 6  # of what kinks leave, over directions and outputs


def _finite_differences(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    derivative_of: Callable[[Activation], Callable] = lambda sigma: sigma.derivative,
) -> list[Comparison]:
    """Slopes of the outputs along random directions, and the derivatives of our activations."""
    comparisons = [_of_network(key, regime, subject)]
    if subject.network.mlp is not None:
        comparisons += [_of_activation(s, derivative_of(s)) for s in ACTIVATIONS.values()]
    return comparisons


def _of_network(
    key: Array, regime: Regime, subject: NetworkSubject, *, differentiated: Callable | None = None
) -> Comparison:
    """J v against (f(theta + h v) - f(theta - h v)) / 2h; J of `differentiated(f)`, f without it.

    The one-sided slopes differ by what curvature and kinks leave between them: half of it is
    granted, twice, and 6 times its root mean square in units of an output's slopes, since kinks on
    both sides may cancel. Rounding is that of two values, over 2h.
    """
    params, x, _ = params_and_inputs(key, regime, subject)
    flat, unravel = raveled(params)
    step = float(jnp.finfo(lowest_precision(subject)).eps) ** (1 / 3)
    size = jnp.sqrt((flat**2).mean())
    directions = size * jax.random.normal(jax.random.fold_in(key, 3), (_DIRECTIONS, flat.size))

    @jax.jit
    def outputs(theta: Float[Array, "p"]) -> Float[Array, "values"]:
        return subject.network.apply_fn(unravel(theta), x).reshape(-1).astype(float)

    def at(v: Float[Array, "p"], t: float) -> np.ndarray:
        return np.asarray(outputs(flat + t * v))

    middle = np.asarray(outputs(flat))
    ahead = np.stack([at(v, step) - middle for v in directions]) / step
    behind = np.stack([middle - at(v, -step) for v in directions]) / step
    if differentiated is None:
        rows = autodiff_rows(subject, params, x)[1].reshape(len(middle), -1)
    else:
        rows = np.asarray(jax.jacrev(differentiated(outputs))(flat))
    slopes = np.asarray(directions) @ rows.T
    bend = np.abs(ahead - behind) / 2
    # A relative rounding u of every parameter moves an output by at most u |J_i| |theta|.
    reach = np.abs(middle) + np.linalg.norm(rows, axis=1) * float(jnp.linalg.norm(flat))
    rounding = network_rounding(subject, params, x) * reach / step
    scale = np.sqrt((slopes**2).mean(axis=0))
    # 0 = 0, of outputs at an input of zeros: held to the size of the others.
    scale = np.broadcast_to(np.where(scale > 0, scale, scale.max()), slopes.shape)
    # Relative to each output, whose sizes may differ by orders of magnitude.
    relative = np.divide(bend, scale, out=np.zeros_like(bend), where=scale > 0)
    allowed = 2 * bend + _DEVIATIONS * np.sqrt((relative**2).mean()) * scale + rounding
    words = "derivative of f by its parameters against differences of f"
    return Comparison(words, slopes, (ahead + behind) / 2, allowed, scale)


_CHANGES = (
    (causes.RULE, without_rules),
    (causes.STOPPED, without_stops),
    (causes.ROUNDED, without_rounding),
)


def derivative_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """Why the derivative of a network is not that of its values: what has to be taken out of the
    forward pass for automatic differentiation to give it."""
    plain = _of_network(key, regime, subject)
    if not np.isfinite(plain.left).all() and np.isfinite(plain.right).all():
        return causes.NOT_A_NUMBER()
    if _agree(plain):
        return "the derivative of the network is right at the inputs of the diagnosis"
    found = []
    for cause, change in _CHANGES:
        try:
            other = _of_network(
                key, regime, subject, differentiated=lambda f, c=change: rewritten(f, c)
            )
        except Exception:  # operations that do not take what is handed on in place of their operand
            continue
        if _agree(other):
            found.append(cause())
    factor = float((plain.left * plain.right).sum() / max((plain.right**2).sum(), _TINY))
    return causes.one_of(
        found,
        f"the derivative is {factor_words(factor)}, by no single cause; looked for, and not found: "
        + ", ".join(cause.name for cause, _ in _CHANGES),
    )


def _agree(comparison: Comparison) -> bool:
    gap = np.abs(comparison.left - comparison.right)
    return bool((gap <= comparison.allowance).all())


_TINY = 1e-300  # in place of a divisor of 0


# Steps of the five-point formula: its error h^4 |f^(5)| / 30 is below 1e-11 |f|, its rounding
# 1.5 u |f| / h below 1e-12 |f|, at arguments up to 4.
_STEP = 1e-3


def _of_activation(sigma: Activation, derivative: Callable) -> Comparison:
    """A derivative against the five-point formula, away from kinks."""
    t = np.linspace(-4.0, 4.0, 161) + 0.0137
    for kink in sigma.breakpoints:
        t = t[np.abs(t - kink) > 3 * _STEP]
    near = [sigma.fn(t + k * _STEP) for k in (-2, -1, 1, 2)]
    slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * _STEP)
    # Fifth derivatives up to 100. The weights of the formula add up to 1.5 / h, and 64 u leave each
    # value some 40 roundings: 20 ulp.
    rounding = rounding_allowance(64) * max(1.0, float(np.abs(sigma.fn(t)).max())) / _STEP
    allowed = 100 * _STEP**4 / 30 + rounding
    scale = np.ones_like(t) * max(1.0, float(np.abs(slope).max()))
    return Comparison(
        f"derivative of {sigma.name}", derivative(t), slope, np.full_like(t, allowed), scale
    )


finite_differences = Claim(
    name="kernel_identities.finite_differences",
    source="Definition of the derivative; accuracy derived here: the cube root of the precision, "
    "or what kinks leave.",
    statement="The derivative that automatic differentiation or a custom rule gives is that of the "
    "forward pass; so is that of every activation.",
    needs=("forward pass",),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(_finite_differences),
    diagnose=derivative_words,
    faults=("derivative_of_softplus", "apply_custom_derivative", "apply_stops_gradient"),
)

"""What the gap between an analytic kernel and the mean empirical one looks like, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np
import scipy
from jaxtyping import Array, Float

from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.causes import Cause
from ntval.claims.kernel_identities.gaps import pool_inputs
from ntval.claims.kernel_identities.leaves import (
    Leaves,
    fits_in_memory,
    leaf_kernels,
    leaves_of,
    output_covariance,
    outputs_of,
)
from ntval.claims.kernel_identities.words import (
    Fit,
    factor_words,
    gap_words,
)
from ntval.claims.sampling import PILOT, grams_program, infinite, stream_of
from ntval.kernels import analytic
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject

_DIAGNOSED = 256  # draws
_OF_LEAVES = 32  # draws of which kernels are computed leaf by leaf
_COVARIANCE = 1  # what the key of the outputs' draws is folded with
# Sizes of weights and of biases that are looked for, as logarithms: up to a factor of 3. Between
# them kernels are interpolated; by cubic polynomials in steps of a factor 1.4 that is exact beside
# the noise of the draws.
_LOGS = np.linspace(-math.log(3), math.log(3), 7)


@dataclass(frozen=True)
class Family:
    """The mean kernel if some leaves had other sizes: `kernels` at each of `_LOGS`, and the norms
    of the `errors` of what they add to it."""

    kernels: Float[np.ndarray, "sizes n n"]
    errors: Float[np.ndarray, "sizes"]


@dataclass(frozen=True)
class Parts:
    """What draws of a network say of its kernel, whatever the kernel that it is held against.

    `mean`: the mean kernel. `noise`: the norm of its standard error. `same`: whether all draws are
    equal. `outputs`: their number. `covariance`, `covariance_noise`: of the outputs, and the norm
    of its error. `leaves`: those of the parameters. `kernels`: leaf by leaf. `families`: where
    weights, biases or inputs are larger. `no_biases`: where biases are 0, of one size. None and
    empty where they were not looked at.
    """

    mean: Float[np.ndarray, "n n"]
    noise: float
    same: bool
    outputs: int
    covariance: Float[np.ndarray, "n n"]
    covariance_noise: float
    leaves: Leaves
    kernels: Float[np.ndarray, "leaves n n"] | None = None
    families: tuple[tuple[Cause, Family], ...] = ()
    no_biases: Family | None = None


def mean_kernel_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """What the gap between analytic and mean kernel looks like."""
    x = pool_inputs(key, regime, subject)[: regime.n]
    return parts_words("the analytic kernel", infinite(subject, x), parts_of(key, regime, subject))


def nngp_kernel_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """What the gap between the NNGP kernel and the covariance of the outputs looks like."""
    x, key_draws = pool_inputs(key, regime, subject)[: regime.n], stream_of(key, PILOT)
    name, kernel = "the NNGP kernel", np.asarray(analytic.nngp(subject.network, x))
    grams = _drawn_grams(key_draws, x, subject)
    left = float(np.linalg.norm(kernel - grams.mean(axis=0)))
    ntk = Fit(causes.GET, causes.GET(name=name), left, noise=_noise(grams), exact=True)
    covariance, error = output_covariance(subject, x, jax.random.fold_in(key_draws, _COVARIANCE))
    more = [ntk] if np.isfinite(kernel).all() else []
    return gap_words(name, kernel, covariance, noise=error, more=more)


def _drawn_grams(
    key: Array, x: Float[Array, "n *shape"], subject: NetworkSubject
) -> Float[np.ndarray, "draws n n"]:
    return np.asarray(grams_program(subject)(x, jax.random.split(key, _DIAGNOSED)))


def _noise(grams: Float[np.ndarray, "draws n n"]) -> float:
    """The norm of the standard error of the mean."""
    return math.sqrt(grams.var(axis=0, ddof=1).sum() / len(grams))


def parts_of(key: Array, regime: Regime, subject: NetworkSubject) -> Parts:
    """The parts of a network's kernel, at fresh draws."""
    x, key_draws = pool_inputs(key, regime, subject)[: regime.n], stream_of(key, PILOT)
    keys = jax.random.split(key_draws, _DIAGNOSED)
    grams = _drawn_grams(key_draws, x, subject)
    covariance, error = output_covariance(subject, x, jax.random.fold_in(key_draws, _COVARIANCE))
    parts = Parts(
        mean=grams.mean(axis=0),
        noise=_noise(grams),
        same=bool((grams == grams[0]).all()),  # one computation of one set of weights: to the bit
        outputs=outputs_of(subject, x),
        covariance=covariance,
        covariance_noise=error,
        leaves=leaves_of(subject),
    )
    return _looked_into(parts, subject, x, keys) if fits_in_memory(subject, x) else parts


def _looked_into(
    parts: Parts, subject: NetworkSubject, x: Float[Array, "n *shape"], keys: Array
) -> Parts:
    """The parts, with kernels leaf by leaf and at other sizes of weights and biases."""
    leaves, number = parts.leaves, len(parts.leaves.names)

    def at(group: Iterable[int], size: float, x: Float[Array, "n *shape"] = x) -> np.ndarray:
        factors = np.ones(number)
        factors[list(group)] = size
        return np.asarray(leaf_kernels(subject)(x, keys[:_OF_LEAVES], factors))

    own = at((), 1.0)

    def family(drawn: Sequence[np.ndarray]) -> Family:
        # The same draws on both sides: what they have in common cancels.
        change = [(kernels - own).sum(axis=1) for kernels in drawn]
        errors = [math.sqrt(each.var(axis=0, ddof=1).sum() / _OF_LEAVES) for each in change]
        return Family(np.stack([parts.mean + c.mean(axis=0) for c in change]), np.array(errors))

    def trained(kernels: np.ndarray, group: Sequence[int], size: float) -> np.ndarray:
        """Kernels of gradients by the leaves before they are multiplied with their size."""
        found = kernels.copy()
        found[:, list(group)] *= size**2
        return found

    weights, biases = leaves.weights, sorted(leaves.biases)
    sizes = np.exp(_LOGS)
    of_weights = [at(weights, size) for size in sizes]
    # In the NTK parametrization a size is a factor of the layer, and gradients grow with it; in the
    # standard one it is in the weights themselves.
    families = [
        (causes.WEIGHTS, family(of_weights)),
        (
            causes.WEIGHTS,
            family([trained(k, weights, s) for k, s in zip(of_weights, sizes, strict=True)]),
        ),
    ]
    families.append((causes.INPUTS, family([at((), 1.0, size * x) for size in sizes])))
    parts = replace(parts, kernels=own.mean(axis=0), families=tuple(families))
    if not biases:
        return parts
    of_biases = family([trained(at(biases, size), biases, size) for size in sizes])
    return replace(
        parts,
        families=(*families, (causes.BIAS_SIZE, of_biases)),
        no_biases=family([trained(at(biases, 0.0), biases, 0.0)]),
    )


def parts_words(name: str, kernel: Float[np.ndarray, "n n"], parts: Parts) -> str:
    """What the gap of `kernel`, called `name`, to the mean kernel looks like."""
    if parts.same:
        return causes.SAME_WEIGHTS()
    return gap_words(
        name,
        kernel,
        parts.mean,
        noise=parts.noise,
        more=list(_fits(name, kernel, parts)) if np.isfinite(kernel).all() else [],
        outputs=parts.outputs,
    )


def _fits(name: str, kernel: Float[np.ndarray, "n n"], parts: Parts) -> Iterator[Fit]:
    """What is left of the gap by causes that the network's parts show."""
    left = float(np.linalg.norm(kernel - parts.covariance))
    said = causes.NNGP(name=name)
    yield Fit(causes.NNGP, said, left, noise=parts.covariance_noise, exact=True)
    if parts.kernels is None:
        return
    yield _parametrization(name, kernel, parts, parts.kernels)
    if parts.no_biases is not None:
        left = float(np.linalg.norm(kernel - parts.no_biases.kernels[0]))
        noise = math.hypot(parts.noise, parts.no_biases.errors[0])
        yield Fit(causes.NO_BIAS, causes.NO_BIAS(name=name), left, noise=noise, exact=True)
    for cause, family in parts.families:
        size, error, found, slope = _nearest(kernel, family)
        noise = math.hypot(parts.noise, error)
        too = "too large" if size > 1 else "too small"
        within = 2 * noise * size / slope if slope > 0 else math.inf
        said = cause(name=name, factor=factor_words(size, within), too=too)
        if not _proportional(found, kernel, parts.mean, noise):
            yield Fit(cause, said, float(np.linalg.norm(kernel - found)), noise=noise)


def _nearest(
    kernel: Float[np.ndarray, "n n"], family: Family
) -> tuple[float, float, Float[np.ndarray, "n n"], float]:
    """The size at which a family is nearest to `kernel`, the norm of the error of its kernel, that
    kernel, and the norm of its derivative by the logarithm of the size."""
    logs = np.linspace(_LOGS[0], _LOGS[-1], _FINE)
    kernels = scipy.interpolate.CubicSpline(_LOGS, family.kernels)
    found = kernels(logs)
    best = int(np.linalg.norm(found - kernel, axis=(1, 2)).argmin())
    return (
        math.exp(logs[best]),
        float(np.interp(logs[best], _LOGS, family.errors)),
        found[best],
        float(np.linalg.norm(kernels(logs[best], 1))),
    )


_FINE = 4001  # steps of 0.1 %


def _proportional(
    found: Float[np.ndarray, "n n"],
    kernel: Float[np.ndarray, "n n"],
    mean: Float[np.ndarray, "n n"],
    noise: float,
) -> bool:
    """Whether other sizes make the kernel larger throughout, as far as chance lets see: a wrong
    scale, and no other cause."""
    seen = max(2 * noise, _NOTHING * float(np.linalg.norm(kernel - mean)))
    return float(np.linalg.norm(found - (found * mean).sum() / (mean**2).sum() * mean)) <= seen


_NOTHING = 0.02  # of the gap


def _parametrization(
    name: str, kernel: Float[np.ndarray, "n n"], parts: Parts, kernels: np.ndarray
) -> Fit:
    """Weights trained in another parametrization: the kernel of each is larger or smaller by what
    it is summed over, times one number, W_std^2 or 1 / W_std^2; those of biases by another."""
    weights, biases = list(parts.leaves.weights), sorted(parts.leaves.biases)
    left = math.inf
    for axis in parts.leaves.output_axes(parts.outputs):
        for power in (1, -1):
            factors = parts.leaves.fan_in(axis)[weights] ** power
            columns = [(factors[:, None, None] * kernels[weights]).sum(axis=0).ravel()]
            if biases:
                columns.append(kernels[biases].sum(axis=0).ravel())
            bounds = [(1 / _W_STD**2, _W_STD**2), (0.0, np.inf)][: len(columns)]
            found = scipy.optimize.lsq_linear(
                np.stack(columns, 1), kernel.ravel(), tuple(zip(*bounds, strict=True))
            )
            if len(set(factors)) > 1:
                left = min(left, math.sqrt(2 * found.cost))
    size = float(np.linalg.norm(kernel) / np.linalg.norm(parts.mean))
    said = causes.PARAMETRIZATION(name=name, factor=factor_words(size))
    # The parts are of fewer draws than the mean, and the kernel may be of another size.
    noise = parts.noise * math.sqrt(_DIAGNOSED / _OF_LEAVES) * size
    return Fit(causes.PARAMETRIZATION, said, left, noise=noise)


_W_STD = 3.0  # no usual W_std is larger, or smaller than its inverse

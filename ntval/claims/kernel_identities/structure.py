"""Kernel identities of structure: symmetry, permutations, eigenvalues, the closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import AnyArray, rounding_allowance
from ntval.claims.claim import Claim
from ntval.claims.kernel_identities.setting import ANY, REGIMES, Kernel, kernels, mlp_with_twin
from ntval.claims.procedures import Bound, Identity
from ntval.claims.sampling import draw_params
from ntval.evidence.exact import Bracket, Comparison
from ntval.kernels import analytic, quadrature_oracle
from ntval.networks.network import num_params
from ntval.observables import spectra
from ntval.observables.entries import entry_scale
from ntval.regimes import Regime
from ntval.subjects.subject import GramSubject, NetworkSubject

Kernels = NetworkSubject | GramSubject


def _symmetry(key: Array, regime: Regime, subject: Kernels) -> list[Comparison]:
    """K(x1, x2) against K(x2, x1)^T."""

    def compare(k: Kernel) -> Comparison:
        left, right = k.at(k.x1, k.x2), k.at(k.x2, k.x1).T
        return k.agree("K(x1, x2) against K(x2, x1)^T", left, right, k.entry_scale())

    return [compare(kernel) for kernel in kernels(key, regime, subject)]


symmetry = Claim(
    name="kernel_identities.symmetry",
    source="K(x, x') is an inner product.",
    statement="K(x1, x2) = K(x2, x1)^T, empirical and analytic.",
    needs=("kernel",),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(_symmetry),
    faults=("analytic_asymmetric", "empirical_asymmetric", "analytic_stale_inputs"),
    prerequisite=("a kernel_fn with K(x1, x2) = K(x2, x1)^T", "correct it, or leave kernel_fn out"),
)


def _permutation_equivariance(key: Array, regime: Regime, subject: Kernels) -> list[Comparison]:
    """Rows in another order against inputs in another order."""
    order = np.roll(np.arange(regime.n), 1)[::-1]

    def compare(k: Kernel) -> Comparison:
        left, right = k.at(k.x1[order], k.x2), k.at(k.x1, k.x2)[order]
        return k.agree("K(P x1, x2) against P K(x1, x2)", left, right, k.entry_scale()[order])

    return [compare(kernel) for kernel in kernels(key, regime, subject)]


permutation_equivariance = Claim(
    name="kernel_identities.permutation_equivariance",
    source="K is a function of pairs of inputs, not of their place in the batch.",
    statement="K(P x1, x2) = P K(x1, x2) for every permutation P, empirical and analytic.",
    needs=("kernel",),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(_permutation_equivariance),
    faults=("analytic_permuted_rows", "empirical_permuted_rows", "analytic_stale_inputs"),
)


_FIRST, _LAST = 8, 7  # rows of a block and its columns: two numbers, one of them odd


def _block_consistency(key: Array, regime: Regime, subject: Kernels) -> list[Comparison]:
    """K(x1, x2) against the block of K of all inputs, x1 the first of them and x2 the last; and
    K(x1, x1) against K(x1)."""

    def compare(k: Kernel) -> Iterator[Comparison]:
        x = k.x1 if len(k.x1) > _FIRST + _LAST else np.concatenate([k.x1, k.x2[:_LAST]])
        whole, first = np.asarray(k.at(x)), x[:_FIRST]
        scale = entry_scale(np.diag(whole))
        for words, last, columns in (
            ("K(x1, x2) against its block of K([x1; x2])", x[-_LAST:], slice(-_LAST, None)),
            ("K(x1, x1) against K(x1)", first, slice(0, len(first))),
        ):
            block, size = whole[: len(first), columns], scale[: len(first), columns]
            comparison = k.agree(words, k.at(first, last), block, size)
            if k.name.startswith("analytic"):
                # Inputs may be in both, or nearly so: arccos loses digits as 1 / sin(angle).
                cosines = np.clip(np.abs(block) / np.where(size > 0, size, 1.0), 0.0, 1.0)
                room = analytic.ACCURACY * quadrature_oracle.steepness(cosines)
                room = (room + k.coincident * (cosines > 1 - k.rounding)) * size
                comparison = replace(comparison, allowance=comparison.allowance + room)
            yield comparison

    return [c for kernel in kernels(key, regime, subject) for c in compare(kernel)]


block_consistency = Claim(
    name="kernel_identities.block_consistency",
    source="K is a function of pairs of inputs, whichever call they come in.",
    statement="K(x1, x2), by which predictions are made, is the off-diagonal block of "
    "K([x1; x2]), empirical and analytic.",
    needs=("forward pass",),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(_block_consistency),
    every_input=True,
    faults=(
        "analytic_asymmetric",
        "empirical_asymmetric",
        "empirical_rectangular_3",
        "analytic_rectangular_50",
        "analytic_stale_inputs",
    ),
)


def _positive_semidefinite(key: Array, regime: Regime, subject: Kernels) -> list[Bracket]:
    """Smallest eigenvalues enclosed, each against what rounding may have made of 0."""
    brackets = []
    for kernel in kernels(key, regime, subject):
        gram = np.asarray(kernel.at(kernel.x1))
        gram = (gram + gram.T) / 2  # asymmetry is another claim's business
        trace = float(np.abs(np.diag(gram)).sum())
        if not np.isfinite(gram).all():
            words = f"the {kernel.name} kernel is not finite: smallest eigenvalue"
            brackets.append(Bracket(words, math.nan, math.nan, bound=0.0, scale=1.0))
            continue
        floor = (kernel.rounding + 4 * rounding_allowance(len(gram) + 1)) * trace
        floor = max(floor, 2 * np.finfo(float).tiny)  # where K is 0 a certificate leaves one
        smallest = spectra.min_eigenvalue(gram)
        features = None
        if isinstance(subject, NetworkSubject) and kernel.name == "empirical":
            features = _num_features(key, subject, kernel.x1)
        brackets.append(
            Bracket(
                f"smallest eigenvalue of the {kernel.name} kernel",
                lower=spectra.certified_min_eigenvalue(gram),
                upper=smallest + rounding_allowance(4 * len(gram)) * trace,
                bound=-floor,
                scale=trace,
                note=_eigenvalue_words(gram, smallest, floor, features),
            )
        )
    return brackets


def _num_features(key: Array, subject: NetworkSubject, x: Float[AnyArray, "n *shape"]) -> int:
    """Number of parameters times outputs: K is the Gram matrix of vectors no longer than that."""
    params = draw_params(subject.network, key)
    outputs = jax.eval_shape(subject.network.apply_fn, params, x).shape[1:]
    return num_params(params) * math.prod(outputs)


_NEAR = 1e-6  # 1 - |cosine| of rows that are called nearly equal


def _eigenvalue_words(
    gram: Float[np.ndarray, "n n"], smallest: float, floor: float, features: int | None
) -> str:
    """What the smallest eigenvalue looks like: positive, 0 as predicted, rounding, or a bug."""
    if smallest > floor:
        return "positive"
    if smallest < -floor:
        return "negative beyond rounding: no Gram matrix, a bug"
    n = len(gram)
    if features is not None and features < n:
        return f"rank-deficient as predicted: {n} inputs, {features} parameters times outputs"
    sizes = entry_scale(np.diag(gram))
    cosines = np.abs(np.triu(gram, 1)) / np.maximum(sizes, np.finfo(float).tiny)
    i, j = np.unravel_index(int(cosines.argmax()), cosines.shape)
    words = f"0 within rounding ({smallest:.1e}): "
    if 1 - cosines[i, j] < _NEAR:
        return words + f"inputs {i} and {j} are nearly the same to the kernel"
    return (
        words + "singular, or too small for the precision; look for dead units, a polynomial "
        "activation, float32"
    )


positive_semidefinite = Claim(
    name="kernel_identities.positive_semidefinite",
    source="K = J J^T is a Gram matrix.",
    statement="The smallest eigenvalue of K is not negative, empirical and analytic.",
    needs=("kernel",),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Bound(_positive_semidefinite),
    every_input=True,
    faults=("analytic_shifted_down", "empirical_shifted_down", "analytic_entry_exceeds_diagonal"),
    prerequisite=(
        "a kernel_fn whose Gram matrices are positive semi-definite",
        "correct it, or leave kernel_fn out",
    ),
)


def _analytic_oracle(key: Array, regime: Regime, subject: NetworkSubject) -> list[Comparison]:
    """The analytic kernel against the layer recursion by quadrature."""
    x = subject.inputs(key, regime.n)
    left = np.asarray(analytic.ntk(subject.network, x))
    right = np.asarray(quadrature_oracle.ntk(subject.mlp, x))
    scale = entry_scale(np.diag(right))
    # arccos loses digits as 1 / sin(angle); on the diagonal both sides are exact.
    steepness = quadrature_oracle.steepness(np.clip(np.abs(right / scale), 0.0, 1.0))
    np.fill_diagonal(steepness, 1.0)
    accuracy = analytic.accuracy(subject.network) + quadrature_oracle.ACCURACY
    words = "analytic K against quadrature"
    return [Comparison(words, left, right, accuracy * steepness * scale, scale)]


analytic_oracle = Claim(
    name="kernel_identities.analytic_oracle",
    source="Layer recursion of the infinite-width kernel; Jacot et al. (2018), recalled.",
    statement="The infinite-width kernel of neural-tangents equals our own quadrature.",
    needs=("mlp", "kernel_fn"),
    points={
        **REGIMES,
        "quick": (
            *REGIMES["quick"],
            *(Regime(n=8, d=8, widths=(64,), activation=name) for name in ("relu", "gelu")),
        ),
    },
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(_analytic_oracle),
    faults=(
        "analytic_scale_1",
        "analytic_scale_3",
        "analytic_scale_10",
        "analytic_scale_100",
        "analytic_off_diagonal_1",
        "analytic_off_diagonal_3",
        "analytic_off_diagonal_10",
        "analytic_off_diagonal_100",
        "analytic_row_10",
        "analytic_entry_15",
        "analytic_derivative",
        "analytic_function",
        "analytic_drops_bias",
        "analytic_drops_layer",
        "analytic_drops_head",
        "analytic_float32",
        "analytic_bfloat16",
        "analytic_jitter",
        "analytic_leaky_relu_for_relu",
        "analytic_silu_for_gelu",
        "analytic_erf_sqrt2_for_erf",
        "analytic_erf_for_tanh",
        "analytic_bias_cubed",
    ),
)

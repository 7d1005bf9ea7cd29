r"""Infinite-width kernels without neural-tangents: closed forms, and quadrature split at kinks.

The oracle for `analytic`: NumPy and SciPy alone, one two-dimensional quadrature for every
activation. The pair $(u, v)$ of pre-activations is written in polar coordinates of the plane that
its law lives on,
$$u = \sqrt{k_{11}} \, r \cos(\varphi + \theta / 2), \qquad
  v = \sqrt{k_{22}} \, r \cos(\varphi - \theta / 2), \qquad
  \cos\theta = k_{12} / \sqrt{k_{11} k_{22}},$$
with $\varphi$ uniform and independent of $r$. A kink at 0 then is a ray, and a kink elsewhere one
radius on each ray: both are panel boundaries, so that Gauss-Legendre rules converge at the rate of
the smooth pieces between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.spatial.distance import cdist

from ntval import arrays
from ntval.activations import activation
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import InputError
from ntval.kernels.inputs import require_rows
from ntval.networks.mlp import NTK, STANDARD, Mlp, parametrization

Law = Literal["gaussian", "sphere"]
Function = Callable[[Float[np.ndarray, "..."]], Float[np.ndarray, "..."]]
Values = Float[np.ndarray, "pairs"]

# Of an expectation, in units of sqrt(E f(u)^2 E f(v)^2), times `steepness`.
ACCURACY = 1e-12


def steepness(cosine: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    r"""Factor by which the rounding of a cosine grows in a kernel of its angle.

    $$1 + 1 / \sqrt{\max(1 - \cos^2\theta, \epsilon)}$$

    Source: $|d \arccos(c) / dc| = 1 / \sqrt{1 - c^2}$ (derived). A cosine is known to a unit
    roundoff $u$ only, hence its square to $2u = \epsilon$, and $1 - c^2$ cannot be told from
    $\epsilon$ below it.
    """
    return 1 + 1 / np.sqrt(np.maximum(1 - cosine**2, 2 * arrays.UNIT_ROUNDOFF))


# Beyond 10 standard deviations lies less than exp(-50) of the radial law.
_RADIUS = 10.0
_RADIAL_EDGES = (0.0, 1.5, 4.0, _RADIUS)
_RADIAL_NODES = 32
_ANGULAR_NODES = 48
# Graded panels are many and short.
_GRADED_ANGULAR_NODES = 16
# Towards a ray where a kink's radius passes to infinity, panels shrink by halves.
_GRADING = tuple(2.0**-k for k in range(6))
_CHUNK_BYTES = 16 * 2**20


def expectation(
    fn: Function,
    k11: Float[np.ndarray, "..."] | float,
    k22: Float[np.ndarray, "..."] | float,
    k12: Float[np.ndarray, "..."] | float,
    *,
    breakpoints: tuple[float, ...] = (),
    law: Law | str = "gaussian",
    d: int | None = None,
) -> Float[np.ndarray, "..."]:
    r"""$E[f(u) f(v)]$ by quadrature, split where u or v meets one of `breakpoints`.

    `law="gaussian"`: (u, v) of law N(0, [[k11, k12], [k12, k22]]).
    `law="sphere"`: (u, v) = (<w, x>, <w, z>), w uniform on the unit sphere of R^d, with
    k11 = <x, x>, k22 = <z, z>, k12 = <x, z>. There $r = \sin\psi$, of density
    $(d - 2) \sin\psi \cos^{d-3}\psi$ for d >= 3; $r = 1$ for d = 2.

    The three variances broadcast; the result has their common shape.

    Source: derived.
    Accuracy: `ACCURACY` $(1 + 1/\sin\theta)$ in units of $\sqrt{E f(u)^2 \, E f(v)^2}$ for the
    activations of `ACTIVATIONS` and their derivatives at variances from 0.1 to 10 (`sphere`: at
    k11 / d and k22 / d of that size); at $k_{12} = \pm k_{11} = \pm k_{22}$ `ACCURACY`. With
    breakpoints other than 0, 1e-9 (measured: 1e-14), on the sphere of R^3 1e-6 (3e-7).
    Raises: `InputError` when the three are no covariance, or `d` does not fit `law`.
    """
    k11, k22, k12 = np.broadcast_arrays(*(np.asarray(k, dtype=np.float64) for k in (k11, k22, k12)))
    _require_covariance(k11, k22, k12)
    law = _require_law(law, d)
    scales, theta = _scales_and_angle(k11.ravel(), k22.ravel(), k12.ravel())
    (result,) = _expectations((fn,), *scales, theta, breakpoints=breakpoints, law=law, d=d)
    return result.reshape(k11.shape)


def ntk(
    mlp: Mlp,
    x1: Float[AnyArray, "n1 d"] | ArrayLike,
    x2: Float[AnyArray, "n2 d"] | ArrayLike | None = None,
) -> Float[Array, "n1 n2"]:
    r"""Infinite-width NTK of `mlp` by quadrature, layer by layer.

    $$\Sigma_1 = w^2 \langle x, x' \rangle / d + c^2, \qquad
      \Sigma_{l+1} = w^2 E[\sigma(u)\sigma(v)] + c^2$$
    $$\Theta_1 = \Sigma_1, \qquad
      \Theta_{l+1} = \Sigma_{l+1} + w^2 \, \Theta_l \, E[\sigma'(u)\sigma'(v)]$$

    with $(u, v)$ of covariance $\Sigma_l$, $w$ = `w_std` and $c$ = `b_std` on every layer.
    `standard`: the parameters are larger by $\sqrt{\text{fan in}}$ and $1 / c$, so the term
    $\Sigma_{l+1}$ of $\Theta_{l+1}$ becomes $N_l E[\sigma(u)\sigma(v)] + 1$ at the widths $N_l$ of
    `mlp` (without + 1 when $c = 0$), and $\Theta_1 = \langle x, x' \rangle + 1$.
    `montanari_zhong`: $\langle x, x' \rangle / d \; E[\sigma'(u)\sigma'(v)]$, w uniform on the unit
    sphere of R^d: exact at every d and width, in expectation over the weights.

    Source: Jacot, Gabriel & Hongler (2018); Lee et al. (2019) for `standard`; Montanari & Zhong
    (2022) (all recalled; the factors of `standard` and `montanari_zhong` derived).
    Accuracy: as `expectation`, times the number of hidden layers and the growth of errors from
    layer to layer. Rows of `x2` equal to rows of `x1` are recognized and have no loss.
    Raises: `InputError` on malformed inputs.
    """
    return _kernels(mlp, x1, x2)[1]


def nngp(
    mlp: Mlp,
    x1: Float[AnyArray, "n1 d"] | ArrayLike,
    x2: Float[AnyArray, "n2 d"] | ArrayLike | None = None,
) -> Float[Array, "n1 n2"]:
    r"""Infinite-width covariance of the outputs of `mlp` by quadrature: $\Sigma$ of `ntk`.

    The same for `ntk` and `standard`. For `montanari_zhong` $E[\sigma(u)\sigma(v)] / d$: what
    `two_layer.ntk` with `layers="second"` is in expectation. The fixed signs take
    $E[\sigma(u)] E[\sigma(v)] / d$ from the covariance of that network's outputs.

    Source: Lee et al. (2018) (recalled); `montanari_zhong` derived.
    Accuracy, Raises: as `ntk`.
    """
    return _kernels(mlp, x1, x2)[0]


def _kernels(mlp: Mlp, x1, x2) -> tuple[Float[Array, "n1 n2"], Float[Array, "n1 n2"]]:
    """NNGP and NTK: the recursion over all pairs, half of them when `x2` is None."""
    with arrays.float64():
        first, second = require_rows(mlp, x1, x2)
        symmetric = second is None
        second = first if second is None else second
        if symmetric:
            row, column = np.triu_indices(len(first))
        else:
            row, column = (index.ravel() for index in np.indices((len(first), len(second))))
        inputs1, inputs2 = (np.einsum("id,id->i", x, x) for x in (first, second))
        products = (first @ second.T)[row, column]
        labels = np.unique(np.concatenate([first, second]), axis=0, return_inverse=True)[1].ravel()
        same = labels[row] == labels[len(first) + column]
        products[same] = inputs1[row[same]]
        if mlp.trained_first:
            kernels = _sphere_pairs(mlp, inputs1[row], inputs2[column], products, same)
        else:
            kernels = _layered_pairs(mlp, inputs1, inputs2, products, row, column, same)
        shape = (len(first), len(second))
        nngp, ntk = (jnp.asarray(_placed(k, row, column, shape, symmetric)) for k in kernels)
        return nngp, ntk


def _placed(values: Values, row, column, shape, symmetric: bool) -> Float[np.ndarray, "n1 n2"]:
    result = np.zeros(shape)
    if symmetric:
        result[column, row] = values
    result[row, column] = values
    return result


def _sphere_pairs(mlp: Mlp, k11: Values, k22: Values, k12: Values, same) -> tuple[Values, Values]:
    sigma = activation(mlp.activation)
    scales, theta = _scales_and_angle(k11, k22, k12)
    theta[same] = 0.0
    values, slopes = _expectations(
        (sigma.fn, sigma.derivative),
        *scales,
        theta,
        breakpoints=sigma.breakpoints,
        law="sphere",
        d=mlp.d,
    )
    return values / mlp.d, k12 / mlp.d * slopes


def _layered_pairs(
    mlp: Mlp, inputs1, inputs2, products: Values, row, column, same
) -> tuple[Values, Values]:
    sigma = activation(mlp.activation)
    found = parametrization(mlp.parametrization)
    if found not in (NTK, STANDARD):
        raise InputError(
            f"quadrature_oracle needs a parametrization of ntval's own, got {found.name!r}; "
            "use an empirical kernel."
        )
    standard = found == STANDARD
    w_squared, b_squared = mlp.w_std**2, mlp.b_std**2

    def with_bias(value):
        return w_squared * value + b_squared

    k11, k22, k12 = (with_bias(value / mlp.d) for value in (inputs1, inputs2, products))
    theta_kernel = products + (b_squared > 0) if standard else k12
    for width in mlp.widths:
        scales, angle = _scales_and_angle(k11[row], k22[column], k12)
        angle[same] = 0.0
        values, slopes = _expectations(
            (sigma.fn, sigma.derivative), *scales, angle, breakpoints=sigma.breakpoints
        )
        k11, k22 = (with_bias(_variance(sigma, k)) for k in (k11, k22))
        k12 = with_bias(values)
        k12[same] = k11[row[same]]
        own = width * values + (b_squared > 0) if standard else k12
        theta_kernel = own + w_squared * theta_kernel * slopes
    return k12, theta_kernel


def _variance(sigma, k: Values) -> Values:
    scale = np.sqrt(k)
    (result,) = _expectations(
        (sigma.fn,), scale, scale, np.zeros_like(k), breakpoints=sigma.breakpoints
    )
    return result


def _scales_and_angle(
    k11: Values, k22: Values, k12: Values
) -> tuple[tuple[Values, Values], Values]:
    r"""Standard deviations, and $\theta = \operatorname{atan2}(\sqrt{\det}, k_{12})$."""
    a, b = np.sqrt(k11), np.sqrt(k22)
    product = a * b
    # (ab - k12)(ab + k12) loses less than k11 k22 - k12^2 near coincident points.
    determinant = np.maximum((product - k12) * (product + k12), 0.0)
    theta = np.arctan2(np.sqrt(determinant), k12)
    # Four roundings of a b from coincident or opposite: the angle is rounding, and is 0 or pi.
    rounded = product - np.abs(k12) <= 4 * arrays.UNIT_ROUNDOFF * product
    theta = np.where(rounded, np.where(k12 > 0, 0.0, np.pi), theta)
    return (a, b), np.where(product == 0, np.pi / 2, theta)


def _expectations(
    fns: tuple[Function, ...],
    a: Values,
    b: Values,
    theta: Values,
    *,
    breakpoints: tuple[float, ...] = (),
    law: Law = "gaussian",
    d: int | None = None,
) -> list[Values]:
    """`expectation` of several functions at the same nodes, in chunks of bounded memory."""
    if law == "sphere" and d == 1:  # w = +1 or -1
        u, v = a, b * np.where(theta < np.pi / 2, 1.0, -1.0)
        return [(fn(u) * fn(v) + fn(-u) * fn(-v)) / 2 for fn in fns]
    kinks = tuple(sorted({float(t) for t in breakpoints if t != 0}))
    # Panels: two halves of each, graded ones where kinks are off the origin.
    rays = 2 + len(kinks) ** 2 + (4 * len(kinks) if law == "sphere" else 0)
    graded = _GRADED_ANGULAR_NODES * 2 * (len(_GRADING) + 1)
    angular = rays * (graded if kinks else 2 * _ANGULAR_NODES)
    radial = (len(_RADIAL_EDGES) - 1 + 2 * len(kinks)) * _RADIAL_NODES
    chunk = max(1, _CHUNK_BYTES // (8 * angular * radial))
    results = [np.empty_like(a) for _ in fns]
    for start in range(0, len(a), chunk):
        part = slice(start, start + chunk)
        values = _chunk_expectations(fns, a[part], b[part], theta[part], kinks, law, d)
        for result, value in zip(results, values, strict=True):
            result[part] = value
    return results


def _chunk_expectations(fns, a, b, theta, kinks, law: Law, d: int | None) -> list[Values]:
    phi, phi_weights = _angular_rule(a, b, theta, kinks, law)
    cos1 = np.cos(phi + theta[:, None] / 2)
    cos2 = np.cos(phi - theta[:, None] / 2)
    totals = [np.zeros_like(a) for _ in fns]
    for sign in (1.0, -1.0):
        slope1, slope2 = sign * a[:, None] * cos1, sign * b[:, None] * cos2
        r, r_weights = _radial_rule(slope1, slope2, kinks, law, d)
        weights = phi_weights[..., None] * r_weights / (2 * np.pi)
        u, v = slope1[..., None] * r, slope2[..., None] * r
        for total, fn in zip(totals, fns, strict=True):
            total += np.einsum("pfr,pfr->p", weights, fn(u) * fn(v))
    return totals


def _angular_rule(a, b, theta, kinks, law: Law):
    r"""Nodes and weights on half a turn of $\varphi$, split where the integrand is not smooth.

    These are the rays where u or v is 0, and those where a kink of u crosses a kink of v: where
    $t_j a \cos(\varphi + \theta/2) = t_i b \cos(\varphi - \theta/2)$. On the sphere also those
    where a kink leaves the disk: where $a \cos(\varphi + \theta/2) = t$, the same for v.
    """
    start = (np.pi - theta) / 2
    rays = [start, (np.pi + theta) / 2]
    for t_i in kinks:
        for t_j in kinks:
            p, q = t_j * a, t_i * b
            rays.append(np.arctan2((p - q) * np.cos(theta / 2), (p + q) * np.sin(theta / 2)))
        if law == "sphere":
            for scale, turn in ((a, -theta / 2), (b, theta / 2)):
                with np.errstate(divide="ignore"):
                    opening = np.arccos(np.clip(t_i / scale, -1.0, 1.0))
                rays += [turn + opening, turn - opening]
    edges = np.stack([start + np.mod(ray - start, np.pi) for ray in rays] + [start + np.pi], axis=1)
    edges = np.sort(edges, axis=1)
    left, right = edges[:, :-1], edges[:, 1:]
    fractions = _GRADING if kinks else (1.0,)
    halves = [(right - left) / 2 * fraction for fraction in fractions]
    pieces = [left + half for half in halves] + [right - half for half in halves if kinks]
    edges = np.sort(np.concatenate([edges, *pieces], axis=1), axis=1)
    nodes, weights = _panels(edges, _GRADED_ANGULAR_NODES if kinks else _ANGULAR_NODES)
    return nodes.reshape(len(a), -1), weights.reshape(len(a), -1)


def _radial_rule(slope1, slope2, kinks, law: Law, d: int | None):
    """Nodes r and weights on each ray, split where u or v meets a kink."""
    dimension = d if law == "sphere" else None
    if dimension == 2:
        return np.ones((*slope1.shape, 1)), np.ones((*slope1.shape, 1))
    limit = _RADIUS
    if dimension is not None:
        # cos^(d-3)(psi) <= exp(-(d-3) psi^2 / 2): the same tail as the Gaussian's.
        limit = min(math.pi / 2, _RADIUS / math.sqrt(max(dimension - 3, 1)))
    base = np.asarray(_RADIAL_EDGES) * (limit / _RADIUS)
    crossings = []
    for slope in (slope1, slope2):
        for t in kinks:
            with np.errstate(divide="ignore", over="ignore"):
                r = np.where(slope * t > 0, t / np.where(slope == 0, 1.0, slope), np.inf)
            crossings.append(np.arcsin(np.minimum(r, 1.0)) if law == "sphere" else r)
    if crossings:
        fixed = np.broadcast_to(base, (*slope1.shape, len(base)))
        moving = np.minimum(np.stack(crossings, axis=-1), limit)
        base = np.sort(np.concatenate([fixed, moving], axis=-1), axis=-1)
    else:
        base = base[None, None]
    nodes, weights = (part.reshape(*base.shape[:-1], -1) for part in _panels(base, _RADIAL_NODES))
    if dimension is not None:
        density = (dimension - 2) * np.sin(nodes) * np.cos(nodes) ** (dimension - 3)
        return np.sin(nodes), weights * density
    return nodes, weights * nodes * np.exp(-nodes * nodes / 2)


def _panels(edges: Float[np.ndarray, "... e"], count: int):
    """Gauss-Legendre nodes and weights of every panel between neighbouring edges."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    middle = (edges[..., 1:] + edges[..., :-1]) / 2
    half = (edges[..., 1:] - edges[..., :-1]) / 2
    return middle[..., None] + half[..., None] * nodes, half[..., None] * weights


def _polar(name: str, x: Float[np.ndarray, "n d"]):
    norms = np.linalg.norm(x, axis=1)
    if (norms == 0).any():
        raise InputError(
            f"quadrature needs nonzero rows, got a zero row {name}[{int(np.argmin(norms))}]; "
            "remove it or add a bias feature."
        )
    return norms, x / norms[:, None]


def _angles(units1, units2) -> Float[np.ndarray, "n1 n2"]:
    return 2 * np.arctan2(cdist(units1, units2), cdist(units1, -units2))


def _require_covariance(k11, k22, k12) -> None:
    if not all(np.isfinite(k).all() for k in (k11, k22, k12)):
        raise InputError("expectation needs finite k11, k22 and k12; remove the others.")
    if (k11 < 0).any() or (k22 < 0).any():
        raise InputError(f"expectation needs variances >= 0, got k11={k11.min()}, k22={k22.min()}.")
    bound = np.sqrt(k11 * k22)
    excess = np.abs(k12) - bound * (1 + arrays.rounding_allowance(64))
    if (excess > 0).any():
        raise InputError(
            f"expectation needs |k12| <= sqrt(k11 k22), got k12={k12.flat[np.argmax(excess)]}, "
            f"sqrt(k11 k22)={bound.flat[np.argmax(excess)]}; check the covariance."
        )


def _require_law(law: str, d: int | None) -> Law:
    if law not in ("gaussian", "sphere"):
        raise InputError(f"law needs 'gaussian' or 'sphere', got {law!r}.")
    if (law == "sphere") != (d is not None) or (d is not None and d < 1):
        raise InputError(
            f"law='sphere' needs a dimension d >= 1 and 'gaussian' none, got law={law!r}, d={d}."
        )
    return law

r"""Laws of inputs, each with $E\|x\|^2 = d$: those that a theorem's hypotheses may allow.

| law | what it is |
|---|---|
| `sphere` | uniform on the sphere of radius $\sqrt d$ |
| `gaussian` | independent N(0, 1) entries |
| `cube` | independent entries +1 and -1 |
| `anisotropic` | independent Gaussian entries, the variance of number i proportional to 1/i |
| `low_rank` | Gaussian in a random subspace of d/4 dimensions, a tenth of the variance around it |
| `clustered` | near one of three random points, at a tenth of their variance |
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntval.data import spheres
from ntval.errors import unknown_name

_AROUND = 0.1  # the share of the variance that is around a subspace or a centre
_CENTRES = 3

Inputs = Callable[[Array, int], Float[Array, "n d"]]


def _gaussian(key: Array, n: int, d: int) -> Float[Array, "n d"]:
    return jax.random.normal(key, (n, d))


def _cube(key: Array, n: int, d: int) -> Float[Array, "n d"]:
    return jax.random.rademacher(key, (n, d), dtype=float)


def _anisotropic(key: Array, n: int, d: int) -> Float[Array, "n d"]:
    variances = 1 / jnp.arange(1, d + 1)
    return _gaussian(key, n, d) * jnp.sqrt(variances * d / variances.sum())


def _low_rank(key: Array, n: int, d: int) -> Float[Array, "n d"]:
    key_space, key_in, key_around = jax.random.split(key, 3)
    rank = max(1, d // 4)
    basis, _ = jnp.linalg.qr(_gaussian(key_space, d, rank))
    within = _gaussian(key_in, n, rank) @ basis.T * math.sqrt((1 - _AROUND) * d / rank)
    return within + math.sqrt(_AROUND) * _gaussian(key_around, n, d)


def _clustered(key: Array, n: int, d: int) -> Float[Array, "n d"]:
    key_centres, key_which, key_around = jax.random.split(key, 3)
    centres = spheres.sphere(key_centres, _CENTRES, d)
    which = jax.random.randint(key_which, (n,), 0, _CENTRES)
    around = _gaussian(key_around, n, d)
    return math.sqrt(1 - _AROUND) * centres[which] + math.sqrt(_AROUND) * around


LAWS: dict[str, Callable[[Array, int, int], Float[Array, "n d"]]] = {
    "sphere": spheres.sphere,
    "gaussian": _gaussian,
    "cube": _cube,
    "anisotropic": _anisotropic,
    "low_rank": _low_rank,
    "clustered": _clustered,
}


def sampler(law: str, d: int, *, scale: float = 1.0) -> Inputs:
    """Function of (key, n) that gives n inputs of a law, of shape (n, d), times `scale`.

    Rows are independent given what the law draws once a call: a subspace, or centres.
    Raises: `UnknownNameError` for a law that does not exist.
    """
    if law not in LAWS:
        raise unknown_name("law", law, tuple(LAWS))
    of_law = LAWS[law]
    if scale == 1:
        return lambda key, n: of_law(key, n, d)
    return lambda key, n: scale * of_law(key, n, d)

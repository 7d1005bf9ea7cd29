"""The arc-cosine kernel in closed form."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval import arrays
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import InputError
from ntval.kernels.quadrature_oracle import _angles, _polar


def arc_cosine(
    x1: Float[AnyArray, "n1 d"] | ArrayLike,
    x2: Float[AnyArray, "n2 d"] | ArrayLike | None = None,
    *,
    order: int,
) -> Float[Array, "n1 n2"]:
    r"""Arc-cosine kernel of order 0 (step) or 1 (ReLU).

    $$k_q(x, x') = \tfrac{1}{\pi} \|x\|^q \|x'\|^q J_q(\theta), \qquad
      J_0 = \pi - \theta, \quad J_1 = \sin\theta + (\pi - \theta) \cos\theta$$
    $$\theta = 2 \operatorname{atan2}(\|\hat x - \hat x'\|, \|\hat x + \hat x'\|)$$

    with $\hat x = x / \|x\|$. $E[\sigma(u)\sigma(v)]$ is half of it for weights of law N(0, I).

    Source: Cho & Saul (2009) (recalled); the angle: Kahan (2006) (recalled).
    Accuracy: $(d + 20) u$ in units of $\|x\|^q \|x'\|^q$ with $u$ the unit roundoff, near
    $\theta = 0$ and $\pi$ too, where arccos would leave $\sqrt u$.
    Raises: `InputError` unless `order` is 0 or 1, on malformed inputs, and on a zero row, which
    has no angle.
    """
    if order not in (0, 1):
        raise InputError(f"arc_cosine needs order 0 or 1, got order={order!r}.")
    with arrays.float64():
        first, second = arrays.require_inputs(x1, x2)
        norms1, units1 = _polar("x1", first)
        norms2, units2 = (norms1, units1) if second is None else _polar("x2", second)
        theta = _angles(units1, units2)
        if second is None:
            np.fill_diagonal(theta, 0.0)
        if order == 0:
            return jnp.asarray((np.pi - theta) / np.pi)
        angular = (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi
        return jnp.asarray(norms1[:, None] * norms2[None, :] * angular)

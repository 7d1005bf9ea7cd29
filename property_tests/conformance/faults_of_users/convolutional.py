"""Faults of convolutional networks of stax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.faults_of_users.common import IMAGES, Arguments, UserFault, twin

from ntval import stax


def cnn(
    *layers: Any,
    filters: tuple[int, int] = (3, 3),
    padding: str = "SAME",
    weight: float = 1.4,
    bias: float | None = 0.4,
    **options: Any,
) -> Any:
    """One convolution, ReLU, the layers, and a linear head."""
    first = stax.Conv(64, filters, padding=padding, W_std=weight, b_std=bias, **options)
    return stax.serial(first, stax.Relu(), *layers, stax.Dense(1))


POOL = (stax.AvgPool((2, 2), (2, 2)), stax.Flatten())
CNN = cnn(*POOL)


def images(model: Any, kernel: Any) -> Callable[[], Arguments]:
    """A network with the kernel of another, at images."""
    return twin(model, kernel, IMAGES)


CONVOLUTIONS = {
    "padding valid for same": UserFault("in the twin", images(CNN, cnn(*POOL, padding="VALID"))),
    "circular padding for same": UserFault(
        "in the twin", images(CNN, cnn(*POOL, padding="CIRCULAR"))
    ),
    "sum pooling for average": UserFault(
        "in the twin", images(CNN, cnn(stax.SumPool((2, 2), (2, 2)), stax.Flatten()))
    ),
    "global pooling for flatten": UserFault(
        "in the twin", images(cnn(stax.Flatten()), cnn(stax.GlobalAvgPool()))
    ),
    "filters of 5 by 5 for 3 by 3": UserFault(
        "in the twin", images(CNN, cnn(*POOL, filters=(5, 5)))
    ),
    "convolution's W_std 10 % too large": UserFault(
        "in the twin", images(CNN, cnn(*POOL, weight=1.54))
    ),
    "convolution without bias": UserFault("in the twin", images(CNN, cnn(*POOL, bias=None))),
}

"""What a claim examines, the methods that compute its kernel, and what a claim may need of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Array, Float

from ntval.errors import InputError
from ntval.kernels import deep_mlp, jacobian, operator, two_layer
from ntval.networks.mlp import Mlp
from ntval.networks.network import Network

# A road computes the empirical kernel of a network: (network, params, x1, x2) -> (n1, n2).
Road = Callable[..., Float[Array, "n1 n2"]]

ROADS: dict[str, Road] = {
    "two_layer": lambda network, params, x1, x2=None: two_layer.gram(network.mlp, params, x1, x2),
    "deep_mlp": lambda network, params, x1, x2=None: deep_mlp.gram(network.mlp, params, x1, x2),
    "jacobian": lambda network, params, x1, x2=None: jacobian.gram(
        network.apply_fn, params, x1, x2
    ),
    "operator": lambda network, params, x1, x2=None: operator.gram(
        network.apply_fn, params, x1, x2
    ),
}


def roads_of(network: Network) -> tuple[str, ...]:
    """Names of the roads that can compute the kernel of `network`, the cheapest first."""
    names = ("jacobian", "operator")
    if network.mlp is None:
        return names
    if network.mlp.parametrization != "montanari_zhong":
        names = ("deep_mlp", *names)
    return ("two_layer", *names) if len(network.mlp.widths) == 1 else names


@dataclass(frozen=True, eq=False)  # one object, one set of compiled programs
class Subject:
    """What a claim examines: a network, the inputs it is examined at, and the roads to its kernel.

    `inputs(key, n)` gives x of shape (n, *input_shape), n up to `inputs_there`. `rungs` are the
    same subject at growing width, for claims about rates. `own` is true for a network or data that
    a user brought: claims that speak of a theorem's own setting do not apply to it. `width` is
    that of the narrowest hidden layer, where it is known. `grams` (draws, n, n) and `reference`
    (n, n) are matrices brought in place of a network, inputs then are the numbers of their rows,
    and `rounding` is the relative rounding of one of their entries.
    """

    network: Network
    inputs: Callable[[Array, int], Float[Array, "n *shape"]]
    roads: Mapping[str, Road] = field(default_factory=lambda: ROADS)
    rungs: tuple[Subject, ...] = ()
    own: bool = False
    inputs_there: int = 8
    width: int | None = None
    grams: Float[np.ndarray, "draws n n"] | None = None
    reference: Float[np.ndarray, "n n"] | None = None
    rounding: float = 0.0

    @property
    def mlp(self) -> Mlp:
        """The architecture, of a network of ours.

        Raises: `InputError` when it is another's.
        """
        if self.network.mlp is None:
            raise InputError(f"subject needs a network of ntval's own, got {self.network.name!r}.")
        return self.network.mlp

    def road(self) -> Road:
        """The cheapest road that applies."""
        return self.roads[roads_of(self.network)[0]]


# What a claim may need of its subject, with the reason given where it is lacking.
NEEDS: dict[str, tuple[Callable[[Subject], bool], str]] = {
    "kernel_fn": (
        lambda s: s.network.kernel_fn is not None,
        "the network has no kernel_fn, its infinite-width twin",
    ),
    "random weights": (
        lambda s: s.network.init_fn is not None,
        "the network comes with one fixed set of weights and no init_fn",
    ),
    "mlp": (
        lambda s: s.network.mlp is not None,
        "the network is not one of ntval's own fully connected ones",
    ),
    "ladder": (lambda s: bool(s.rungs), "the network has one width only"),
    "one Gram matrix": (
        lambda s: s.grams is not None and len(s.grams) == 1,
        "it is about one Gram matrix, brought as an array (n, n)",
    ),
    "Gram matrices": (
        lambda s: s.grams is not None and len(s.grams) > 1,
        "it is about Gram matrices at independent weights, brought as an array (draws, n, n)",
    ),
    "reference": (lambda s: s.reference is not None, "there is no kernel_fn to hold it against"),
    "forward pass": (
        lambda s: s.network.apply_fn is not None,
        "a Gram matrix has no forward pass",
    ),
    "theorem's setting": (
        lambda s: not s.own,
        "it speaks of uniform inputs on the sphere and a network of its own",
    ),
}

"""What a claim examines: four kinds of subject, and what a claim may need of them.

| kind | what it is |
|---|---|
| `NetworkSubject` | a network at inputs, with the methods that compute its kernel |
| `GramSubject` | Gram matrices that were computed elsewhere |
| `FeatureSubject` | features of a given spectrum and a target on them |
| `LabelledGram` | a Gram matrix of labelled data, split into train and test |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ntval.arrays import float32, float64
from ntval.data.sources import SOURCES, present
from ntval.errors import InputError, NtvalError
from ntval.kernels import analytic
from ntval.kernels.methods import METHODS, PUBLIC, Method, methods_of
from ntval.networks.mlp import Mlp
from ntval.networks.network import Network

_Rung = TypeVar("_Rung")


@dataclass(frozen=True, eq=False)
class Ladder(Generic[_Rung]):
    """The same subject at growing size.

    `axis`: what grows, for example "width", "d" or "n".
    `sizes`: how large it is on each rung, ascending.
    `rungs`: the subjects.

    Raises: `InputError` unless there is a size for each rung, and sizes grow.
    """

    axis: str
    sizes: tuple[float, ...]
    rungs: tuple[_Rung, ...]

    def __post_init__(self) -> None:
        grows = list(self.sizes) == sorted(set(self.sizes))
        if len(self.sizes) != len(self.rungs) or not grows:
            raise InputError(
                f"Ladder needs one growing size a rung, got sizes={self.sizes!r} for "
                f"{len(self.rungs)} rungs along {self.axis!r}."
            )


@dataclass(frozen=True, eq=False)  # one object, one set of compiled programs
class NetworkSubject:
    """A network, the inputs it is examined at, and the methods that compute its kernel.

    `inputs(key, n)`: gives x of shape (n, *input_shape), n up to `num_inputs`.
    `methods`: by name, functions (network, params, x1, x2) that give the empirical kernel.
    `public`: the same as users call them, functions (network, params, x, memory).
    `ladder`: the same subject at growing size, for claims about rates.
    `from_user`: whether a user passed the network or the inputs; claims that speak of a theorem's
        own setting do not apply then.
    `any_input`: whether it may be examined at inputs of our choosing beside those: not where they
        are a user's data.
    `note`: what a user's network will take, in words.
    """

    network: Network
    inputs: Callable[[Array, int], Float[Array, "n *shape"]]
    methods: Mapping[str, Method] = field(default_factory=lambda: METHODS)
    public: Mapping[str, Method] = field(default_factory=lambda: PUBLIC)
    ladder: Ladder[NetworkSubject] | None = None
    from_user: bool = False
    any_input: bool = True
    num_inputs: int = 8
    note: str = ""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.network.name

    @property
    def mlp(self) -> Mlp:
        """The architecture, of one of ntval's networks.

        Raises: `InputError` for a network of a user's.
        """
        if self.network.mlp is None:
            raise InputError(f"subject needs a network of ntval's own, got {self.name!r}.")
        return self.network.mlp

    @property
    def rungs(self) -> tuple[NetworkSubject, ...]:
        """The rungs of the ladder; none without one."""
        return self.ladder.rungs if self.ladder else ()

    def cheapest_method(self) -> Method:
        """The cheapest method that applies."""
        return self.methods[methods_of(self.network)[0]]


@dataclass(frozen=True, eq=False)
class GramSubject:
    """Gram matrices that were computed elsewhere.

    `grams`: at independent weights.
    `reference`: what they are compared with.
    `rounding`: the relative rounding of an entry.
    `nngp`: gives the NNGP kernel that belongs to the reference; None where it is not known.
    `note`: the precision that they are judged by, in words.
    """

    grams: Float[np.ndarray, "draws n n"]
    reference: Float[np.ndarray, "n n"] | None = None
    rounding: float = 0.0
    from_user: bool = False
    name: str = "Gram matrix"
    note: str = ""
    nngp: Callable[[], Float[np.ndarray, "n n"] | None] | None = None

    @property
    def num_inputs(self) -> int:
        """The number of inputs that the matrices are of."""
        return self.grams.shape[-1]


@dataclass(frozen=True, eq=False)
class FeatureSubject:
    r"""Features x of covariance diag(`eigenvalues`), and targets $y = \beta^\top x + \epsilon$.

    `draw(key, n)`: gives features of shape (n, features), rows independent.
    `coefficients`: $\beta$. `noise_std`: the standard deviation of $\epsilon$.
    """

    eigenvalues: Float[np.ndarray, "features"]
    coefficients: Float[np.ndarray, "features"]
    draw: Callable[[Array, int], Float[Array, "n features"]]
    noise_std: float = 0.0
    from_user: bool = False
    name: str = "features"


@dataclass(frozen=True, eq=False)
class LabelledGram:
    """A Gram matrix of labelled data, split into train and test.

    `gram`: of all inputs. `labels`: a row an input. `train`, `test`: disjoint rows.
    `control`: of all inputs at random weights, where `gram` is at pretrained ones.
    """

    gram: Float[np.ndarray, "n n"]
    labels: Float[np.ndarray, "n outputs"]
    train: Int[np.ndarray, "train"]
    test: Int[np.ndarray, "test"]
    from_user: bool = False
    name: str = "labelled data"
    control: Float[np.ndarray, "n n"] | None = None

    def __post_init__(self) -> None:
        if set(self.train.tolist()) & set(self.test.tolist()):
            raise InputError(
                "LabelledGram needs disjoint train and test rows; split without overlap."
            )


Subject = NetworkSubject | GramSubject | FeatureSubject | LabelledGram


def _network(holds: Callable[[NetworkSubject], bool]) -> Callable[[Subject], bool]:
    return lambda subject: isinstance(subject, NetworkSubject) and holds(subject)


def _gives_nngp(subject: NetworkSubject) -> bool:
    """Whether the kernel_fn gives a matrix for get="nngp"; one of (x1, x2) alone is the NTK."""
    if subject.network.kernel_fn is None:
        return False
    with float64():
        x = subject.inputs(jax.random.key(0), 1)
        try:
            analytic.nngp(subject.network, x)
        except NtvalError:
            return False
    return True


def _params(network: Network, shape: tuple[int, ...]) -> Any:
    """Some weights of a network."""
    if network.init_fn is None:
        return network.params
    return network.init_fn(jax.random.key(0), (-1, *shape))[1]


def _runs_in_float32(subject: NetworkSubject) -> bool:
    """Whether the forward pass takes parameters and inputs in float32, as one with arrays of its
    own in float64 may not."""
    network, shape = subject.network, subject.network.input_shape or ()

    def low(leaf: Any) -> jax.ShapeDtypeStruct:
        floating = jnp.issubdtype(leaf.dtype, jnp.floating)
        return jax.ShapeDtypeStruct(leaf.shape, jnp.float32 if floating else leaf.dtype)

    with float64():
        params = jax.tree.map(low, jax.eval_shape(lambda: _params(network, shape)))
    with float32():
        try:
            jax.eval_shape(network.apply_fn, params, jax.ShapeDtypeStruct((2, *shape), jnp.float32))
        except Exception:
            return False
    return True


def _grams(holds: Callable[[GramSubject], bool]) -> Callable[[Subject], bool]:
    return lambda subject: isinstance(subject, GramSubject) and holds(subject)


# What a claim may need of its subject, with the reason given where it is lacking.
NEEDS: dict[str, tuple[Callable[[Subject], bool], str]] = {
    "kernel": (
        lambda s: isinstance(s, NetworkSubject | GramSubject),
        "it is about a kernel, of a network or computed elsewhere",
    ),
    "kernel_fn": (
        _network(lambda s: s.network.kernel_fn is not None),
        "the network has no kernel_fn, its infinite-width twin",
    ),
    "nngp": (
        _network(_gives_nngp),
        "the network has no kernel_fn that gives a matrix for get='nngp'",
    ),
    "random weights": (
        _network(lambda s: s.network.init_fn is not None),
        "the network comes with one fixed set of weights and no init_fn",
    ),
    "mlp": (
        _network(lambda s: s.network.mlp is not None),
        "the network is not one of ntval's own fully connected ones",
    ),
    "ladder": (
        _network(lambda s: s.ladder is not None),
        "its shapes are the same at every width: init(key, width) gives those of each",
    ),
    "one Gram matrix": (
        _grams(lambda s: len(s.grams) == 1),
        "it is about one Gram matrix, passed as an array (n, n)",
    ),
    "Gram matrices": (
        _grams(lambda s: len(s.grams) > 1),
        "it is about Gram matrices at independent weights, passed as an array (draws, n, n)",
    ),
    "independent draws": (
        _grams(lambda s: len({gram.tobytes() for gram in s.grams}) == len(s.grams)),
        "some of the matrices are the same: they are no draws at independent weights",
    ),
    "reference": (
        _grams(lambda s: s.reference is not None),
        "there is no kernel_fn to hold it against",
    ),
    "forward pass": (_network(lambda s: True), "a Gram matrix has no forward pass"),
    "float32": (
        _network(_runs_in_float32),
        "the forward pass does not take parameters and inputs in float32",
    ),
    "forward mode": (
        _network(lambda s: s.methods["operator"] is not METHODS["jacobian"]),
        "a part of it has no forward-mode derivative (jax.custom_vjp), which leaves one method, "
        "the Jacobian",
    ),
    "two methods": (
        _network(lambda s: len({s.methods[name] for name in methods_of(s.network)}) > 1),
        "two rows of its Jacobian do not fit in memory, which leaves one method, the operator",
    ),
    "theorem's setting": (
        lambda s: not s.from_user,
        "it is about uniform inputs on the sphere and ntval's own two-layer network",
    ),
    "features": (
        lambda s: isinstance(s, FeatureSubject),
        "it is about features of a given spectrum",
    ),
    "labels": (lambda s: isinstance(s, LabelledGram), "it is about labelled data"),
    **{
        name: (lambda s, name=name: present(name), f"it is about {source.use}; {source.command}")
        for name, source in SOURCES.items()
    },
}

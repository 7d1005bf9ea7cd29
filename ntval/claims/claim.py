"""The claim: what a theorem says, where, how it is measured and decided."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from ntval import data, networks
from ntval.arrays import float64
from ntval.decisions import Decision, Verdict
from ntval.e_values import Allowance
from ntval.errors import RefutedError, unknown_name
from ntval.kernels import deep_mlp, jacobian, operator, two_layer
from ntval.networks import Network
from ntval.regimes import Regime
from ntval.settings import PROFILES as PROFILES

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

# Streams of randomness under a claim's key: what is measured, and the pilot of its allowance.
MEASURED, PILOT = 0, 1


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


@dataclass(frozen=True)
class Claim:
    """A statement that can be refuted.

    `regimes` maps a profile to regimes; `subject` builds what is examined in a regime;
    `predict(regime)` is the paper's number and `allowance(key, regime, subject)` how far theory
    lets the mean depart; `measure(key, regime, subject)` gives what `decide` takes (comparisons,
    brackets, or a function that draws replicates). Both have the same key: where all draws have
    the same inputs, an allowance speaks of these, by a pilot of its own (`PILOT`). `faults` names
    the planted faults that must be refuted. `formula` names the function of `theory` where it is
    not the claim's own word.
    `space` are all the regimes that Hypothesis may draw from, those of the profile standard when
    there are none. `weight` is the claim's part in the split of alpha, when chance decides.
    `every_input` says that a network of the user's is examined at all of its inputs.
    `diagnose(key, regime, subject)` says in words what a refuted claim looks like.
    `by_chance` says that chance decides though weights may be fixed.
    `prerequisite`, a rule and a way out, says that a network that breaks it is unusable input.
    """

    name: str
    source: str
    statement: str
    needs: tuple[str, ...]
    regimes: Mapping[str, tuple[Regime, ...]]
    subject: Callable[[Regime], Subject]
    measure: Callable
    decide: Callable[..., Decision]
    predict: Callable[[Regime], object] = lambda regime: 0.0
    allowance: Callable[[Array, Regime, Subject], Allowance | None] = lambda key, regime, it: None
    faults: tuple[str, ...] = ()
    formula: str = ""
    space: tuple[Regime, ...] = ()
    weight: float = 1.0
    prerequisite: tuple[str, str] | None = None
    every_input: bool = False
    diagnose: Callable[[Array, Regime, Subject], str | None] | None = None
    by_chance: bool = False

    @property
    def random(self) -> bool:
        """Whether a refutation can be a false alarm: the others rest on certificates."""
        return self.by_chance or "random weights" in self.needs

    def unmet_need(self, subject: Subject) -> str | None:
        """Why the claim does not apply to `subject`, or None when it does."""
        for need in self.needs:
            holds, reason = NEEDS[need]
            if not holds(subject):
                return reason
        return None

    def check(
        self,
        seed: int,
        regime: Regime,
        *,
        alpha: float = 1e-6,
        effort: float = 1.0,
    ) -> Result:
        """The claim's verdict in one regime, on the randomness that `seed` gives it.

        `alpha` is the probability that this regime alone refutes a true claim. A claim examines
        something else after `dataclasses.replace(claim, subject=...)`.
        """
        start = time.perf_counter()
        with float64():
            subject = self.subject(regime)
            key = key_for(self.name, regime, seed)
            decision = self.decide(
                self.measure(key, regime, subject),
                predicted=self.predict(regime),
                allowance=self.allowance(key, regime, subject),
                alpha=alpha,
                effort=effort,
            )
        return Result(self.name, regime, seed, decision, time.perf_counter() - start)

    def diagnosis(self, seed: int, regime: Regime) -> str | None:
        """In words what a refuted claim looks like; None when it has none."""
        if self.diagnose is None:
            return None
        with float64():
            return self.diagnose(key_for(self.name, regime, seed), regime, self.subject(regime))


@dataclass(frozen=True)
class Result:
    """A claim's decision in one regime; `record` is one JSON line."""

    claim: str
    regime: Regime
    seed: int
    decision: Decision
    seconds: float

    def record(self) -> dict:
        """The result as JSON-ready values (schema: README, "Machine-readable output")."""
        decision = self.decision
        return {
            "claim": self.claim,
            "verdict": decision.verdict.value,
            "regime": self.regime.as_dict(),
            "seed": self.seed,
            "evidence": {
                "kind": decision.kind,
                "summary": decision.summary,
                "gap": finite(decision.gap),
                "allowed": finite(decision.allowed),
                "smallest_gap": finite(decision.smallest_gap),
                "alpha": decision.alpha,
                "miss": decision.miss,
                "log_e": finite(decision.log_e),
                "draws": decision.draws,
                "details": {name: finite(value) for name, value in decision.details.items()},
            },
            "seconds": round(self.seconds, 3),
        }

    def raise_if_refuted(self) -> None:
        """Raise `RefutedError` when the claim was refuted; the only place that does."""
        if self.decision.verdict is Verdict.REFUTED:
            raise RefutedError(
                f"{self.claim} is REFUTED at {self.regime}: {self.decision.summary}. "
                f"Replay: ntval check {self.claim} --seed {self.seed}"
            )


def finite(value):
    """`value` with non-finite floats as strings, since JSON has no word for them."""
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def key_for(name: str, regime: Regime, seed: int) -> Array:
    """PRNG key of a claim in a regime: a hash of both and the suite's seed."""
    text = json.dumps([name, regime.as_dict(), int(seed)], sort_keys=True)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype=np.uint32)
    return jax.random.wrap_key_data(jax.numpy.asarray(words), impl="threefry2x32")


def mlp_subject(
    regime: Regime, *, parametrization: networks.Parametrization = "ntk", kernel_fn=None
) -> Subject:
    """Our fully connected network of a regime at uniform inputs on the sphere.

    `kernel_fn(mlp)` gives the network its infinite-width twin.
    """
    network = networks.network_of(networks.mlp_of(regime, parametrization=parametrization))
    if kernel_fn is not None:
        network = replace(network, kernel_fn=kernel_fn(network.mlp))
    return Subject(
        network, lambda key, n: data.sphere(key, n, regime.d), width=min(network.mlp.widths)
    )


def draw_params(network: Network, key: Array):
    """Parameters of `network`: drawn by its init_fn, or the one set that it has.

    In a compiled program they are drawn once. XLA fuses a draw into the products that it enters,
    so that a Jacobian's three passes would each draw them anew.
    """
    if network.init_fn is None:
        return network.params
    shape = (-1, *network.input_shape) if network.input_shape else (-1,)
    params = network.init_fn(key, shape)[1]
    return _kept(params, key) if isinstance(key, Tracer) else params


def _kept(params, key: Array):
    """The same parameters, which XLA has to keep in memory.

    They are operands of a branch, and that it is always taken XLA cannot tell from a key's bits.
    On CPU it drops `jax.lax.optimization_barrier` before it fuses.
    """
    leaves, structure = jax.tree.flatten(params)
    drawn = [leaf for leaf in leaves if isinstance(leaf, Tracer)]
    always = (jax.random.key_data(key).ravel()[0] | 1) != 0
    zeros = functools.partial(jax.tree.map, jax.numpy.zeros_like)
    kept = iter(jax.lax.cond(always, lambda leaves: leaves, zeros, drawn))
    return structure.unflatten(
        [next(kept) if isinstance(leaf, Tracer) else leaf for leaf in leaves]
    )


def replicates(
    statistic: Callable[..., Float[Array, "k"]],
    key: Array,
    *operands: Float[Array, "..."],
    chunk: int = 64,
) -> Callable[[int, int], Float[np.ndarray, "draws k"]]:
    """Function of (start, count) that gives independent replicates of `statistic(key, *operands)`.

    Replicate i comes from fold_in(key, i), whatever the calls before. A statistic is compiled once,
    for as long as the same function is handed in: whatever differs between keys is an operand.
    Replicates are drawn `chunk` at a time, one after the other: memory is that of one.
    """
    run = _program(statistic, chunk)

    def draw(start: int, count: int) -> Float[np.ndarray, "draws k"]:
        parts = [
            np.asarray(run(key, first, *operands)) for first in range(start, start + count, chunk)
        ]
        return np.concatenate(parts)[:count]

    return draw


@functools.lru_cache(maxsize=64)
def _program(statistic: Callable, chunk: int) -> Callable:
    return jax.jit(
        lambda key, first, *operands: jax.lax.map(
            lambda i: statistic(jax.random.fold_in(key, i), *operands),
            first + jax.numpy.arange(chunk),
        )
    )


def find(name: str, claims: Mapping[str, Claim]) -> list[Claim]:
    """Claims called `name`: a full name, a last word, a row of a spec (E07), or a module for all
    of its claims.

    Raises: `UnknownNameError`, naming the nearest, when there is none.
    """
    found = [
        claim
        for full, claim in claims.items()
        if name in (full, full.rpartition(".")[2], full.partition(".")[0])
        or (name[:1] == "E" and name in re.findall(r"E\d\d", claim.source))
    ]
    if not found:
        modules = {full.partition(".")[0] for full in claims}
        raise unknown_name("claim", name, [*claims, *modules])
    return found

"""Check a network of your own, in Python and in pytest.

    ntval.check_network(model, params, x)              # every claim that applies, at once

    @ntval.parametrize_with_claims({"mine": model})    # one test a claim
    def test_ntk(check, check_claim):
        check_claim(check)

| model | see `ntval.adapters` |
|---|---|
| `kernel_fn` | its infinite-width twin, `kernel_fn(x1, x2, get)` as of `neural_tangents.stax` |
| `init(key, width)` | its weights, or all of it, at any width: claims about rates then apply |
| x | inputs at which it is examined; on the sphere without any |
| y | targets, kept for claims about regression |
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np

from ntval import adapters, report, suite
from ntval.arrays import as_float64, float64
from ntval.claims import CLAIMS, Claim
from ntval.claims.claim import Subject, find
from ntval.claims.gram_matrices import entry_rounding, gram_subject
from ntval.data import Data, require_distinct
from ntval.errors import InputError, NetworkError, RefutedError, unknown_name
from ntval.networks import Network
from ntval.regimes import Regime
from ntval.subjects import NotRun, claims_about, claims_for, network_subject
from ntval.suite import Run

__all__ = [
    "WIDTHS",
    "Check",
    "check_network",
    "checks_for",
    "claims_for",
    "parametrize_with_claims",
]

WIDTHS = (64, 128, 256, 512)

OnFail = Literal["raise", "warn", "return"]


class RefutedWarning(UserWarning):
    """A claim was refuted, under `on_fail="warn"`."""


def check_network(
    model: Any,
    params: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    kernel_fn: Callable | None = None,
    init: Callable | None = None,
    widths: Sequence[int] = WIDTHS,
    claims: Sequence[str] | None = None,
    expected_refutations: Mapping[str, str] | None = None,
    on_fail: OnFail = "raise",
    callback: Callable[[Run], None] | None = None,
    profile: str = "quick",
    alpha: float = 1e-6,
    seed: int = 0,
    name: str | None = None,
) -> Run:
    """Every claim that applies to your network, decided.

    model: flax.linen, flax.nnx, equinox or haiku module, stax triple, `Network`, function
        `apply_fn(params, x)`, a path MODULE:ATTR; or an array, a Gram matrix (n, n) that was
        computed elsewhere, or several (draws, n, n) at independent weights.
    params: its weights, for a model that does not hold them.
    kernel_fn: its infinite-width twin, a function of (x1, x2, get) or (x1, x2); of a Gram matrix
        also an array (n, n).
    x: inputs of shape (n, *input_shape); y: targets of shape (n,).
    init: `init(key, width)` gives weights, or a model with them, at any of `widths`.
    claims: names, last words or papers; all without any.
    expected_refutations: {claim: reason}; such a claim must be refuted.
    on_fail: raise `RefutedError`, warn, or leave it to you to read the `Run`.
    callback: is called with the run after every check.
    alpha: probability that a network of which all is true is refuted anywhere in this run.

    Returns: the `Run`: `run.outcomes`, `run.refuted`, `run.not_run`.
    Raises: `RefutedError`; `InputError` and `NetworkError`, each one line, for what cannot be used.
    """
    if on_fail not in ("raise", "warn", "return"):
        raise InputError(f"on_fail needs 'raise', 'warn' or 'return', got {on_fail!r}.")
    subject = _subject(model, params, x, y, kernel_fn, init, widths, name)
    return _decided(
        _found(subject, claims, profile),
        subject.network.name,
        expected=_expected(expected_refutations),
        on_fail=on_fail,
        callback=callback,
        profile=profile,
        alpha=alpha,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class Check:
    """One claim about one network: a test. Prerequisites that the claim rests on come along.

    `share` is its part of a budget that several checks have together.
    """

    claim: str
    network: str | None
    found: tuple[tuple[Claim, Regime] | NotRun, ...]
    share: float = 1.0
    profile: str = "quick"

    @property
    def name(self) -> str:
        """A readable name, the test's: `mine-mean_kernel`."""
        return f"{self.network}-{self.claim.rpartition('.')[2]}"

    def run(self, *, alpha: float = 1e-6, seed: int = 0) -> Run:
        """The claim decided, after its prerequisites, at the check's share of `alpha`."""
        return _decided(
            self.found,
            self.network,
            on_fail="return",
            profile=self.profile,
            alpha=alpha * self.share,
            seed=seed,
        )

    def __call__(self, *, alpha: float = 1e-6, seed: int = 0) -> Run:
        """The run.

        Raises: `RefutedError` when the claim is refuted, `pytest.skip` when it was not run.
        """
        __tracebackhide__ = True
        run = self.run(alpha=alpha, seed=seed)
        self.settle(run)
        return run

    def settle(self, run: Run) -> None:
        """Raise what a test raises for this run."""
        __tracebackhide__ = True
        reasons = {item.claim: item.reason for item in run.not_run}
        if self.claim in reasons:
            import pytest

            pytest.skip(f"not run, because {reasons[self.claim]}")
        if self.claim in run.refuted:
            raise RefutedError(failure_message(run))


def checks_for(
    model: Any,
    params: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    kernel_fn: Callable | None = None,
    init: Callable | None = None,
    widths: Sequence[int] = WIDTHS,
    claims: Sequence[str] | None = None,
    profile: str = "quick",
    name: str | None = None,
) -> list[Check]:
    """A `Check` for each claim that applies to your network; arguments as `check_network`.

    One that does not apply is skipped with its reason when `claims` calls it by its own name.
    """
    subject = _subject(model, params, x, y, kernel_fn, init, widths, name)
    network, found = subject.network, _found(subject, None, profile)
    cells = [item for item in found if not isinstance(item, NotRun)]
    chosen = [name for name in suite.chosen_claims(claims) if name in {c.name for c, _ in cells}]
    random = sum(CLAIMS[claim].random for claim in chosen) or 1
    checks = [
        Check(
            claim,
            network.name,
            tuple(item for item in cells if item[0].name == claim or item[0].prerequisite),
            1.0 / random,
            profile,
        )
        for claim in chosen
    ]
    return checks + [
        Check(item.claim, network.name, (item,), profile=profile)
        for item in found
        if isinstance(item, NotRun)
        and {item.claim, item.claim.rpartition(".")[2]} & set(claims or ())
    ]


def parametrize_with_claims(
    networks: Mapping[str, Any] | Sequence[Any],
    *,
    papers: Sequence[str] | None = None,
    expected_refutations: Mapping[str, str] | None = None,
    profile: str = "quick",
):
    """`pytest.mark.parametrize` of an argument `check`: a test for each network and claim.

    networks: {name: model} or a list of models; a model is whatever `check_network` takes, or a
        dict of its arguments (`dict(model=..., params=..., x=...)`).
    papers: names, last words or papers of claims; all without any.
    expected_refutations: {claim or "network-claim": reason}. Such a test is xfail, and fails when
        the claim is supported after all.

    The checks of one call share one budget.
    """
    import pytest

    named = networks.items() if isinstance(networks, Mapping) else ((None, m) for m in networks)
    checks: list[Check] = []
    for name, model in named:
        given: dict[str, Any] = {"model": model}
        if isinstance(model, dict) and "model" in model:
            given = dict(model)
        if name is not None:
            given["name"] = name
        checks += checks_for(**given, claims=papers, profile=profile)
    networks_seen = len({check.network for check in checks}) or 1
    checks = [replace(check, share=check.share / networks_seen) for check in checks]
    expected = dict(expected_refutations or {})
    matched: set[str] = set()

    def marks(check: Check):
        for key in (check.name, check.claim, check.claim.rpartition(".")[2]):
            if key in expected:
                matched.add(key)
                yield pytest.mark.xfail(reason=expected[key], strict=True, raises=RefutedError)
                return

    parameters = [pytest.param(check, id=check.name, marks=[*marks(check)]) for check in checks]
    for key in expected.keys() - matched:
        raise unknown_name("check among expected_refutations", key, [c.name for c in checks])
    return pytest.mark.parametrize("check", parameters)


def failure_message(run: Run) -> str:
    """What a refuted run says: each claim in words, its evidence, the replay, the way out."""
    lines = []
    for name, outcome in run.refuted.items():
        result = report.weakest(outcome.results)
        lines += [
            f"{name} is REFUTED" + (f" for {run.network}" if run.network else ""),
            f"  claimed:  {CLAIMS[name].statement}",
            f"  measured: {result.decision.summary}",
            f"  evidence: {report.evidence_words(outcome)}",
            *([f"  looks like: {run.diagnoses[name]}"] if name in run.diagnoses else []),
            f"  replay:   {report.replay(run, name)}",
            f"  if it is known: expected_refutations={{{name.rpartition('.')[2]!r}: 'the reason'}}",
        ]
    for name in run.stale:
        lines += [
            f"{name} was expected to be refuted for {run.network} ({run.expected[name]}), "
            "but is SUPPORTED: take it out of expected_refutations.",
        ]
    return "\n".join(lines)


def _expected(given: Mapping[str, str] | None) -> dict[str, str]:
    return {
        claim.name: reason for key, reason in (given or {}).items() for claim in find(key, CLAIMS)
    }


def _decided(found, network, *, expected=None, on_fail, callback=None, profile, alpha, seed) -> Run:
    """The run of what was found, in this process."""
    if not 0 < alpha < 1:
        raise InputError(f"alpha needs a probability between 0 and 1, got {alpha!r}.")
    run = suite.run_of(found, profile=profile, network=network, alpha=alpha, seed=seed)
    run = replace(run, expected=expected or {})
    claims = {item[0].name: item[0] for item in found if not isinstance(item, NotRun)}
    for run in suite.states(run, claims=claims):  # noqa: B020
        if callback is not None:
            callback(run)
    if run.refuted or run.stale:
        if on_fail == "raise":
            raise RefutedError(failure_message(run))
        if on_fail == "warn":
            warnings.warn(failure_message(run), RefutedWarning, stacklevel=3)
    return run


def _found(
    subject: Subject, claims: Sequence[str] | None, profile: str
) -> list[tuple[Claim, Regime] | NotRun]:
    if profile not in suite.PROFILES:
        raise unknown_name("profile", profile, suite.PROFILES)
    prerequisites = {name: claim for name, claim in CLAIMS.items() if claim.prerequisite}
    chosen = {**prerequisites, **suite.chosen_claims(claims)}
    return claims_about(subject, claims=chosen, profile=profile)


def _subject(model, params, x, y, kernel_fn, init, widths, name) -> Subject:
    """What is examined: the network at its data, with rungs at growing width, or Gram matrices."""
    if x is None and y is not None:
        raise InputError("y needs x, the inputs it belongs to; pass both.")
    if _is_array(model):
        return _of_grams(model, params, x, kernel_fn, init, name)
    source = None if x is None else _data(x, y)
    rungs: dict[int, Network] = {}
    if isinstance(model, str):
        network = adapters.load(model)
    elif init is not None:
        rungs = {width: _rung(model, init, width, name) for width in _widths(widths)}
        network = rungs[max(rungs)]
    else:
        network = adapters.network_from(_with(model, params), name=name)
    if name is not None:
        network = replace(network, name=name)
    if kernel_fn is not None:
        network = replace(network, kernel_fn=_twin(kernel_fn))
    twin = network.kernel_fn
    rungs = {width: replace(rung, kernel_fn=twin) for width, rung in rungs.items()}
    with float64():
        return network_subject(network, source, rungs)


def _is_array(model: Any) -> bool:
    """Whether a Gram matrix was brought: an array of NumPy, JAX, torch or the like."""
    return hasattr(model, "__array__") and hasattr(model, "shape") and not callable(model)


def _of_grams(grams, params, x, kernel_fn, init, name) -> Subject:
    """Gram matrices (n, n) or (draws, n, n), and their reference: an array, or kernel_fn at x."""
    if params is not None or init is not None:
        raise InputError("a Gram matrix has no params and no init; leave them out.")
    dtype = np.asarray(grams).dtype
    grams = as_float64("model", grams)
    grams = grams[None] if grams.ndim == 2 else grams
    if grams.ndim != 3 or grams.shape[1] != grams.shape[2] or 0 in grams.shape:
        raise InputError(
            f"model needs a Gram matrix (n, n), or (draws, n, n) at independent weights, got shape "
            f"{grams.shape}."
        )
    reference = None
    if callable(kernel_fn):
        if x is None:
            raise InputError("kernel_fn needs x, the inputs of the Gram matrix; pass both.")
        with float64():
            reference = _twin(kernel_fn)(_data(x, None).x, None, "ntk")
    elif kernel_fn is not None:
        reference = kernel_fn
    if reference is not None:
        reference = as_float64("kernel_fn", reference)
        if reference.shape != grams.shape[1:]:
            raise InputError(
                f"kernel_fn needs to give a matrix of shape {grams.shape[1:]}, as the Gram matrix "
                f"has, got {reference.shape}."
            )
    rounding = entry_rounding(dtype, _CONTRACTED)
    subject = gram_subject(grams, reference, rounding, own=True)
    return replace(subject, network=replace(subject.network, name=name or "Gram matrix"))


# Parameters that an entry of a Gram matrix brought as such is taken to be a contraction over.
_CONTRACTED = 4096


def _data(x: Any, y: Any) -> Data:
    x = as_float64("x", x)
    if x.ndim < 2 or x.size == 0:
        raise InputError(
            f"x needs shape (n, *input_shape) with n >= 1, got {x.shape}; "
            "a single input of d numbers is x[None], n scalars are x[:, None]."
        )
    require_distinct("x", x)
    if y is not None:
        y = np.asarray(y)
        y = as_float64("y", y if np.issubdtype(y.dtype, np.floating) else y.astype(float))
        if y.shape != (len(x),):
            raise InputError(f"y needs shape ({len(x)},), one value a row of x, got {y.shape}.")
    return Data("x", x, y)


def _with(model: Any, params: Any) -> Any:
    if params is None:
        return model
    if isinstance(model, Network):
        return replace(model, init_fn=None, params=params)
    if isinstance(model, tuple | list) and len(model) == 3:
        return Network(None, model[1], model[2], params=params)
    return (model, params)


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    found = tuple(widths)
    if len(found) < 4 or list(found) != sorted(set(found)) or found[0] < 1:
        raise InputError(
            f"widths needs at least four growing whole numbers, got {widths!r}; "
            f"for instance {WIDTHS}."
        )
    return found


def _rung(model: Any, init: Callable, width: int, name: str | None) -> Network:
    """The network at one width: `init` gives all of it, or weights for `model`."""
    first = init(jax.random.key(0), width)
    name = name or getattr(model, "__name__", None) or "network"
    if adapters.is_network(first):
        return adapters.network_from(lambda key: init(key, width), name=name)
    apply_fn = getattr(model, "apply_fn", None) or getattr(model, "apply", None) or model
    if not callable(apply_fn):
        raise NetworkError(
            f"init needs to return a network, or weights for a model with a forward pass, got "
            f"{type(first).__name__} and model={model!r}."
        )
    network = Network(lambda key, shape: (None, init(key, width)), apply_fn)
    return adapters.network_from(network, name=name)


def _twin(kernel_fn: Callable) -> Callable:
    """`kernel_fn` as one of (x1, x2, get); a function of (x1, x2) is its NTK."""
    if not callable(kernel_fn):
        raise InputError(
            f"kernel_fn needs a function kernel_fn(x1, x2, get), got {type(kernel_fn).__name__}."
        )
    try:
        parameters = inspect.signature(kernel_fn).parameters
    except (TypeError, ValueError):
        return kernel_fn
    takes_get = "get" in parameters or any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    if takes_get or len(parameters) >= 3:
        return kernel_fn

    def twin(x1, x2=None, get="ntk"):
        return kernel_fn(x1, x1 if x2 is None else x2)

    return twin

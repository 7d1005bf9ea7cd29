"""neural-tangents 0.6.5 on current JAX: the only import of neural_tangents in ntval.

0.6.5 is upstream's last release, written for jax 0.4.16 - 0.4.25. It is adapted in two steps:

1. while it is imported, the names that JAX has dropped are lent to `jax.core`,
   `jax.interpreters.ad` and `jax.util`, and taken back: nothing stays patched in JAX;
2. in the imported modules, helpers that rest on JAX's private parts are replaced by versions
   on its public ones, and three modules see `jax`, `ad` or `jnp` through a `_View`.

| name | what it is |
|---|---|
| `nt` | the adapted package: `nt.stax`, `nt.predict`, `nt.batch`, `nt.empirical_ntk_fn`, ... |
| `stax`, `predict` | its two public modules |
| `STRUCTURED_DERIVATIVES_NEEDS` | what JAX lacks for empirical implementation 3; normally () |

The fixes were derived from the sources of both packages, and are tested against golden values.
"""

# Modules are adapted by assignment, which types cannot follow.
# pyright: reportAttributeAccessIssue=false, reportOptionalSubscript=false

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import math
import platform
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
from jax.interpreters import ad

from ntval.errors import CompatibilityError

LOWEST_JAX = (0, 4, 36)
HIGHEST_TESTED_JAX = (0, 12, 0)
ADAPTED_RELEASE = "0.6.5"
MISSING = (
    f"kernels of infinite width of ntval's own networks need neural-tangents {ADAPTED_RELEASE}, "
    "which is not installed; without its TensorFlow: pip install --no-deps "
    f"neural-tangents=={ADAPTED_RELEASE}"
)


# VERSIONS


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (0, 10, 2) of '0.10.2.dev1'."""
    parts = []
    for part in version.split(".")[:3]:
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def _incompatible(rule: str, way_out: str) -> CompatibilityError:
    seen = (
        f"neural-tangents {_version('neural-tangents')}, jax {jax.__version__}, "
        f"Python {platform.python_version()}"
    )
    return CompatibilityError(
        f"kernels of infinite width of ntval's own networks need {rule}, got {seen}; {way_out}"
    )


def _check_versions() -> None:
    found = _version("neural-tangents")
    if found is None:
        raise CompatibilityError(MISSING)
    if found != ADAPTED_RELEASE:
        raise _incompatible(
            f"neural-tangents {ADAPTED_RELEASE}",
            f"install it without its TensorFlow: pip install --no-deps "
            f"neural-tangents=={ADAPTED_RELEASE}.",
        )
    version = _numbers(jax.__version__)
    if version < LOWEST_JAX:
        lowest = ".".join(map(str, LOWEST_JAX))
        raise _incompatible(f"jax >= {lowest}", f'install it by `pip install "jax>={lowest}"`.')
    if version[:2] > HIGHEST_TESTED_JAX[:2]:
        highest = ".".join(map(str, HIGHEST_TESTED_JAX[:2]))
        warnings.warn(
            f"neural-tangents {ADAPTED_RELEASE} is adapted to jax <= {highest}, got jax "
            f"{jax.__version__}: run property_tests/kernels/test_neural_tangents.py, or "
            f'install "jax<{highest}.99".',
            stacklevel=3,
        )


# STEP 1: LENDING NAMES DURING THE IMPORT


def _strict_map(fn: Callable, *iterables) -> list:
    return [fn(*args) for args in zip(*map(list, iterables), strict=True)]


def _strict_zip(*iterables) -> list:
    return list(zip(*map(list, iterables), strict=True))


# What implementation 3 cannot do without: annotations, isinstance checks, and rules.
_CORE_NAMES = ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var")
_AD_NAMES = (
    "UndefinedPrimal",
    "Zero",
    "add_tangents",
    "get_primitive_transpose",
    "is_undefined_primal",
    "primitive_jvps",
)
STRUCTURED_DERIVATIVES_NEEDS = tuple(
    f"{module.__name__}.{name}"
    for module, names in ((jax.extend.core, _CORE_NAMES), (ad, _AD_NAMES))
    for name in names
    if not hasattr(module, name)
)


def _stand_in(name: str) -> type:
    """A class for a name that is gone: enough for an annotation, and no instance of it exists."""
    return type(name, (), {"__doc__": f"Stand-in for {name}, which this JAX does not have."})


@contextlib.contextmanager
def _lent_names() -> Iterator[None]:
    """Context in which JAX has the names that neural-tangents imports; none stays."""
    names = {jax.core: {}, ad: {}}
    for name in _CORE_NAMES:
        names[jax.core][name] = getattr(jax.extend.core, name, None) or _stand_in(name)
    for name in ("Value", "AbstractValue"):  # annotations only
        names[jax.core][name] = _stand_in(name)
    for name in ("UndefinedPrimal", "Zero"):
        names[ad][name] = _stand_in(name)
    names[ad]["zeros_like_p"] = object()  # a key of two tables of rules

    util = types.ModuleType("jax.util")
    util.safe_map, util.safe_zip = _strict_map, _strict_zip
    # The package's __init__ imports it, it imports TensorFlow, and nothing here uses it.
    # It stays; there is no fake tensorflow, for which others probe.
    sys.modules["neural_tangents.experimental"] = types.ModuleType(
        "neural_tangents.experimental", "Left out by ntval: it needs TensorFlow."
    )
    # `vars`, not `hasattr`: old names live on for a while in modules' __getattr__, and warn.
    lent = [
        (module, name)
        for module, values in names.items()
        for name in values
        if name not in vars(module)
    ]
    former_util = sys.modules.get("jax.util")
    try:
        for module, name in lent:
            setattr(module, name, names[module][name])
        sys.modules["jax.util"] = util
        yield
    finally:
        for module, name in lent:
            delattr(module, name)
        del sys.modules["jax.util"]
        if former_util is not None:
            sys.modules["jax.util"] = former_util


def _imported() -> types.ModuleType:
    """neural_tangents as it is, imported under lent names."""
    if "neural_tangents" in sys.modules:  # somebody had a way of their own; adapt the same modules
        return sys.modules["neural_tangents"]
    try:
        with _lent_names(), warnings.catch_warnings():
            # Invalid escapes in its docstrings; names that JAX is about to drop.
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module("neural_tangents")
    except Exception as error:
        for name in [name for name in sys.modules if name.startswith("neural_tangents")]:
            del sys.modules[name]
        raise _incompatible(
            "a JAX that neural-tangents can be adapted to",
            f"`import neural_tangents` failed with {type(error).__name__}: {error}. "
            f'Install "jax<={".".join(map(str, HIGHEST_TESTED_JAX))}".',
        ) from error


# STEP 2: REPLACING WHAT RESTS ON PRIVATE PARTS OF JAX


class _View:
    """A module as another sees it: some names replaced, the rest read through."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


_EAGER_JAX = _View(
    jax,
    # Under jit, jax.core.eval_context leaks tracers into the caches of predict and attention.
    core=_View(jax.core, eval_context=jax.ensure_compile_time_eval),
)
_JNP = _View(
    jnp,
    # All are asked of shapes without values, where JAX's own warn or refuse.
    shape=lambda x: x.shape if hasattr(x, "shape") else jnp.shape(x),
    size=lambda x: math.prod(x.shape),
    dtype=lambda x: x.dtype,
)
_AD = _View(
    ad,
    # Only labels the operations of the backward walk.
    source_info_util=types.SimpleNamespace(transform_name_stack=lambda _: contextlib.nullcontext()),
)


def _folded(jaxpr, consts: list) -> tuple[Any, list]:
    """The linear part of a linear map's jaxpr: constants computed, `split` written as slices.

    Upstream's backward walk knows neither operations on constants alone, nor
    operations with several outputs.
    """
    literal = jax.extend.core.Literal
    linear = set(jaxpr.invars)
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    eqns = []
    for eqn in jaxpr.eqns:
        if not any(not isinstance(v, literal) and v in linear for v in eqn.invars):
            args = [v.val if isinstance(v, literal) else values[v] for v in eqn.invars]
            outs = _bind(eqn, *args)
            outs = outs if eqn.primitive.multiple_results else [outs]
            values.update(zip(eqn.outvars, outs, strict=True))
            continue
        linear.update(eqn.outvars)
        eqns += _slices(eqn) if eqn.primitive.name == "split" else [eqn]
    # All that the walk reads; a Jaxpr proper keeps its constants elsewhere since jax 0.12.
    folded = types.SimpleNamespace(
        constvars=list(values), invars=jaxpr.invars, outvars=jaxpr.outvars, eqns=eqns
    )
    return folded, list(values.values())


def _bind(eqn, *args):
    """Outputs of one equation."""
    params = eqn.primitive.get_bind_params(eqn.params)
    subfuns, params = params if isinstance(params, tuple) else ((), params)  # a pair before 0.10
    return eqn.primitive.bind(*subfuns, *args, **params)


def _slices(eqn) -> list:
    """A `split`, which has several outputs, as one `slice` for each."""
    (operand,) = eqn.invars
    start, eqns = 0, []
    for size, out in zip(eqn.params["sizes"], eqn.outvars, strict=True):
        starts, limits = [0] * operand.aval.ndim, list(operand.aval.shape)
        starts[eqn.params["axis"]], limits[eqn.params["axis"]] = start, start + size
        params = {"start_indices": tuple(starts), "limit_indices": tuple(limits), "strides": None}
        eqns.append(eqn.replace(primitive=jax.lax.slice_p, params=params, outvars=[out]))
        start += size
    return eqns


def _get_primals_out_and_pullback(backward_pass, fn, mode, _j_rules, _s_rules, _fwd, *primals_in):
    """`fn`'s outputs, and the walk back through its linearization that collects `mode`."""
    in_tree = jax.tree_util.tree_structure(primals_in)
    with jax.disable_jit():  # upstream's walk cannot enter calls
        primals_out, pushforward = jax.linearize(fn, *primals_in)
        linear = jax.make_jaxpr(pushforward)(*primals_in)
    jaxpr, consts = _folded(linear.jaxpr, linear.consts)

    def pullback_fn(*cotangents):
        outs = backward_pass(
            jaxpr,
            mode=mode,
            consts=consts,
            primals_in=[ad.UndefinedPrimal(v.aval) for v in jaxpr.invars],
            cotangents_in=tuple(jax.tree_util.tree_leaves(cotangents)),
            _j_rules=_j_rules,
            _s_rules=_s_rules,
            _fwd=_fwd,
        )
        return jax.tree_util.tree_unflatten(in_tree, outs)

    return primals_out, pullback_fn


def _eqn_vjp_fn(eqn, cotangent, *invals):
    """Cotangents of one linear equation's inputs, None where an input is not linear."""
    if eqn is None:  # the identity
        return (cotangent,)
    try:
        transpose = ad.get_primitive_transpose(eqn.primitive)
    except NotImplementedError:  # e.g. remat, whose transpose JAX keeps to itself
        return _transposed(eqn, cotangent, *invals)
    return transpose(cotangent, *invals, **eqn.params)


def _transposed(eqn, cotangent, *invals):
    """The same on `jax.linear_transpose`, for primitives without a rule of their own."""
    linear = [i for i, inval in enumerate(invals) if ad.is_undefined_primal(inval)]
    avals = [invals[i].aval for i in linear]
    if isinstance(cotangent, ad.Zero):
        found = [ad.Zero(aval) for aval in avals]
    else:

        def fn(*args):
            filled = dict(zip(linear, args, strict=True))
            out = _bind(eqn, *(filled.get(i, inval) for i, inval in enumerate(invals)))
            return out[0] if eqn.primitive.multiple_results else out

        shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
        found = jax.linear_transpose(fn, *shapes)(cotangent)
    found = dict(zip(linear, found, strict=True))
    return [found.get(i) for i in range(len(invals))]


def _write_cotangent(primitive, env: dict, var, cotangent) -> None:
    if cotangent is None or isinstance(cotangent, ad.Zero):
        return
    if not isinstance(var, jax.extend.core.Literal):
        env[var] = ad.add_tangents(env[var], cotangent) if var in env else cotangent


def _read_primal(env: dict, var):
    if isinstance(var, jax.extend.core.Literal):
        return var.val
    return env[var] if var in env else ad.UndefinedPrimal(var.aval)


def _get_flops(f: Callable, optimize: bool, *args, **kwargs) -> float:
    lowered = jax.jit(f).lower(*args, **kwargs)
    analysis = lowered.compile().cost_analysis() if optimize else lowered.cost_analysis()
    analysis = analysis[0] if isinstance(analysis, list | tuple) else analysis  # a list before 0.5
    return analysis["flops"]


def _without_structured_derivatives(*args, **kwargs):
    raise _incompatible(
        f"{', '.join(STRUCTURED_DERIVATIVES_NEEDS)} of JAX for empirical implementation 3",
        "use implementation 1 or 2, or an older JAX.",
    )


def _adapt(nt: types.ModuleType) -> types.ModuleType:
    """`nt`, its private helpers replaced where they rest on private parts of JAX."""
    empirical = importlib.import_module("neural_tangents._src.empirical")
    predict = importlib.import_module("neural_tangents._src.predict")
    linear = importlib.import_module("neural_tangents._src.stax.linear")

    predict.jax = linear.jax = _EAGER_JAX
    predict.sp = _View(predict.sp, linalg=_View(predict.sp.linalg, eigvalsh=_eigvalsh))
    empirical.jnp, empirical.ad = _JNP, _AD
    empirical._get_flops = _get_flops
    if STRUCTURED_DERIVATIVES_NEEDS:
        chosen = empirical._implementation_to_ntk_fn
        chosen[nt.NtkImplementation.STRUCTURED_DERIVATIVES] = _without_structured_derivatives
        chosen[nt.NtkImplementation.AUTO] = _without_structured_derivatives  # tries all three
        return nt
    empirical._get_primals_out_and_pullback = functools.partial(
        _get_primals_out_and_pullback, empirical._backward_pass
    )
    empirical._eqn_vjp_fn = _eqn_vjp_fn
    empirical._write_cotangent = _write_cotangent
    empirical._read_primal = _read_primal
    return nt


def _eigvalsh(matrix, *, eigvals: tuple[int, int]):
    """scipy.linalg.eigvalsh, whose argument `eigvals` became `subset_by_index`."""
    import scipy.linalg

    return scipy.linalg.eigvalsh(matrix, subset_by_index=eigvals)


_check_versions()
nt = _adapt(_imported())
stax = nt.stax
predict = nt.predict

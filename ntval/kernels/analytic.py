"""Infinite-width kernels by neural-tangents: of a regime, of our networks, of any stax network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from ntval import arrays
from ntval.activations import LEAKY_SLOPE, Activation, activation
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import CompatibilityError, InputError, NetworkError
from ntval.networks import mlp
from ntval.networks.mlp import NTK, STANDARD, Mlp, parametrization
from ntval.networks.network import Network
from ntval.regimes import Regime

# Relative to sqrt(K_ii K_jj), away from coincident points, for activations with a closed form
# and by `_trapezoid`, at pre-activations of standard deviation up to `LARGEST_STD`.
ACCURACY = 1e-12

# On equal inputs some of neural-tangents' closed forms divide 0 by 0 through arccos: half the
# digits are left. A network of unknown layers may hold one.
COINCIDENT_ACCURACY = 1e-8

Get = Literal["ntk", "nngp"]


def gp_inference(*arguments: Any, **options: Any) -> Callable[..., Any]:
    """neural-tangents' `predict.gp_inference`.

    Raises: `CompatibilityError` where neural-tangents is not installed.
    """
    from ntval.kernels._neural_tangents import predict

    return predict.gp_inference(*arguments, **options)


def _stax() -> ModuleType:
    """neural-tangents' layers, loaded at the first use: it may be missing.

    Raises: `CompatibilityError` with the command that installs it.
    """
    from ntval.kernels._neural_tangents import stax

    return stax


Architecture = Regime | Mlp | Network


def ntk(
    architecture: Architecture,
    x1: Float[AnyArray, "n1 *shape"] | ArrayLike,
    x2: Float[AnyArray, "n2 *shape"] | ArrayLike | None = None,
) -> Float[Array, "n1 n2"]:
    r"""Infinite-width neural tangent kernel $\Theta(x_1, x_2)$ of `architecture`.

    Float64 whatever the inputs' precision and JAX's flags; symmetric when `x2` is None.

    Source: Jacot et al. (2018), as neural-tangents computes it (read in its code).
    Accuracy: `accuracy(architecture)` relative to $\sqrt{\Theta_{ii} \Theta_{jj}}$; near coincident
    points arccos leaves $\sqrt u$ for kinked activations.
    Raises: `InputError` on malformed inputs, `NetworkError` on a network without a kernel_fn, or
    one whose kernel_fn raises or returns other than a finite (n1, n2) array.
    """
    return _kernel(architecture, x1, x2, "ntk")


def nngp(
    architecture: Architecture,
    x1: Float[AnyArray, "n1 *shape"] | ArrayLike,
    x2: Float[AnyArray, "n2 *shape"] | ArrayLike | None = None,
) -> Float[Array, "n1 n2"]:
    """Infinite-width covariance of the outputs of `architecture` at random weights.

    Source, Accuracy, Raises: as `ntk`.
    """
    return _kernel(architecture, x1, x2, "nngp")


def kernel_fn(mlp: Mlp) -> Callable[..., Float[Array, "n1 n2"]]:
    r"""The twin of `mlp` in stax's convention: a function of (x1, x2=None, get="ntk").

    `ntk`: all layers trained. `standard`: the same with the layers' own widths, as the kernel
    then depends on them. `montanari_zhong`: the trained first layer,
    $\langle x, x' \rangle / d \; E[\sigma'(u) \sigma'(v)]$; a derivative that is homogeneous of
    degree 0 gives one kernel for weights on the sphere and Gaussian ones, others are refused.

    Raises: `InputError` for `montanari_zhong` with another activation: `quadrature_oracle.ntk`
    has the kernel at finite d.
    """
    sigma = activation(mlp.activation)
    try:
        _stax()
    except CompatibilityError as error:
        return _refusing(str(error))
    if mlp.trained_first:
        if sigma.homogeneity != 1:
            raise InputError(
                f"analytic.kernel_fn needs an activation homogeneous of degree 1 for weights on "
                f"the sphere, got {sigma.name!r}; quadrature_oracle.ntk has the finite-d kernel."
            )
        stax = _stax()
        plain = _diagonal_kept(stax.serial(stax.Dense(1), _layer(sigma), stax.Dense(1))[2])

        def first_layer(x1, x2=None, get: Get = "ntk"):
            if get != "ntk":
                raise InputError(f"the twin of a trained first layer has get='ntk', got {get!r}.")
            kernel = plain(x1, x2, ("ntk", "nngp"))
            return kernel.ntk - kernel.nngp

        return first_layer
    layers = []
    for width in mlp.widths:
        layers += [_dense(mlp, width), _layer(sigma)]
    return _diagonal_kept(_stax().serial(*layers, _dense(mlp, mlp.outputs))[2])


def compiled_kernel_fn(mlp: Mlp) -> Callable[..., Float[Array, "n1 n2"]]:
    """`kernel_fn`, compiled at the first call with inputs of a shape: for many calls with others.

    At a kink XLA's fusion is off: it would contract a product and a difference to one rounding,
    and arccos makes 1e-8 out of the last bit at equal inputs. Elsewhere it is on: without it
    jaxlib 0.10.2 compiles a quadrature's loop to wrong numbers under one of XLA's flags
    (`--xla_cpu_use_fusion_emitters=false`, measured). JAX before 0.6 cannot turn it off for one
    program: a kinked activation's twin is `kernel_fn` itself there.
    """
    twin = kernel_fn(mlp)
    if not activation(mlp.activation).breakpoints:
        return jax.jit(twin, static_argnames="get")
    if jax.__version_info__ < (0, 6):
        return twin
    options = {"xla_disable_hlo_passes": "fusion"}
    return jax.jit(twin, static_argnames="get", compiler_options=options)


def _refusing(reason: str) -> Callable[..., Float[Array, "n1 n2"]]:
    """A kernel_fn that says, once it is called, why there is none."""

    def kernel_fn(x1, x2=None, get: Get = "ntk"):
        raise CompatibilityError(reason)

    return kernel_fn


def accuracy(architecture: Architecture) -> float:
    """Relative accuracy to expect of the kernel, away from coincident points."""
    known = not isinstance(architecture, Network) or architecture.mlp is not None
    return ACCURACY if known else COINCIDENT_ACCURACY


def _kernel(architecture: Architecture, x1, x2, get: Get) -> Float[Array, "n1 n2"]:
    rows1, rows2 = arrays.require_inputs(x1, x2)
    name, function = _function(architecture)
    shape = (len(rows1), len(rows1 if rows2 is None else rows2))
    with arrays.float64():
        first = jnp.asarray(rows1)
        second = None if rows2 is None else jnp.asarray(rows2)
        try:
            # Unjitted, with x2=None: neural-tangents then knows that the inputs are equal.
            result = function(first, second, get)
        except (CompatibilityError, InputError, NetworkError):
            raise
        except Exception as error:
            line = (str(error).strip().splitlines() or [""])[0][:200]
            raise NetworkError(
                f"{name} needs a kernel_fn(x1, x2, get) for inputs of shape {first.shape}, "
                f"got {type(error).__name__}: {line}; call it by hand to see where."
            ) from error
        if getattr(result, "shape", None) != shape:
            got = getattr(result, "shape", type(result).__name__)
            raise NetworkError(
                f"{name} needs a kernel_fn that returns an array of shape {shape} for "
                f"get={get!r}, got {got}; return the kernel of the inputs, outputs traced over."
            )
        way_out = "look at its formula at equal and opposite inputs, where roots and arccos end"
        if _trusted(architecture):
            way_out = (
                f"scale the inputs, or w_std: an activation without a closed form needs "
                f"pre-activations of standard deviation up to {LARGEST_STD:g}"
            )
        gram = jnp.asarray(arrays.as_float64(f"kernel_fn of {name}", result, way_out=way_out))
        return (gram + gram.T) / 2 if second is None and _trusted(architecture) else gram


def _trusted(architecture: Architecture) -> bool:
    """Whether asymmetry can only be rounding: of a user's kernel_fn it is for a claim to see."""
    return not isinstance(architecture, Network)


def _function(architecture: Architecture) -> tuple[str, Callable[..., Any]]:
    if isinstance(architecture, Regime):
        architecture = mlp.mlp_of(architecture)
    if isinstance(architecture, Mlp):
        return f"Mlp {architecture.sizes}", kernel_fn(architecture)
    if architecture.kernel_fn is None:
        raise NetworkError(
            f"network {architecture.name!r} needs a kernel_fn for its infinite-width kernel, "
            "got None; build it with ntval.stax, or use an empirical kernel."
        )
    return f"network {architecture.name!r}", architecture.kernel_fn


def _diagonal_kept(stax_kernel_fn: Callable[..., Any]) -> Callable[..., Any]:
    """The same kernel, exact on the diagonal when `x2` is None.

    neural-tangents sums inner products and squared norms in different orders; arccos makes 1e-8
    out of their last bit. So its first kernel gets the squared norms on its diagonal.
    """
    inputs = _stax().Identity()[2]

    def kernel_fn(x1, x2=None, get="ntk"):
        if x2 is not None:
            return stax_kernel_fn(x1, x2, get)
        first = inputs(x1, None)
        diagonal = jnp.diag_indices(len(x1))
        first = first.replace(nngp=first.nngp.at[diagonal].set(first.cov1))
        return stax_kernel_fn(first, get=get)

    return kernel_fn


def _dense(mlp: Mlp, width: int):
    return _stax().Dense(
        width,
        W_std=mlp.w_std,
        b_std=mlp.b_std or None,
        parameterization=_parameterization(mlp),
    )


def _parameterization(mlp: Mlp) -> str:
    """The parametrization in stax's words.

    Raises: `InputError` on one that neural-tangents has no closed form for.
    """
    found = parametrization(mlp.parametrization)
    if found not in (NTK, STANDARD):
        raise InputError(
            f"analytic needs a parametrization of ntval's own, got {found.name!r}; "
            "use an empirical kernel."
        )
    return found.name


def _layer(sigma: Activation):
    """The stax layer of an activation: in closed form, or by a quadrature of our own."""
    stax = _stax()
    closed_forms: dict[str, Callable[..., Any]] = {
        "relu": stax.Relu,
        "leaky_relu": lambda: stax.LeakyRelu(LEAKY_SLOPE),
        "erf": stax.Erf,
        "erf_sqrt2": lambda: stax.Erf(b=float(np.sqrt(0.5))),
        "gelu": stax.Gelu,
        "sin": stax.Sin,
        "cos": stax.Cos,
        # Isserlis's theorem; stax.Polynomial returns NaN at a row of zeros.
        "quadratic": lambda: stax.Elementwise(
            sigma.fn, lambda c, v, w: (v * w + 2 * c**2) / 4, lambda c, v, w: c
        ),
        "cubic": lambda: stax.Elementwise(
            sigma.fn,
            lambda c, v, w: v * w * c + 2 * c**3 / 3,
            lambda c, v, w: v * w + 2 * c**2,
        ),
        "linear": stax.Identity,
    }
    if sigma.name in closed_forms:
        return closed_forms[sigma.name]()
    if sigma.breakpoints:
        raise InputError(
            f"analytic needs a closed form or a smooth activation, got {sigma.name!r} with "
            f"breakpoints {sigma.breakpoints}; use quadrature_oracle.ntk, which splits at them."
        )
    return _by_quadrature(sigma)


# Steps of the trapezoidal rule, and the largest standard deviation of a pre-activation of each.
_STEPS = ((1 / 8, 2.2), (1 / 16, 4.4), (1 / 32, 8.8), (1 / 64, 17.6))
LARGEST_STD = _STEPS[-1][1]


def _trapezoid(step: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Nodes and weights of the trapezoidal rule for N(0, 1).

    For an integrand analytic in the strip |Im z| < c its error is $e^{-2\pi c / h}$. tanh and the
    logistic function of a variable of standard deviation s have c = pi / 2s at least: at the
    largest s of each of `_STEPS` that is 2e-16, before the factor of a double pole.
    Source: Trefethen & Weideman (2014), Theorem 5.1 (recalled); measured against a step of 1/160.
    """
    z = np.arange(-8.5, 8.5 + step / 2, step)
    weights = step * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return z, weights


def _by_quadrature(sigma: Activation):
    """The stax layer of an activation, by the coarsest rule that its pre-activations allow; not a
    number where their standard deviation exceeds `LARGEST_STD`."""
    layers = [
        _stax().Elementwise(
            sigma.fn,
            functools.partial(_expectation, sigma.fn, *_trapezoid(step)),
            functools.partial(_expectation, sigma.derivative, *_trapezoid(step)),
        )
        for step, _ in _STEPS
    ]
    ends = np.array([largest for _, largest in _STEPS])
    init_fn, apply_fn, first = layers[0]
    rules = [kernel_fn for _, _, kernel_fn in layers]

    @functools.wraps(first)  # with what neural-tangents notes on it of the inputs it needs
    def kernel_fn(k, **options):
        variances = [jnp.max(v) for v in (k.cov1, k.cov2) if v is not None]
        largest = jnp.sqrt(functools.reduce(jnp.maximum, variances))
        rule = jnp.minimum(jnp.searchsorted(ends, largest), len(rules) - 1)
        if isinstance(rule, Tracer):
            found = jax.lax.switch(rule, [functools.partial(r, **options) for r in rules], k)
        else:
            found = rules[int(rule)](k, **options)
        exact = largest <= LARGEST_STD
        kept = {name: getattr(found, name) for name in ("nngp", "ntk", "cov1", "cov2")}
        return found.replace(
            **{n: jnp.where(exact, v, jnp.nan) for n, v in kept.items() if v is not None}
        )

    return init_fn, apply_fn, kernel_fn


@functools.partial(jax.jit, static_argnums=0)
def _expectation(fn: Callable[..., Any], z, weights, cov12, var1, var2):
    """E[f(u) f(v)] at a covariance and two variances, in Cartesian coordinates."""
    nodes, w = jnp.asarray(z, dtype=jnp.result_type(var1)), jnp.asarray(weights)
    spread1 = jnp.sqrt(var1)
    slope = jnp.where(spread1 > 0, cov12 / jnp.where(spread1 > 0, spread1, 1.0), 0.0)
    spread2 = jnp.sqrt(jnp.maximum(var2 - slope**2, 0.0))

    def add(total, node):
        z1, w1 = node
        inner = w @ fn(slope * z1 + spread2 * nodes)
        return total + w1 * fn(spread1 * z1) * inner, None

    total, _ = jax.lax.scan(add, jnp.zeros_like(spread1), (nodes, w))
    return total

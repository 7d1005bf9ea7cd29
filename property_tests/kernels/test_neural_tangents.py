"""neural-tangents as adapted here agrees with itself, unadapted, on the JAX it was written for.

The golden file holds what the unadapted release computes in float64 on jax 0.4.25, from inputs and
parameters that NumPy draws. To make it anew, in an environment with that JAX and no ntval:

    python property_tests/kernels/test_neural_tangents.py
"""

import json
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

GOLDEN = Path(__file__).with_name("golden_neural_tangents.json")


# CASES: A NAME, AND WHAT TO COMPUTE FROM THE PACKAGE


def _draws(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def _params(net, shape, seed=7):
    """Parameters of the network's own structure, drawn by NumPy."""
    _, params = net[0](jax.random.PRNGKey(0), shape)
    leaves, tree = jax.tree_util.tree_flatten(params)
    drawn = [_draws(seed + i, *leaf.shape) for i, leaf in enumerate(leaves)]
    return jax.tree_util.tree_unflatten(tree, [jnp.asarray(leaf) for leaf in drawn])


FLAT, FLAT_2 = _draws(1, 4, 6), _draws(2, 2, 6)
IMAGES, IMAGES_2 = _draws(3, 2, 4, 4, 3), _draws(4, 2, 4, 4, 3)


def _layers(nt):
    """Networks by name: what each computes is compared as a kernel and as a function."""
    s = nt.stax
    dense = s.Dense(8, 1.3, 0.4)

    def flat(*middle):
        return s.serial(dense, *middle, s.Dense(3, 1.1, 0.2))

    def conv(*middle, padding="SAME", strides=None):
        return s.serial(s.Conv(4, (3, 3), strides, padding, 1.2, 0.3), s.Relu(), *middle)

    def attention(**options):
        layer = s.GlobalSelfAttention(4, 4, 4, 2, linear_scaling=True, **options)
        return conv(layer, s.GlobalAvgPool(), s.Dense(2))

    with warnings.catch_warnings():  # it says that its accuracy depends on deg
        warnings.simplefilter("ignore", UserWarning)
        numerical = s.ElementwiseNumerical(jnp.tanh, deg=15)
    activations = {
        "relu": s.Relu(),
        "leaky_relu": s.LeakyRelu(0.1),
        "abs": s.Abs(),
        "sign": s.Sign(),
        "erf": s.Erf(1.2, 0.7, 0.1),
        "gelu": s.Gelu(),
        "gelu_approximate": s.Gelu(approximate=True),
        "sin": s.Sin(1.1, 0.9, 0.2),
        "cos": s.Cos(),
        "rbf": s.Rbf(0.7),
        "gaussian": s.Gaussian(),
        "exp": s.Exp(0.8, 0.3),
        "exp_normalized": s.ExpNormalized(),
        "sigmoid_like": s.Sigmoid_like(),
        "monomial": s.Monomial(3),
        "polynomial": s.Polynomial([0.3, -0.2, 0.5]),
        "rectified_monomial": s.RectifiedMonomial(1),
        "numerical": numerical,
    }
    networks = {f"dense_{name}": (FLAT, FLAT_2, flat(layer)) for name, layer in activations.items()}
    networks |= {
        name: (FLAT, FLAT_2, net)
        for name, net in {
            "standard": s.serial(
                s.Dense(8, 1.3, 0.4, parameterization="standard", s=(1, 2)),
                s.Relu(),
                s.Dense(3, 1.1, 0.2, parameterization="standard", s=(2, 3)),
            ),
            "layer_norm": flat(s.LayerNorm(), s.Relu()),
            "residual": flat(s.FanOut(2), s.parallel(s.Relu(), s.Identity()), s.FanInSum(), s.Erf()),
            "concatenated": flat(s.FanOut(2), s.parallel(s.Relu(), s.Erf()), s.FanInConcat()),
            "product": s.serial(dense, s.FanOut(2), s.parallel(dense, dense), s.FanInProd()),
            "repeated": s.serial(s.repeat(s.serial(dense, s.Relu()), 3), s.Dense(3)),
        }.items()
    }
    return networks | {
        name: (IMAGES, IMAGES_2, net)
        for name, net in {
            "conv_flatten": conv(s.Flatten(), s.Dense(2)),
            "conv_valid": conv(s.Flatten(), s.Dense(2), padding="VALID"),
            "conv_circular": conv(s.GlobalAvgPool(), s.Dense(2), padding="CIRCULAR"),
            "conv_strides": conv(s.GlobalSumPool(), s.Dense(2), strides=(2, 1)),
            "conv_transpose": s.serial(s.ConvTranspose(4, (2, 2), padding="SAME"), s.Flatten()),
            "conv_local": s.serial(s.ConvLocal(4, (2, 2)), s.Relu(), s.Flatten(), s.Dense(2)),
            "avg_pool": conv(s.AvgPool((2, 2), (2, 2)), s.Flatten(), s.Dense(2)),
            "sum_pool": conv(s.SumPool((2, 2)), s.Flatten(), s.Dense(2)),
            "conv_layer_norm": conv(s.LayerNorm(axis=(1, 2, 3)), s.GlobalAvgPool()),
            "image_resize": conv(s.ImageResize((-1, 3, 3, -1), "linear"), s.Flatten(), s.Dense(2)),
            "index": conv(s.Index(s.Slice[:, 1:3, :2, :]), s.Flatten(), s.Dense(2)),
            "attention": attention(),
            "attention_positions": attention(
                pos_emb_type="CONCAT", pos_emb_p_norm=2.0, pos_emb_decay_fn=lambda r: 1 / (1 + r)
            ),
        }.items()
    }


# Layers whose apply_fn exists in the limit only, or not at all for these options.
_KERNEL_ONLY = ("sign", "exp_normalized", "attention_positions")


def golden_arrays(nt):
    """Every golden array by name."""
    arrays = {}
    for name, (x1, x2, net) in _layers(nt).items():
        for get in ("nngp", "ntk"):
            arrays[f"{get} {name}"] = net[2](x1, None, get)
            arrays[f"{get} {name} x2"] = net[2](x1, x2, get)
        if not name.endswith(_KERNEL_ONLY):
            arrays[f"apply {name}"] = net[1](_params(net, x1.shape), x1)
    return arrays | _empirical(nt) | _predictions(nt) | _batched(nt)


def _empirical(nt):
    arrays = {}
    layers = _layers(nt)
    names = ("dense_gelu", "residual", "layer_norm", "conv_flatten", "avg_pool", "attention")
    for name in names:
        x1, x2, net = layers[name]
        params = _params(net, x1.shape)
        for implementation in (1, 2, 3):
            for axes in ({}, {"trace_axes": (), "vmap_axes": 0}, {"trace_axes": (), "diagonal_axes": (1,)}):
                ntk_fn = nt.empirical_ntk_fn(net[1], implementation=implementation, **axes)
                label = f"empirical ntk {name} {implementation} {sorted(axes)}"
                arrays[label] = ntk_fn(x1, x2, params)
        arrays[f"empirical nngp {name}"] = nt.empirical_nngp_fn(net[1])(x1, x2, params)
    x1, x2, net = layers["dense_gelu"]
    params, others = _params(net, x1.shape), _params(net, x1.shape, seed=30)
    vector = _draws(5, 2, 3)
    arrays["empirical ntk_vp"] = nt.empirical_ntk_vp_fn(net[1], x1, x2, params)(vector)
    arrays["linearize"] = nt.linearize(net[1], params)(others, x1)
    arrays["taylor_expand"] = nt.taylor_expand(net[1], params, 2)(others, x1)
    sample = (lambda key, shape: (None, params), net[1])  # ignores the key
    arrays["monte_carlo"] = nt.monte_carlo_kernel_fn(*sample, jax.random.PRNGKey(0), 1)(x1, x2, "ntk")
    return arrays


def _predictions(nt):
    kernel_fn = _layers(nt)["dense_erf"][2]
    y, fx, fx_2 = _draws(6, 4, 2), _draws(7, 4, 2), _draws(8, 2, 2)
    k, k_21 = kernel_fn(FLAT, None, "ntk"), kernel_fn(FLAT_2, FLAT, "ntk")
    mse = nt.predict.gradient_descent_mse(k, y, diag_reg=1e-3)
    ensemble = nt.predict.gradient_descent_mse_ensemble(kernel_fn, FLAT, y, diag_reg=1e-3)
    gp = nt.predict.gp_inference(kernel_fn(FLAT, None), y, diag_reg=1e-3)
    arrays = {"predict learning rate": nt.predict.max_learning_rate(k)}
    for label, t in (("inf", None), ("finite", 1.5)):
        train, test = mse(t, fx, fx_2, k_21)
        arrays |= {f"predict mse train {label}": train, f"predict mse test {label}": test}
        under_jit = jax.jit(lambda a, b, c, t=t: mse(t, a, b, c)[1])
        arrays[f"predict mse jit {label}"] = under_jit(fx, fx_2, k_21)
        found = ensemble(t, FLAT_2, "ntk", compute_cov=True)
        arrays |= {f"predict ensemble {label}": found.mean, f"predict cov {label}": found.covariance}
    found = gp("ntk", kernel_fn(FLAT_2, FLAT), kernel_fn(FLAT_2, None, "nngp"))
    arrays |= {"predict gp": found.mean, "predict gp cov": found.covariance}
    return arrays


def _batched(nt):
    arrays = {}
    for name in ("dense_gelu", "conv_flatten"):
        x1, x2, net = _layers(nt)[name]
        for store in (True, False):
            options = {"batch_size": 2, "device_count": 0, "store_on_device": store}
            label = f"batch {name} {'device' if store else 'host'}"
            arrays[label] = nt.batch(net[2], **options)(x1, x2, "ntk")
            ntk_fn = nt.empirical_kernel_fn(net[1], vmap_axes=0, implementation=1)
            batched = nt.batch(ntk_fn, **options)
            arrays[f"{label} empirical"] = batched(x1, x2, "ntk", _params(net, x1.shape))
    return arrays


if __name__ == "__main__":
    import types

    jax.config.update("jax_enable_x64", True)
    sys.modules["neural_tangents.experimental"] = types.ModuleType("experimental")
    import neural_tangents

    made = {k: np.asarray(v).round(17) for k, v in golden_arrays(neural_tangents).items()}
    lines = [f" {json.dumps(name)}: {json.dumps(value.tolist())}" for name, value in made.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(made)} arrays, {GOLDEN.stat().st_size} bytes, jax {jax.__version__}")

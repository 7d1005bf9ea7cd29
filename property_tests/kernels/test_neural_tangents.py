"""neural-tangents as adapted here agrees with itself, unadapted, on the JAX it was written for.

The golden file holds what the unadapted release computes in float64 on jax 0.4.25, from inputs and
parameters that NumPy draws. To make it anew, in an environment with that JAX and no ntval:

    python property_tests/kernels/test_neural_tangents.py
"""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

GOLDEN = Path(__file__).with_name("golden_neural_tangents.json")


# CASES: A NAME, AND WHAT TO COMPUTE FROM THE PACKAGE


def _draws(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def _params(net, shape, seed=7):
    """Parameters of the network's own structure, drawn by NumPy."""
    params = jax.eval_shape(lambda: net[0](jax.random.PRNGKey(0), shape)[1])
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
        "numerical": s.ElementwiseNumerical(jnp.tanh, deg=15),
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
            "residual": flat(
                s.FanOut(2), s.parallel(s.serial(s.Relu(), dense), s.Identity()), s.FanInSum()
            ),
            "concatenated": flat(s.FanOut(2), s.parallel(s.Relu(), s.Erf()), s.FanInConcat()),
            "product": s.serial(dense, s.FanOut(2), s.parallel(dense, dense), s.FanInProd()),
            "repeated": s.serial(dense, s.repeat(s.serial(s.Relu(), dense), 2), s.Dense(3)),
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
            "conv_layer_norm": s.serial(
                s.Conv(4, (2, 2)), s.LayerNorm(axis=(1, 2, 3)), s.Relu(), s.GlobalAvgPool()
            ),
            "image_resize": conv(s.ImageResize((-1, 3, 3, -1), "linear"), s.Flatten(), s.Dense(2)),
            "index": conv(s.Index(s.Slice[:, 1:3, :2, :]), s.Flatten(), s.Dense(2)),
            "attention": attention(),
            "attention_positions": attention(
                pos_emb_type="CONCAT", pos_emb_p_norm=2.0, pos_emb_decay_fn=lambda r: 1 / (1 + r)
            ),
        }.items()
    }


def golden_arrays(nt):
    """Every golden array by name."""
    arrays = {}
    for name, (x1, x2, net) in _layers(nt).items():

        def kernels(a, b, kernel_fn=net[2]):
            return tuple(kernel_fn(a, b, ("nngp", "ntk")))

        same = jax.jit(lambda a, kernels=kernels: kernels(a, None))
        if x1 is FLAT:  # unjitted, as ntval calls it; costly for images
            same = functools.partial(kernels, b=None)
        for get, kernel, cross in zip(
            ("nngp", "ntk"), same(x1), jax.jit(kernels)(x1, x2), strict=True
        ):
            arrays |= {f"{get} {name}": kernel, f"{get} {name} x2": cross}
        if name != "dense_exp_normalized":  # exists in the limit only
            arrays[f"apply {name}"] = jax.jit(net[1])(_params(net, x1.shape), x1)
    return arrays | _empirical(nt) | _predictions(nt) | _batched(nt)


def _empirical(nt):
    arrays = {}
    layers = _layers(nt)
    by_trace = {"": {}}
    by_entry = {
        "entries": {"trace_axes": (), "vmap_axes": 0},
        "diagonal": {"trace_axes": (), "diagonal_axes": (1,)},
    }
    for name, options in {
        "dense_gelu": by_trace | by_entry,
        "residual": by_trace,
        "layer_norm": by_trace,
        "conv_flatten": by_trace,
        "attention": by_trace,
    }.items():
        x1, x2, net = layers[name]
        params = _params(net, x1.shape)
        for implementation in (1, 2, 3):
            for label, axes in options.items():
                ntk_fn = nt.empirical_ntk_fn(net[1], implementation=implementation, **axes)
                key = f"empirical ntk {name} {implementation} {label}".strip()
                arrays[key] = jax.jit(ntk_fn)(x1, x2, params)
        arrays[f"empirical nngp {name}"] = nt.empirical_nngp_fn(net[1])(x1, x2, params)
    x1, x2, net = layers["dense_gelu"]
    params, others = _params(net, x1.shape), _params(net, x1.shape, seed=30)
    vector = _draws(5, 2, 3)
    arrays["empirical ntk_vp"] = nt.empirical_ntk_vp_fn(net[1], x1, x2, params)(vector)
    arrays["linearize"] = nt.linearize(net[1], params)(others, x1)
    arrays["taylor_expand"] = nt.taylor_expand(net[1], params, 2)(others, x1)
    sample = (lambda key, shape: (None, params), net[1])  # ignores the key
    arrays["monte_carlo"] = nt.monte_carlo_kernel_fn(*sample, jax.random.PRNGKey(0), 1)(
        x1, x2, "ntk"
    )
    return arrays


def _predictions(nt):
    kernel_fn = _layers(nt)["dense_erf"][2][2]
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
        arrays |= {
            f"predict ensemble {label}": found.mean,
            f"predict cov {label}": found.covariance,
        }
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


# TESTS


@pytest.fixture(scope="module")
def computed():
    from ntval import arrays
    from ntval.kernels._neural_tangents import nt

    with arrays.float64():
        return golden_arrays(nt)


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text())


# Upstream says by UserWarning that it batches, integrates numerically, or assumes independence;
# deprecations stay errors.
speaks = pytest.mark.filterwarnings("ignore::UserWarning")


def _allowance(name):
    """What two orders of summation can differ by, relative to the largest entry.

    At equal inputs a cosine that is off by g gives an angle that is off by sqrt(2 g). The longest
    sums here have about a hundred terms, through at most four layers and as many matrix products;
    the solves of predict multiply that by a condition number below a hundred thousand.
    """
    from ntval.arrays import rounding_allowance

    kind = name.split()[0]
    if kind in ("nngp", "ntk", "batch", "monte_carlo"):
        return (2 * rounding_allowance(100)) ** 0.5
    return rounding_allowance(400 * (1e5 if kind == "predict" else 1))


@speaks
def test_adapted_package_computes_what_the_unadapted_one_did(computed, golden):
    assert computed.keys() == golden.keys()
    off = {}
    for name, expected in golden.items():
        expected = np.asarray(expected)
        found = np.asarray(computed[name])
        assert found.shape == expected.shape, name
        gap = np.abs(found - expected).max() / np.abs(expected).max()
        if not gap <= _allowance(name):
            off[name] = gap
    assert not off


@speaks
def test_three_implementations_of_the_empirical_ntk_agree(computed):
    first = [name for name in computed if name.startswith("empirical ntk") and " 1" in name]
    assert len(first) == 7
    for name in first:
        for other in (" 2", " 3"):
            found, expected = computed[name.replace(" 1", other)], computed[name]
            gap = np.abs(found - expected).max() / np.abs(expected).max()
            assert gap <= _allowance(name), name


def _agreement_of_implementation_3(apply_fn, *shapes):
    from ntval import arrays
    from ntval.kernels._neural_tangents import nt

    with arrays.float64():
        params = [jnp.asarray(_draws(20 + i, *shape)) for i, shape in enumerate(shapes)]
        kernels = [
            nt.empirical_ntk_fn(apply_fn, implementation=implementation)(FLAT, FLAT_2, params)
            for implementation in (1, 3)
        ]
    gap = np.abs(kernels[1] - kernels[0]).max() / np.abs(kernels[0]).max()
    assert gap <= _allowance("empirical")


@speaks
def test_implementation_3_reads_split_which_has_several_outputs():
    def apply_fn(params, x):
        left, right = jnp.split(x @ params[0], 2, axis=-1)
        return (jnp.tanh(left) * right) @ params[1]

    _agreement_of_implementation_3(apply_fn, (6, 8), (4, 3))


@speaks
def test_implementation_3_reads_remat_whose_transpose_jax_keeps_to_itself():
    @jax.checkpoint
    def block(w, x):
        return jnp.tanh(x @ w)

    def apply_fn(params, x):
        return block(params[1], block(params[0], x)) @ params[2]

    _agreement_of_implementation_3(apply_fn, (6, 8), (8, 8), (8, 3))


@speaks
def test_implementation_3_reads_constants_that_the_linear_map_computes():
    def apply_fn(params, x):
        return (jnp.broadcast_to(jnp.arange(3.0) ** 2, (x.shape[0], 3)) + x @ params[0]) * 2.0

    _agreement_of_implementation_3(apply_fn, (6, 3))


def test_automatic_choice_reads_the_costs_that_jax_reports(capsys):
    from ntval import arrays
    from ntval.kernels._neural_tangents import nt

    with arrays.float64():
        ntk_fn = nt.empirical_ntk_fn(lambda w, x: x @ w, implementation=0)
        ntk = ntk_fn(FLAT, FLAT_2, jnp.asarray(_draws(9, 6, 1)))
    capsys.readouterr()  # upstream prints its choice
    expected = FLAT @ FLAT_2.T
    assert np.abs(ntk - expected).max() <= _allowance("empirical") * np.abs(expected).max()

"""The tiled contraction is the outer product of the Jacobian, whatever the tiles."""

import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import float64, rounding_allowance
from ntval.errors import InputError, NetworkError
from ntval.front.strategies import inputs
from ntval.kernels import jacobian
from ntval.kernels.differentiable import raveled

N1, N2, D, WIDTH, OUTPUTS = 7, 5, 4, 6, 3
NUM_PARAMS = D * WIDTH + WIDTH + WIDTH * OUTPUTS + 1
# One sample and output a tile; a few; everything at once.
BUDGETS = (1, 16 * 8 * NUM_PARAMS, 2**28)
X1, X2 = (np.random.default_rng(seed).standard_normal((n, D)) for seed, n in ((1, N1), (2, N2)))
# Each entry passes through a product and a sum a parameter, and the network's own operations;
# tanh magnifies the rounding of its argument h by |2 h tanh(h)|, below 16 at |h| <= 8.
ALLOWANCE = rounding_allowance(32 * NUM_PARAMS)


def _network(params, x):
    """A network of ours no closed form fits: a shared scale, a counter, a key, a residual."""
    hidden = jnp.tanh(x @ params["in"]["w"] + params["in"]["b"])
    turned = jnp.where(params["count"] % 2 == 0, 1.0, -1.0)
    noise = jax.random.normal(params["key"], (WIDTH,))
    return params["scale"] * turned * ((hidden + 0.1 * noise) @ params["out"])


def _params():
    rng = np.random.default_rng(0)
    return {
        "in": {"w": rng.standard_normal((D, WIDTH)), "b": rng.standard_normal(WIDTH)},
        "out": rng.standard_normal((WIDTH, OUTPUTS)),
        "scale": np.float64(0.7),
        "count": np.array(3),
        "key": jax.random.key(5),
    }


PARAMS = _params()


@jax.jit
def _jacobian(x):
    theta = {name: PARAMS[name] for name in ("in", "out", "scale")}
    return jax.jacrev(lambda theta: _network(PARAMS | theta, x))(theta)


def _rows(x):
    leaves = jax.tree.leaves(_jacobian(x))
    return np.concatenate([np.asarray(leaf).reshape(len(x), OUTPUTS, -1) for leaf in leaves], -1)


def _assert_equal(kernel, rows1, rows2):
    """Kernels of shape (n1, n2, outputs, outputs), against the product of given rows."""
    expected = np.einsum("iop,jqp->ijoq", rows1, rows2)
    norms1, norms2 = (np.linalg.norm(rows, axis=-1) for rows in (rows1, rows2))
    scale = norms1[:, None, :, None] * norms2[None, :, None, :]
    # The norms of whole samples: a derivative that vanishes still carries its row's rounding.
    scale = scale + norms1.max(axis=1)[:, None, None, None] * norms2.max(axis=1)[:, None, None]
    assert (np.abs(np.asarray(kernel) - expected) <= ALLOWANCE * scale).all()


@pytest.mark.parametrize("memory", BUDGETS)
@given(x1=inputs(N1, D, largest=2.0), x2=st.none() | inputs(N2, D, largest=2.0))
def test_kernel_is_the_outer_product_of_the_jacobian_in_tiles_of_any_size(memory, x1, x2):
    kernel = jacobian.ntk(_network, PARAMS, x1, x2, outputs="full", memory=memory)
    _assert_equal(kernel, _rows(x1), _rows(x1 if x2 is None else x2))


@pytest.mark.parametrize("memory", BUDGETS)
@pytest.mark.parametrize("x2", [None, X2])
def test_trace_is_the_mean_of_the_outputs_on_the_diagonal_of_full(memory, x2):
    full = np.asarray(jacobian.ntk(_network, PARAMS, X1, x2, outputs="full", memory=memory))
    trace = np.asarray(jacobian.ntk(_network, PARAMS, X1, x2, memory=memory))
    one = [
        np.asarray(jacobian.ntk(_network, PARAMS, X1, x2, outputs=index, memory=memory))
        for index in range(OUTPUTS)
    ]
    rows = [_rows(x).reshape(len(x), -1) for x in (X1, X1 if x2 is None else x2)]
    scale = np.outer(*(np.linalg.norm(r, axis=-1) for r in rows))
    assert (np.abs(np.mean(one, axis=0) - trace) <= ALLOWANCE * scale).all()
    for index in range(OUTPUTS):
        assert (np.abs(full[:, :, index, index] - one[index]) <= ALLOWANCE * scale).all()


@pytest.mark.parametrize("memory", BUDGETS)
@given(x=inputs(N1, D))
def test_kernel_of_one_set_of_inputs_is_bitwise_symmetric(memory, x):
    # By construction: the lower triangle is copied from the upper one.
    full = np.asarray(jacobian.ntk(_network, PARAMS, x, outputs="full", memory=memory))
    trace = np.asarray(jacobian.ntk(_network, PARAMS, x, memory=memory))
    assert (full == full.transpose(1, 0, 3, 2)).all()
    assert (trace == trace.T).all()


def test_rows_follow_the_leaves_of_the_parameters():
    rows = np.asarray(jacobian.rows(_network, PARAMS, X1))
    assert rows.shape == (N1, OUTPUTS, NUM_PARAMS)
    expected = _rows(X1)
    scale = np.linalg.norm(expected, axis=(1, 2), keepdims=True)
    assert (np.abs(rows - expected) <= ALLOWANCE * scale).all()


@pytest.mark.parametrize("outputs", ["trace", 1, "full"])
@pytest.mark.parametrize("x2", [None, X2])
def test_gram_is_the_kernel_untiled(outputs, x2):
    gram = np.asarray(
        jax.jit(lambda p: jacobian.gram(_network, p, X1, x2, outputs=outputs))(PARAMS)
    )
    kernel = np.asarray(jacobian.ntk(_network, PARAMS, X1, x2, outputs=outputs))
    rows = [_rows(x).reshape(len(x), -1) for x in (X1, X1 if x2 is None else x2)]
    scale = np.outer(*(np.linalg.norm(r, axis=-1) for r in rows))
    scale = scale[..., None, None] if outputs == "full" else scale
    assert gram.shape == kernel.shape
    assert (np.abs(gram - kernel) <= ALLOWANCE * scale).all()


def test_outputs_without_an_axis_are_one_output():
    flat = jacobian.ntk(lambda p, x: _network(p, x)[:, 0], PARAMS, X1)
    assert (np.asarray(flat) == np.asarray(flat).T).all()
    full = jacobian.ntk(lambda p, x: _network(p, x)[:, 0], PARAMS, X1, outputs="full")
    assert full.shape == (N1, N1, 1, 1)
    kernel = np.asarray(jacobian.ntk(_network, PARAMS, X1, outputs=0))
    scale = np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
    assert (np.abs(flat - kernel) <= ALLOWANCE * scale).all()


def test_float32_parameters_and_flags_leave_a_float64_kernel():
    expected = np.asarray(jacobian.ntk(_network, PARAMS, X1))
    with jax.enable_x64(False):
        kernel = jacobian.ntk(_network, PARAMS, X1)
        assert not jax.config.jax_enable_x64
    assert kernel.dtype == np.float64
    # To the bit: the compiled programs are the same, kept from the first call.
    assert (np.asarray(kernel) == expected).all()


def _wide(params, x):
    return jnp.maximum(x @ params[0], 0.0) @ params[1]


@pytest.mark.parametrize("outputs", ["trace", 0, "full"])
@pytest.mark.parametrize("memory", [2**20, 2**22, 2**24])
def test_programs_of_a_tile_take_no_more_than_the_budget_by_the_count_of_xla(memory, outputs):
    params = [jnp.ones((20, 300)), jnp.ones((300, 4))]
    theta, held, structure = jacobian.partition(params)
    plan = jacobian._plan(_wide, structure, theta, held, (64, 20), None, 4, outputs, memory)
    assert plan.peak <= memory
    # Neither is it left unused: the next tile up would be over it, or there are no more samples.
    assert plan.peak > memory / 8 or plan.tile >= 64
    assert plan.tile.bit_count() == 1
    assert plan.chunk <= (1 if outputs == 0 else 4)
    # Both blocks are held while they are contracted: float64 rows, one a sample and output.
    held_rows = (plan.tile + plan.inner) * plan.chunk
    assert plan.peak >= held_rows * 8 * sum(leaf.size for leaf in theta)


def wide_plan(working, memory, monkeypatch):
    """The plan of five outputs where every program takes `working` bytes, and bytes of a row."""
    monkeypatch.setattr(jacobian, "_working_bytes", lambda program: working)
    theta, held, structure = jacobian.partition([jnp.ones((20, 30)), jnp.ones((30, 5))])
    row = 8 * sum(leaf.size for leaf in theta)

    def fresh(params, x):  # not the programs of another test
        return _wide(params, x)

    plan = jacobian._plan(fresh, structure, theta, held, (16, 20), None, 5, "trace", memory)
    return plan, row


def test_the_peak_is_both_blocks_and_the_contraction(monkeypatch):
    plan, row = wide_plan(1000, 10**6, monkeypatch)
    assert plan.peak == (plan.tile + plan.inner) * plan.chunk * row + 1000


def test_where_nothing_fits_a_tile_is_one_row_of_one_output(monkeypatch):
    plan, _ = wide_plan(10**6, 10**5, monkeypatch)
    assert (plan.tile, plan.inner, plan.chunk) == (1, 1, 1)


@pytest.mark.parametrize("outputs", ["trace", "full", 1])
@pytest.mark.parametrize("memory", [1, 2**28])
def test_the_input_without_a_derivative_is_named(outputs, memory):
    def network(params, x):
        return _network(params, x) + jnp.sqrt(params["scale"] ** 2 * x[:, :1] ** 2)

    def with_a_zero(x, place):
        return np.where((np.arange(len(x)) == place)[:, None], np.eye(D)[1], x)

    for x1, x2, place in (
        (with_a_zero(X1, 3), None, 3),
        (with_a_zero(X1, len(X1) - 1), X2, len(X1) - 1),
        (X1, with_a_zero(X2, 1), 1),
    ):
        with pytest.raises(NetworkError, match=rf"finite derivatives, got others at x\[{place}\]"):
            jacobian.ntk(network, PARAMS, x1, x2, outputs=outputs, memory=memory)


def test_products_of_derivatives_that_overflow_are_told_apart():
    with pytest.raises(NetworkError, match="derivatives whose products are finite"):
        jacobian.ntk(lambda p, x: 1e200 * _network(p, x), PARAMS, X1)


_PEAK = textwrap.dedent(
    """
    import resource
    import jax.numpy as jnp, numpy as np
    from ntval.kernels import jacobian

    def wide(params, x):
        return jnp.maximum(x @ params[0], 0.0) @ params[1]

    rng = np.random.default_rng(0)
    params = [rng.standard_normal((100, 2000)), rng.standard_normal((2000, 1))]
    x = rng.standard_normal((256, 100))
    jacobian.ntk(wide, params, x[:32], memory=2**26)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    jacobian.ntk(wide, params, x, memory=2**26)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux alone")
def test_peak_memory_of_the_process_grows_by_less_than_half_of_the_jacobian():
    done = subprocess.run([sys.executable, "-c", _PEAK], capture_output=True, text=True, check=True)
    whole_jacobian = 8 * 256 * 2000 * 101
    assert int(done.stdout) < whole_jacobian / 2


@pytest.mark.parametrize(
    ("apply_fn", "params", "message"),
    [
        (_network, {"count": np.array(1)}, r"floating-point leaf to differentiate by, got int"),
        (_network, {}, r"floating-point leaf to differentiate by, got no leaves"),
        (_network, PARAMS | {"in": {"w": "name"}}, r"params\['in'\]\['w'\] needs a real array"),
        (_network, PARAMS | {"out": np.full((6, 3), np.nan)}, r"params\['out'\] needs finite"),
        (_network, PARAMS | {"out": np.ones((5, 3))}, r"got TypeError: .*check it by apply_fn"),
        (lambda p, x: (x @ p["in"]["w"], x), PARAMS, r"got a tuple; return the outputs alone"),
        (lambda p, x: (x @ p["in"]["w"])[0], PARAMS, r"got \(6,\); keep the sample axis first"),
        (lambda p, x: jnp.ones((1, 2, 2)), PARAMS, r"got \(1, 2, 2\).*flatten the others"),
        (lambda p, x: jnp.argmax(x, axis=1), PARAMS, r"got dtype int.*return logits"),
        (lambda p, x: _network(p, x) / 0.0, PARAMS, r"needs finite values, got others at x\[0\]"),
        (
            lambda p, x: jnp.sqrt(0.0 * p["scale"]) + _network(p, x),
            PARAMS,
            r"needs finite derivatives, got others at x\[0\]",
        ),
    ],
)
def test_what_is_no_network_is_refused_with_a_way_out(apply_fn, params, message):
    with pytest.raises(NetworkError, match=f"(?s){message}"):
        jacobian.ntk(apply_fn, params, X1)
    with pytest.raises(NetworkError, match=f"(?s){message}"):
        jacobian.rows(apply_fn, params, X1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "all"}, r"'trace', 'full' or an index, got 'all'"),
        ({"outputs": 3}, r"index in \[0, 3\), got 3"),
        ({"outputs": True}, r"an index, got True"),
        ({"memory": 0}, r"memory needs a positive number of bytes, got 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        jacobian.ntk(_network, PARAMS, X1, **options)


def test_parameters_in_one_vector_are_the_floating_leaves_and_the_others_are_kept():
    params = {
        "w": np.arange(3, dtype=np.float32),
        "key": np.array([4_000_000_000, 7], np.uint32),
        "typed": jax.random.key(1),
        "step": 3,
        "mask": np.array([True, False]),
        "b": (jnp.ones((2, 2)), None),
    }
    with float64():
        flat, rebuilt = raveled(params)
        assert flat.shape == (7,)
        moved = rebuilt(flat + 0.5)
    assert moved["step"] == 3
    assert (moved["key"] == params["key"]).all()
    assert (moved["mask"] == params["mask"]).all()
    assert jax.random.key_data(moved["typed"]).tolist() == [0, 1]
    assert (moved["w"] == params["w"] + 0.5).all()
    assert (moved["b"][0] == 1.5).all()

"""Which methods a network allows, and that each is the function of its module."""

import jax
import numpy as np
import pytest

from ntval.arrays import float64
from ntval.kernels import deep_mlp, jacobian, operator, two_layer
from ntval.kernels.methods import METHODS, PUBLIC, methods_of
from ntval.networks import mlp
from ntval.networks.mlp import Mlp
from ntval.networks.network import Network

X1, X2 = (np.random.default_rng(seed).standard_normal((n, 4)) for seed, n in ((1, 5), (2, 3)))
SHALLOW = mlp.network_of(Mlp(4, (6,), "tanh"))
PARAMS = mlp.init(SHALLOW.mlp, jax.random.key(0))


@pytest.mark.parametrize(
    ("widths", "parametrization", "names"),
    [
        ((), "ntk", ("deep_mlp", "jacobian", "operator")),
        ((6,), "ntk", ("two_layer", "deep_mlp", "jacobian", "operator")),
        ((6,), "montanari_zhong", ("two_layer", "jacobian", "operator")),
        ((6, 5), "ntk", ("deep_mlp", "jacobian", "operator")),
        ((6, 5, 4), "standard", ("deep_mlp", "jacobian", "operator")),
    ],
)
def test_an_mlp_has_the_methods_of_its_depth_the_cheapest_first(widths, parametrization, names):
    network = mlp.network_of(Mlp(4, widths, "tanh", parametrization=parametrization))
    assert methods_of(network) == names
    assert set(names) <= set(METHODS) == set(PUBLIC)


def test_a_network_that_is_no_mlp_has_the_methods_of_any_function():
    assert methods_of(Network(None, lambda params, x: x)) == ("jacobian", "operator")


def test_each_method_is_the_function_of_its_module():
    apply_fn = SHALLOW.apply_fn
    direct = {
        "two_layer": lambda *x: two_layer.gram(SHALLOW.mlp, PARAMS, *x),
        "deep_mlp": lambda *x: deep_mlp.gram(SHALLOW.mlp, PARAMS, *x),
        "jacobian": lambda *x: jacobian.gram(apply_fn, PARAMS, *x),
        "operator": lambda *x: operator.gram(apply_fn, PARAMS, *x),
    }
    assert set(direct) == set(METHODS)
    with float64():
        for name, method in METHODS.items():
            for x in ((X1,), (X1, X2)):
                # To the bit: the same call.
                np.testing.assert_array_equal(method(SHALLOW, PARAMS, *x), direct[name](*x))


def test_each_method_as_users_call_it_is_the_public_function_of_its_module():
    apply_fn = SHALLOW.apply_fn
    direct = {
        "two_layer": two_layer.ntk(SHALLOW.mlp, PARAMS, X1),
        "deep_mlp": deep_mlp.ntk(SHALLOW.mlp, PARAMS, X1),
        "jacobian": jacobian.ntk(apply_fn, PARAMS, X1),
        "operator": operator.ntk(apply_fn, PARAMS, X1)(np.eye(5)),
    }
    assert set(direct) == set(PUBLIC)
    for name, method in PUBLIC.items():
        for memory in (None, 2.0**30):
            np.testing.assert_array_equal(method(SHALLOW, PARAMS, X1, memory), direct[name])


def test_memory_is_handed_on_where_a_user_bounds_it(monkeypatch):
    given = []
    monkeypatch.setattr(jacobian, "ntk", lambda *args, **options: given.append(options))
    for memory in (None, 0, 2.0**20):
        PUBLIC["jacobian"](SHALLOW, PARAMS, X1, memory)
    assert given == [{}, {"memory": 0}, {"memory": 2.0**20}]

"""How long each method to the empirical NTK takes, ours and neural-tangents' own, in one process.

    python experiments/benchmarks/method_timings.py [--n 1000] [--d 100] [--width 1000]

Both layers of a two-layer ReLU network, float64. Medians after one untimed call that compiles;
`operator` is timed by one product with a vector, which is what it is for.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np

from ntval.arrays import float64
from ntval.kernels import deep_mlp, jacobian, operator, two_layer
from ntval.kernels._neural_tangents import nt
from ntval.networks.mlp import Mlp

# A method is left after this many seconds, whatever the number of repeats; one whose first call
# takes longer is timed by that call.
_PATIENCE = 30.0


def methods(mlp: Mlp, params, x: np.ndarray) -> dict[str, Callable]:
    """Each method as a call without arguments, and the product with a vector."""
    network = mlp.network_of(mlp)
    product = operator.ntk(network.apply_fn, params, x)
    vector = x[:, 0]

    def empirical(implementation: int) -> Callable:
        kernel_fn = jax.jit(
            nt.empirical_ntk_fn(
                network.apply_fn, trace_axes=(-1,), vmap_axes=0, implementation=implementation
            )
        )
        return lambda: kernel_fn(x, None, params)

    return {
        "two_layer": lambda: two_layer.ntk(mlp, params, x),
        "deep_mlp": lambda: deep_mlp.ntk(mlp, params, x),
        "jacobian": lambda: jacobian.ntk(network.apply_fn, params, x),
        "jacobian, 1 GiB": lambda: jacobian.ntk(network.apply_fn, params, x, memory=2**30),
        "neural-tangents 1": empirical(1),
        "neural-tangents 2": empirical(2),
        "neural-tangents 3": empirical(3),
        "operator, one product": lambda: product(vector),
    }


def median_seconds(method: Callable, repeats: int) -> tuple[float, np.ndarray]:
    """Median time of `method` after its first call, and what it returns."""
    start = time.perf_counter()
    result = jax.block_until_ready(method())
    first = time.perf_counter() - start
    times: list[float] = []
    while len(times) < repeats and first + sum(times) < _PATIENCE:
        start = time.perf_counter()
        jax.block_until_ready(method())
        times.append(time.perf_counter() - start)
    return statistics.median(times or [first]), np.asarray(result)


def main() -> None:
    """The table: seconds, times the fastest kernel, and difference from `two_layer`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("n", 1000), ("d", 100), ("width", 1000), ("repeats", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with float64():
        mlp = Mlp(options.d, (options.width,), "relu")
        params = mlp.init(mlp, jax.random.key(0))
        x = np.random.default_rng(0).standard_normal((options.n, options.d))
        measured = {
            name: median_seconds(method, options.repeats)
            for name, method in methods(mlp, params, x).items()
        }
    kernel = measured["two_layer"][1]
    fastest = min(seconds for seconds, result in measured.values() if result.ndim == 2)
    print(f"n={options.n} d={options.d} width={options.width} relu float64, jax {jax.__version__}")
    print(f"{'method':<24}{'seconds':>10}{'ratio':>9}{'difference':>13}")
    for name, (seconds, result) in measured.items():
        expected = kernel if result.ndim == 2 else kernel @ x[:, 0]
        difference = np.abs(result - expected).max() / np.abs(expected).max()
        print(f"{name:<24}{seconds:>10.4f}{seconds / fastest:>9.2f}{difference:>13.1e}")


if __name__ == "__main__":
    main()

"""What a kernel at fresh weights costs, by the way in which a compiled program draws them.

    python experiments/benchmarks/draws.py [--width 512] [--draws 64] [--repeats 5]

Two hidden layers of `stax`, four inputs, float64, the method of any network. Medians of one draw
after an untimed call that compiles, and ratios to drawing alone.
"""

from __future__ import annotations

import argparse
import functools

import jax
import jax.numpy as jnp
from method_timings import median_seconds

from ntval import Network, stax
from ntval.arrays import float64
from ntval.claims.sampling import draw_params
from ntval.kernels import jacobian


def ways(network: Network, x):
    """By name, a function of a key that ends in what a draw is for."""

    def gram(params):
        return jacobian.gram(network.apply_fn, params, x)

    def fused(key):
        return network.init_fn(key, (-1, x.shape[1]))[1]  # type: ignore[misc]

    return {
        "weights alone": lambda key: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(fused(key))),
        "kernel, weights fused into it": lambda key: gram(fused(key)),
        "kernel, weights kept": lambda key: gram(draw_params(network, key)),
    }


def main() -> None:
    """The table: milliseconds a draw, and times the cost of drawing alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("width", 512), ("draws", 64), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()

    def dense():
        return stax.Dense(options.width, W_std=1.5, b_std=0.5)

    with float64():
        init_fn, apply_fn, _ = stax.serial(
            dense(), stax.Erf(), dense(), stax.Erf(), stax.Dense(1, W_std=1.5, b_std=0.5)
        )
        network = Network(init_fn, apply_fn, input_shape=(8,))
        x = jax.random.normal(jax.random.key(1), (4, 8))
        keys = jax.random.split(jax.random.key(0), options.draws)
        measured = {}
        for name, way in ways(network, x).items():
            program = jax.jit(functools.partial(jax.lax.map, way))
            seconds, _ = median_seconds(functools.partial(program, keys), options.repeats)
            measured[name] = seconds / options.draws
    alone = measured["weights alone"]
    print(f"width={options.width} erf float64, jax {jax.__version__}")
    print(f"{'way':<32}{'ms a draw':>10}{'ratio':>8}")
    for name, seconds in measured.items():
        print(f"{name:<32}{1e3 * seconds:>10.2f}{seconds / alone:>8.2f}")


if __name__ == "__main__":
    main()

"""Fully connected networks of our own as subjects."""

from __future__ import annotations

from dataclasses import replace

from ntval.data import spheres
from ntval.networks import mlp
from ntval.regimes import Regime
from ntval.subjects.subject import Subject


def mlp_subject(
    regime: Regime, *, parametrization: mlp.Parametrization = "ntk", kernel_fn=None
) -> Subject:
    """Our fully connected network of a regime at uniform inputs on the sphere.

    `kernel_fn(mlp)` gives the network its infinite-width twin.
    """
    network = mlp.network_of(mlp.mlp_of(regime, parametrization=parametrization))
    if kernel_fn is not None:
        network = replace(network, kernel_fn=kernel_fn(network.mlp))
    return Subject(
        network, lambda key, n: spheres.sphere(key, n, regime.d), width=min(network.mlp.widths)
    )

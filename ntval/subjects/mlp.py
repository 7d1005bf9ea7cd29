"""Fully connected networks of our own as subjects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ntval.data import laws
from ntval.networks import mlp
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject


def mlp_subject(
    regime: Regime,
    *,
    parametrization: str | mlp.Parametrization = "ntk",
    kernel_fn: Callable[[mlp.Mlp], Callable[..., Any]] | None = None,
) -> NetworkSubject:
    """Our fully connected network of a regime at inputs of the regime's law.

    `kernel_fn(mlp)` gives the network its infinite-width twin.
    """
    architecture = mlp.mlp_of(regime, parametrization=parametrization)
    network = mlp.network_of(architecture)
    if kernel_fn is not None:
        network = replace(network, kernel_fn=kernel_fn(architecture))
    return NetworkSubject(network, laws.sampler(regime.inputs, regime.d, scale=regime.input_scale))

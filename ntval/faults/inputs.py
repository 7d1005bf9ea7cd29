"""Planted faults of the inputs that are drawn."""

from __future__ import annotations

import math

import jax

from ntval.faults.fault import Fault
from ntval.faults.sites import in_inputs

FAULTS = (
    Fault(
        "inputs_gaussian",
        "inputs are Gaussian, not on the sphere",
        in_inputs(lambda inputs: lambda key, n: jax.random.normal(key, inputs(key, n).shape)),
    ),
    Fault(
        "inputs_on_unit_sphere",
        "inputs have norm 1, not sqrt(d)",
        in_inputs(
            lambda inputs: lambda key, n: inputs(key, n) / math.sqrt(inputs(key, n).shape[1])
        ),
    ),
)

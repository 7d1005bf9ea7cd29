"""Planted faults by name: what each changes. A claim lists, in `faults`, those it must refute.

Numbers in names are percent. Where a fault sits is the `site` of its plant.
"""

from __future__ import annotations

from ntval.claims.claim import Claim
from ntval.errors import unknown_name
from ntval.faults import (
    bombari_amani_mondelli,
    deep_training,
    elsewhere,
    features,
    inputs,
    kernels,
    montanari_zhong,
    neighbors,
    real_data,
    sizes,
    spectra,
    wei_hu_steinhardt,
    weights,
)
from ntval.faults.fault import Fault

_ALL = (
    *sizes.FAULTS,
    *kernels.FAULTS,
    *weights.FAULTS,
    *inputs.FAULTS,
    *montanari_zhong.FAULTS,
    *bombari_amani_mondelli.FAULTS,
    *neighbors.FAULTS,
    *deep_training.FAULTS,
    *wei_hu_steinhardt.FAULTS,
    *features.FAULTS,
    *spectra.FAULTS,
    *real_data.FAULTS,
    *elsewhere.FAULTS,
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}
assert len(FAULTS) == len(_ALL), "two planted faults have one name"


def shown_by_points(claim: Claim) -> tuple[str, ...]:
    """The faults of a claim that the points of its profiles show; the others are `elsewhere`."""
    return tuple(name for name in claim.faults if not FAULTS[name].elsewhere)


def find(name: str) -> Fault:
    """The fault called `name`, of the catalogue or of any size of a family.

    Raises: `UnknownNameError`, naming the nearest, when there is none.
    """
    family, _, percent = name.rpartition("_")
    if name not in FAULTS and family in sizes.FAMILIES:
        try:
            return sizes.sized(family, float(percent) / 100)
        except ValueError:
            pass
    if name not in FAULTS:
        raise unknown_name("fault", name, FAULTS)
    return FAULTS[name]

"""Claims that cost nothing, for tests of baselines: what they draw is normal, as told."""

from dataclasses import replace

import jax
import numpy as np

from ntval import baselines
from ntval.activations import activation
from ntval.arrays import float64
from ntval.claims.catalogue import CLAIMS, Catalogue
from ntval.claims.sampling import MEASURED
from ntval.runs.settings import Settings
from ntval.theory import montanari_zhong as theory

NORMALIZATION = CLAIMS["montanari_zhong.normalization"]
METHODS = CLAIMS["kernel_identities.methods_agree"]
POSITIVE = CLAIMS["kernel_identities.positive_semidefinite"]
SEED = 7
SETTINGS = Settings(seed=SEED)


def predicted_mean(point):
    return theory.diagonal(activation(point.activation), point.d)


def drawn(scale=1.0, spread=0.02, columns=1):
    """A measurement that draws normal numbers about what the claim predicts, times `scale`."""

    def sampler(key, point, subject, *, stream=MEASURED):
        words = np.asarray(jax.random.key_data(key)).ravel().astype(int)
        rng = np.random.default_rng([*words, int(stream != MEASURED)])
        mean = predicted_mean(point)
        return lambda start, count: (
            mean * scale * (1 + spread * rng.standard_normal((count, columns)))
        )

    return sampler


def claims(*changed, procedure=None, **normalization):
    """The claims, with a fast `normalization` and whatever was changed of its procedure."""
    procedure = procedure or NORMALIZATION.procedure
    procedure = replace(procedure, **{"sampler": drawn(), **normalization})
    fast = replace(NORMALIZATION, procedure=procedure)
    return Catalogue({claim.name: claim for claim in (fast, *changed)})


def frozen_baseline():
    """A baseline of the fast claim."""
    return baselines.freeze(["normalization"], SETTINGS, catalogue=claims())


def certified_baseline():
    """A baseline of two claims that rest on certificates."""
    names = ["methods_agree", "positive_semidefinite"]
    with float64():
        found = baselines.freeze(names, SETTINGS)
    kept = tuple(e for e in found.entries if e.detection_limits and e.point.widths == (64,))
    return replace(found, entries=kept)

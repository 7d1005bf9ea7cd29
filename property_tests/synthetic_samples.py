"""Samples with known truth, for tests of decisions."""

import numpy as np

from ntval.evidence import sequential
from ntval.evidence.allowance import Allowance
from ntval.evidence.sequential import Sample


def normal_stream(mean, spread, seed=0):
    def draw(start, count):
        generator = np.random.default_rng([seed, start])
        return mean + spread * generator.standard_normal((count, np.size(mean)))

    return draw


def sample(draw, *, remainder=0.0, resolution=0.0, span=8.0, predicted=0.0, labels=None):
    allowance = Allowance(np.asarray(remainder), np.asarray(span), np.asarray(resolution))
    labels = labels or tuple(f"statistic {i}" for i in range(np.shape(draw(0, 1))[1]))
    return Sample(draw, labels, np.asarray(predicted), allowance)


SETTINGS = ("alpha", "effort", "miss", "first", "most", "kind")


def agreement(draw, **told):
    settings = {name: told.pop(name) for name in SETTINGS if name in told}
    return sequential.means(sample(draw, **told), **{"alpha": 1e-6, **settings})

"""Draws that theory is held against, and intervals of their means."""

import math

import numpy as np

from ntval.activations import activation
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory


def sphere(n, d, seed=0):
    """Uniform points of the sphere of radius sqrt(d)."""
    x = np.random.default_rng(seed).standard_normal((n, d))
    return x * math.sqrt(d) / np.linalg.norm(x, axis=1)[:, None]


def relu_kernel(x, z=None):
    """Infinite-width kernel of ReLU, exact at every d."""
    u = np.clip(x @ (x if z is None else z).T / x.shape[1], -1, 1)
    if z is None:
        np.fill_diagonal(u, 1.0)
    return u * (np.pi - np.arccos(u)) / (2 * np.pi)


def kernel(name, x):
    """K of x: ReLU's closed form, otherwise the first 10 degrees and the rest on the diagonal."""
    if name == "relu":
        return relu_kernel(x)
    u = np.clip(x @ x.T / x.shape[1], -1, 1)
    gram = np.tensordot(
        theory.energies(activation(name), x.shape[1], 10),
        gegenbauer.polynomials(x.shape[1], 10, u),
        axes=1,
    )
    np.fill_diagonal(gram, theory.diagonal(activation(name), x.shape[1]))
    return gram


def width_kernel(name, x, width, z=None, seed=100):
    """K_N of x and z for weights uniform on the unit sphere."""
    d = x.shape[1]
    z = x if z is None else z
    weights = sphere(width, d, seed) / math.sqrt(d)
    slopes = [activation(name).derivative(rows @ weights.T) for rows in (x, z)]
    return slopes[0] @ slopes[1].T / width * (x @ z.T / d)


def interval(values):
    """Mean, and five standard errors of it."""
    return np.mean(values), 5 * np.std(values, ddof=1) / math.sqrt(len(values))


def of_pilot(spread, digit):
    """Five standard errors of a pilot over 10 seeds, and half a unit of its last digit."""
    return 5 * spread / math.sqrt(10) + digit / 2

"""The quadrature is split at kinks off the origin: shares of an interval, by one dimension less."""

import math

import mpmath
import numpy as np
import pytest

from ntval.kernels import quadrature_oracle

# As `expectation` states for breakpoints other than 0.
ALLOWED = 1e-9


def _inside(t):
    """1 between two kinks that lie at different distances from 0."""
    return np.where((t > -1.0) & (t < 0.6), 1.0, 0.0)


KINKS = (-1.0, 0.6)
PAIRS = [(1.0, 1.0, 0.5), (2.5, 0.7, -0.6), (0.4, 1.8, 0.9)]


@pytest.mark.parametrize("pair", PAIRS)
def test_kinks_off_the_origin_are_split_too(pair):
    # P(-1 < u < 0.6, -1 < v < 0.6): one-dimensional, by the conditional law of v.
    a, b, c = math.sqrt(pair[0]), math.sqrt(pair[1]), pair[2]

    def conditional(s):
        spread = mpmath.sqrt(1 - mpmath.mpf(c) ** 2)
        low, high = ((mpmath.mpf(t) / b - c * s) / spread for t in KINKS)
        return mpmath.npdf(s) * (mpmath.ncdf(high) - mpmath.ncdf(low))

    expected = float(mpmath.quad(conditional, [KINKS[0] / a, 0, KINKS[1] / a]))
    covariance = (*pair[:2], c * a * b)
    value = quadrature_oracle.expectation(_inside, *covariance, breakpoints=KINKS)
    assert abs(float(value) - expected) <= ALLOWED


@pytest.mark.parametrize("pair", [(2.5, 1.3, 0.5), (0.2, 3.0, -0.6), (1.5, 1.5, 0.9)])
def test_kinks_off_the_origin_are_split_on_the_circle_by_their_arcs(pair):
    a, b, theta = math.sqrt(pair[0]), math.sqrt(pair[1]), math.acos(pair[2])
    ends = [
        turn + sign * math.acos(t / scale)
        for scale, turn in ((a, 0.0), (b, theta))
        for t in KINKS
        for sign in (1, -1)
        if abs(t) < scale
    ]
    ends = np.sort(np.mod(ends, 2 * math.pi))
    lengths = np.diff(np.append(ends, ends[0] + 2 * math.pi))
    middles = ends + lengths / 2
    inside = _inside(a * np.cos(middles)) * _inside(b * np.cos(middles - theta))
    expected = float(lengths @ inside) / (2 * math.pi)
    covariance = (*pair[:2], pair[2] * a * b)
    value = quadrature_oracle.expectation(
        _inside, *covariance, breakpoints=KINKS, law="sphere", d=2
    )
    assert abs(float(value) - expected) <= ALLOWED


@pytest.mark.parametrize("pair", [(2.5, 1.3, 0.5), (6.0, 3.0, -0.6), (1.5, 1.5, 0.9)])
def test_kinks_off_the_origin_are_split_on_the_disk(pair):
    # On the sphere of R^4 two coordinates are uniform on the disk: an area, slice by slice.
    a, b, c = math.sqrt(pair[0]), math.sqrt(pair[1]), pair[2]
    rest = math.sqrt(1 - c**2)

    def length(s):
        half = mpmath.sqrt(1 - s * s)
        low = max((mpmath.mpf(KINKS[0]) / b - c * s) / rest, -half)
        high = min((mpmath.mpf(KINKS[1]) / b - c * s) / rest, half)
        return max(high - low, 0) / mpmath.pi

    left, right = max(KINKS[0] / a, -1.0), min(KINKS[1] / a, 1.0)
    # A slice has corners where v meets a kink on the circle.
    corners = [
        math.cos(math.acos(c) + sign * math.acos(t / b))
        for t in KINKS
        for sign in (1, -1)
        if abs(t) < b
    ]
    panels = sorted({left, right, *(s for s in corners if left < s < right)})
    expected = float(mpmath.quad(length, panels))
    covariance = (*pair[:2], c * a * b)
    value = quadrature_oracle.expectation(
        _inside, *covariance, breakpoints=KINKS, law="sphere", d=4
    )
    assert abs(float(value) - expected) <= ALLOWED

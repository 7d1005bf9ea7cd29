"""Two samples of one mean: level, power, accuracy of the infimum, and what is no drift."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.evidence import e_values, two_samples
from ntval.evidence.two_samples import LEVELS, Frame

N, RUNS = 48, 100
SURE = 1e-6  # probability that a test of chance here fails though all is well
POSITIONS = np.linspace(-1, 1, LEVELS)

LAWS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "skewed": lambda rng, n: rng.exponential(size=n),
    "two values": lambda rng, n: (rng.random(n) < 0.1).astype(float),
    "heavy tails": lambda rng, n: rng.standard_t(2, n),
}


def samples(law, *shifts, sizes=None, seed=0, runs=RUNS):
    """Counts of independent samples, framed by a pilot of their own, run by run."""
    rng = np.random.default_rng(seed)
    draw = LAWS[law]
    sizes = sizes or (N,) * len(shifts)
    for _ in range(runs):
        frame = two_samples.frame_of(draw(rng, 16), floor=0.1)
        yield (
            frame,
            [
                frame.counts(draw(rng, n) + shift * frame.span / two_samples.SPAN)
                for n, shift in zip(sizes, shifts, strict=True)
            ],
        )


def explained(successes, runs, probability):
    """Whether a probability of at most so much explains so many successes."""
    return scipy.stats.binom.sf(successes - 1, runs, probability) > SURE


def growth(first, second, **options):
    return two_samples.growth_evidence(np.array(first), np.array(second), **options)


@pytest.mark.parametrize("law", LAWS)
def test_one_mean_is_called_two_as_rarely_as_stated_however_often_one_looks(law):
    alarms, at_the_mean = 0, []
    for frame, (first, *looks) in samples(law, 0, 0, 0, 0):
        seen = np.cumsum(looks, axis=0)
        log_e = [two_samples.log_evidence(first, look) for look in seen]
        alarms += max(log_e) >= math.log(20)
        at_the_mean.append(np.exp(log_e[0]))
        assert np.isfinite(log_e).all(), frame
    assert explained(alarms, RUNS, 1 / 20)
    assert e_values.log_capital(np.array(at_the_mean), 1.0, 0.0) < -math.log(SURE)


def test_an_estimate_taken_for_the_mean_would_alarm_too_often():
    # The planted fault: E_n at the first sample's mean, as if that were known.
    alarms = 0
    for _, (first, second) in samples("normal", 0, 0, sizes=(12, 600)):
        mu = np.array([first @ POSITIONS / first.sum()])
        at = np.logaddexp(*two_samples._log_capitals(POSITIONS, second, mu))
        alarms += at[0] - math.log(2) >= math.log(20)
        assert two_samples.log_evidence(first, second) < math.log(20)
    assert not explained(alarms, RUNS, 1 / 20)


@given(
    first=st.lists(st.integers(0, LEVELS - 1), min_size=1, max_size=80),
    second=st.lists(st.integers(0, LEVELS - 1), min_size=1, max_size=80),
)
def test_the_infimum_is_never_exceeded_and_nearly_reached(first, second):
    counts = [np.bincount(sample, minlength=LEVELS) for sample in (first, second)]
    mu = np.linspace(-1, 1, 3001)
    at = [np.logaddexp(*two_samples._log_capitals(POSITIONS, c, mu)) - math.log(2) for c in counts]
    found = two_samples.log_evidence(*counts)
    assert found <= sum(at).min() + 1e-12
    # A step of the fine grid changes the sum by less than 0.1 where it is least and finite.
    assert found >= sum(at).min() - two_samples._ACCURACY - 0.1


def test_a_coarse_grid_alone_would_exceed_the_infimum():
    mu = np.linspace(-1, 1, 9)
    over = 0
    for _, (first, second) in samples("normal", 0, 1.5, sizes=(400, 400), runs=20):
        at = [np.logaddexp(*two_samples._log_capitals(POSITIONS, c, mu)) for c in (first, second)]
        over += (sum(at) - 2 * math.log(2)).min() > two_samples.log_evidence(first, second) + 1
    assert over > 0


def test_capitals_of_counts_are_those_of_the_draws(monkeypatch):
    monkeypatch.setattr(e_values, "_STAKES", two_samples._STAKES)
    counts = np.random.default_rng(0).integers(0, 4, LEVELS)
    draws, mu = np.repeat(POSITIONS, counts), np.array([-0.4, 0.1, 0.3])
    above, below = two_samples._log_capitals(POSITIONS, counts, mu)
    wanted = np.array([e_values.log_capital(draws, m, -1.0) for m in mu])
    np.testing.assert_allclose(above, wanted, rtol=1e-12)
    wanted = np.array([e_values.log_capital(-draws, -m, -1.0) for m in mu])
    np.testing.assert_allclose(below, wanted, rtol=1e-12)


@pytest.mark.parametrize("law", ["normal", "skewed"])
@pytest.mark.parametrize("n", [64, 512])
def test_the_smallest_gap_is_seen_and_half_of_it_is_not(law, n):
    level, sizes = math.log(1e8), (n, 4 * n)
    seen = {1.0: 0, 0.5: 0}
    runs = 60
    rng = np.random.default_rng(n)
    frame = two_samples.frame_of(LAWS[law](rng, 64))
    counts = frame.counts(LAWS[law](rng, n))
    gap = two_samples.smallest_gap(counts, frame, sizes, log_e=level, miss=1e-3)
    for _ in range(runs):
        old = frame.counts(LAWS[law](rng, n))
        for share in seen:
            new = frame.counts(LAWS[law](rng, sizes[1]) + share * gap)
            seen[share] += two_samples.log_evidence(old, new) >= level
    assert explained(runs - seen[1.0], runs, 1e-2)
    assert seen[0.5] < runs / 2


def test_a_sample_too_small_to_show_anything_says_so():
    frame = Frame(0.0, 3.0)
    counts = frame.counts(np.random.default_rng(0).standard_normal(8))
    gap = two_samples.smallest_gap(counts, frame, (8, 8), log_e=math.log(1e8), miss=1e-3)
    assert gap == math.inf


def test_rounding_of_a_constant_is_no_drift_and_what_has_to_be_seen_is_one():
    rng = np.random.default_rng(0)

    def rounded(value):
        return value * (1 + 4 * np.finfo(float).eps * rng.standard_normal(64))

    frame = two_samples.frame_of(rounded(0.6)[:16], floor=0.03)
    old = frame.counts(rounded(0.6))
    assert two_samples.log_evidence(old, frame.counts(rounded(0.6))) <= 0
    assert two_samples.log_evidence(old, frame.counts(rounded(0.63))) > math.log(1e8)


def test_a_draw_that_is_not_a_number_is_a_drift():
    frame = Frame(0.0, 3.0)
    old = frame.counts(np.zeros(64))
    assert two_samples.log_evidence(old, frame.counts(np.full(64, np.nan))) > math.log(1e8)
    assert frame.counts(np.array([np.inf, -np.inf]))[[-1, 0]].tolist() == [1, 1]


@given(st.integers(1, 4), st.integers(1, 4))
def test_growth_is_an_e_value_over_all_orders(b, n):
    values = range(b + n)
    e = [
        np.exp(growth([x for x in values if x not in new], list(new)))
        for new in itertools.combinations(values, n)
    ]
    assert np.mean(e) == pytest.approx(1)


def test_growth_needs_every_value_above_and_by_the_factor():
    assert growth([1, 2], [2, 3]) == -math.inf
    assert growth([1, 2], [2.4, 3], factor=1.25) == -math.inf
    assert growth([1, 2], [2.6, 3], factor=1.25) == pytest.approx(math.log(6))
    assert growth([0, 0], [0, 0]) == -math.inf


@given(st.integers(1, 8), st.floats(0.1, 12))  # above one older value e^12 are needed
def test_values_needed_are_the_fewest_that_suffice(b, log_e):
    n = two_samples.values_needed(b, log_e)
    assert two_samples.growth_evidence(np.zeros(b), np.ones(n)) >= log_e
    assert n == 1 or two_samples.growth_evidence(np.zeros(b), np.ones(n - 1)) < log_e


def test_frames_count_every_draw_once():
    frame = Frame(1.0, 2.0)
    assert Counter(frame.counts(np.array([-9.0, 1.0, 1.01, 9.0])).tolist())[0] == LEVELS - 3
    assert frame.counts(np.array([-9.0, 1.0, 1.01, 9.0]))[[0, LEVELS // 2, -1]].tolist() == [
        1,
        2,
        1,
    ]


def test_a_frame_spans_three_standard_deviations_or_what_has_to_be_seen_or_rounding():
    pilot = np.random.default_rng(0).standard_normal(16)
    frame = two_samples.frame_of(pilot, floor=0.1)
    # Two sums of 16 terms, a root, and a few products.
    assert frame.span == pytest.approx(3 * pilot.std(), rel=rounding_allowance(50))
    assert frame.center == pytest.approx(pilot.mean(), abs=rounding_allowance(20))
    assert two_samples.frame_of(pilot, floor=100.0).span == 100.0
    constant = two_samples.frame_of(np.full(16, -5.0))
    assert constant == Frame(-5.0, LEVELS * 16 * np.finfo(float).eps * 5.0)
    assert two_samples.frame_of(np.array([0.0, 0.0])).span == 1.0


def test_draws_of_a_pilot_that_are_not_finite_count_as_0():
    frame = two_samples.frame_of(np.array([np.inf, -np.inf, np.nan, 2.0]))
    assert frame.center == 0.5
    assert frame.span == pytest.approx(3 * math.sqrt(0.75), rel=rounding_allowance(20))


def test_stakes_are_halves_from_0_9_down_to_a_128th_of_it():
    assert two_samples._STAKES.tolist() == [0.9 / 2**j for j in range(8)]


def test_the_infimum_that_is_stated_is_lower_by_the_accuracy():
    # Both samples lie on the middle level: at their mean no bet gains or loses, and E = 1.
    counts = np.zeros(LEVELS, dtype=int)
    counts[LEVELS // 2] = 64
    found = two_samples.log_evidence(counts, counts)
    # 64 logs of 1 and eight equal terms, twice.
    assert found == pytest.approx(-0.05, abs=rounding_allowance(200))


def test_the_smallest_gap_of_constants_is_that_of_samples_without_noise():
    counts = np.zeros(LEVELS, dtype=int)
    counts[LEVELS // 2] = 64
    frame, sizes, level = Frame(0.0, 2.0), (64, 256), math.log(1e8)
    gap = two_samples.smallest_gap(counts, frame, sizes, log_e=level, miss=1e-3)
    # Half a level, which rounding may hide, is part of it; bisection ends within a hundredth, and
    # an infimum is called lower than it is by the accuracy.
    half = frame.span / (LEVELS - 1)

    def seen(gap, level):
        return two_samples.log_evidence(counts, frame.counts(np.full(256, gap))) >= level

    assert seen(gap, level - two_samples._ACCURACY)
    assert not seen(0.98 * (gap - half) - half, level)
    down = two_samples.smallest_gap(counts[::-1], frame, sizes, log_e=level, miss=1e-3)
    assert down == gap  # a middle level is its own mirror image


def test_the_noise_of_both_samples_hides_a_normal_quantile_of_their_difference():
    # One draw of four on level 20, the others on level 28.
    counts = np.zeros(LEVELS, dtype=int)
    counts[20], counts[28] = 100, 300
    deviation = math.sqrt(3 / 16) * (POSITIONS[28] - POSITIONS[20])
    frame, sizes = Frame(5.0, 2.0), (400, 900)
    settings = {"log_e": math.log(1e8)}
    rare, even = (
        two_samples.smallest_gap(counts, frame, sizes, miss=miss, **settings)
        for miss in (1e-3, 0.5)
    )
    hidden = scipy.stats.norm.isf(1e-3) * deviation * math.sqrt(1 / 400 + 1 / 900)
    # The rest of both gaps is one number; SciPy's quantiles are good to 100 roundings.
    assert rare - even == pytest.approx(2.0 * hidden, rel=rounding_allowance(200))


@pytest.mark.parametrize("level", [2, LEVELS - 3])
def test_a_gap_that_clipping_hides_on_one_side_is_not_called_seen(level):
    # A constant an eighth of the span from one end: further that way nothing can be told apart.
    counts = np.zeros(LEVELS, dtype=int)
    counts[level] = 64
    settings = {"log_e": math.log(1e8), "miss": 1e-3}
    assert two_samples.smallest_gap(counts, Frame(0.0, 1.0), (64, 64), **settings) == math.inf


def test_a_gap_wider_than_half_of_the_frame_is_found():
    # Half of the draws at either end: moved up, those at the lower end alone have room.
    counts = np.zeros(LEVELS, dtype=int)
    counts[[0, -1]] = 48
    level, step = math.log(1e8), 2 / (LEVELS - 1)
    # At miss = 0.5 noise hides nothing, and draws so far apart leave rounding nothing to hide.
    gap = two_samples.smallest_gap(counts, Frame(0.0, 1.0), (96, 96), log_e=level, miss=0.5)
    assert 1 < gap < 2

    def evidence(levels):
        moved = np.zeros(LEVELS, dtype=int)
        moved[[levels, -1]] = 48
        return two_samples.log_evidence(counts, moved)

    assert evidence(math.ceil(gap / step)) >= level - two_samples._ACCURACY
    # Bisection ends within a hundredth.
    assert evidence(math.floor(0.99 * gap / step)) < level


@pytest.mark.parametrize("share", [0.0, 0.02, 0.05])
def test_of_very_many_draws_rounding_alone_hides_a_gap(share):
    n = 10**9
    counts = np.zeros(LEVELS)
    counts[10:12] = 1 - share, share
    width = 2 / (LEVELS - 1)
    hidden = width / 2 * math.exp(-2 * math.pi**2 * share * (1 - share))
    gap = two_samples.smallest_gap(counts, Frame(0.0, 1.0), (n, n), log_e=math.log(1e8), miss=0.5)
    # What 2e9 draws do not show is of the order of sd sqrt(4 log_e / n) < 6e-6, 1e-3 of what is
    # hidden; the sum and the exponential are rounded.
    assert hidden * (1 - rounding_allowance(20)) <= gap < 1.001 * hidden

"""E-values against exact enumeration and brute-force simulation, which share no code with them."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.evidence import e_values
from ntval.evidence.allowance import Allowance, allowance

DISTRIBUTIONS = {
    "bernoulli": lambda g, shape: (g.random(shape) < 0.3).astype(float),
    "rare": lambda g, shape: (g.random(shape) < 0.01).astype(float),
    "uniform": lambda g, shape: g.random(shape),
    "beta": lambda g, shape: g.beta(0.2, 0.6, shape),
    "clipped exponential": lambda g, shape: np.minimum(g.exponential(0.2, shape), 1.0),
    "heavy, clipped": lambda g, shape: np.minimum(g.pareto(1.5, shape) / 10, 1.0),
}
MEANS = {
    "bernoulli": 0.3,
    "rare": 0.01,
    "uniform": 0.5,
    "beta": 0.25,
    "clipped exponential": 0.2 * (1 - math.exp(-5)),
    "heavy, clipped": (1 - 11**-0.5) / 5,  # integral of the tail (1 + 10 t)^(-3/2) over [0, 1]
}


def draws(name, runs, length, seed=0):
    return DISTRIBUTIONS[name](np.random.default_rng(seed), (length, runs))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_means_that_these_tests_rest_on_are_right(name):
    x = draws(name, 1, 400_000).ravel()
    assert abs(x.mean() - MEANS[name]) < 5 * x.std() / math.sqrt(len(x))


@given(
    mean=st.floats(0.02, 0.98), length=st.integers(1, 9), low=st.floats(-2, 0.0), up=st.booleans()
)
def test_capital_has_mean_exactly_one_at_the_null_by_enumeration(mean, length, low, up):
    high = low + 1
    outcomes = np.array(list(itertools.product([low, high], repeat=length)))
    probability = np.where(outcomes == high, mean, 1 - mean).prod(axis=1)
    x, null, floor = (outcomes.T, low + mean, low) if up else (-outcomes.T, -(low + mean), -high)
    capital = np.exp(e_values.log_capital(x, null, floor))
    assert probability @ capital == pytest.approx(1.0, rel=1e-10)


@given(mean=st.floats(0.02, 0.6), gap=st.floats(0.0, 0.3), length=st.integers(1, 8))
def test_capital_has_mean_at_most_one_inside_the_null(mean, gap, length):
    outcomes = np.array(list(itertools.product([0.0, 1.0], repeat=length)))
    probability = np.where(outcomes == 1, mean, 1 - mean).prod(axis=1)
    capital = np.exp(e_values.log_capital(outcomes.T, mean + gap, 0.0))
    assert probability @ capital <= 1 + 1e-10


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_capital_is_rarely_ever_large_whenever_one_looks(name):
    # Optional stopping at the worst moment: the highest capital of 300 draws, in 2,000 runs.
    alpha, runs = 0.05, 2000
    x = draws(name, runs, 300)
    highest = np.max(
        [e_values.log_capital(x[:n], MEANS[name], 0.0) for n in range(1, 301, 3)], axis=0
    )
    crossed = int((highest >= math.log(1 / alpha)).sum())
    assert crossed <= scipy.stats.binom.isf(1e-6, runs, alpha)


def test_stopping_and_going_on_keeps_the_level():
    # Ten tries, each seen before the next is begun, the capital carried over.
    alpha, runs = 0.05, 1000
    x = draws("beta", runs, 500)
    carried = np.cumsum(
        [e_values.log_capital(part, MEANS["beta"], 0.0) for part in np.split(x, 10)], axis=0
    )
    crossed = int((carried.max(axis=0) >= math.log(1 / alpha)).sum())
    assert crossed <= scipy.stats.binom.isf(1e-6, runs, alpha)


@pytest.mark.parametrize("offset", [-0.1, -0.05, 0.0, 0.05, 0.1])
def test_evidence_keeps_its_level_anywhere_in_an_interval_null(offset):
    alpha, runs, span = 0.05, 1000, 0.5
    x = draws("uniform", runs, 200) - 0.5
    evidence = e_values.log_evidence(
        np.clip(x, -span, span), target=-offset, margin=0.1, span=span + 0.1
    )
    assert (evidence >= math.log(1 / alpha)).sum() <= scipy.stats.binom.isf(1e-6, runs, alpha)


@given(mean=st.floats(0.1, 0.9), length=st.integers(1, 9), low=st.floats(-2, 2))
def test_two_sided_evidence_has_mean_exactly_one_at_its_target_by_enumeration(mean, length, low):
    outcomes = np.array(list(itertools.product([low, low + 1], repeat=length)))
    probability = np.where(outcomes == low, 1 - mean, mean).prod(axis=1)
    span = max(mean, 1 - mean)
    log_e = e_values.log_evidence(outcomes.T, target=low + mean, margin=0.0, span=span)
    # A gain is off by 12 eps (|low| <= 2, room >= 1/2), a factor, at least 0.1, by 120 eps of it.
    rounding = (120 * length + 100) * np.finfo(float).eps
    assert probability @ np.exp(log_e) == pytest.approx(1.0, abs=rounding)


@pytest.mark.parametrize("method", [e_values.log_evidence, e_values.log_support])
@given(seed=st.integers(0, 99), target=st.floats(-3, 3), off=st.floats(-0.3, 0.3))
def test_evidence_and_support_know_neither_sign_nor_origin(method, seed, target, off):
    x = np.random.default_rng(seed).uniform(-0.5, 0.5, (40, 1)) + off
    at = {"margin": 0.1, "span": 1.0}
    centered = method(x, target=0.0, **at)
    # Of 40 factors, each at least 1/4, none moves by 100 eps of itself: |x| + |target| < 4.
    rounding = 40 * 100 * np.finfo(float).eps
    assert method(x + target, target=target, **at) == pytest.approx(centered, abs=rounding)
    assert method(-x, target=0.0, **at) == pytest.approx(centered, abs=rounding)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_departure_on_either_side_is_evidence_and_prevents_support(side):
    x = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 1)) + 2
    at = {"margin": 0.1, "span": 1.0}
    (evidence,), (nothing,) = (e_values.log_evidence(x, target=t, **at) for t in (2 - side / 3, 2))
    assert evidence > math.log(1e6)  # what refutes at the default level
    assert nothing < 0
    assert e_values.log_support(x, target=2.0, **at) > math.log(1000)  # what supports
    assert e_values.log_support(x, target=2 - side / 3, **at) < 0


def test_support_of_several_statistics_is_the_least_of_each_and_of_either_side():
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (60, 3)) + np.array([0.0, 0.2, -0.1])
    at = {"target": 0.0, "margin": 0.3, "span": 1.0}
    each = [e_values.log_support(x[:, [i]], **at) for i in range(3)]
    # The same sums of 60 logs, each below 2.4, in another order.
    rounding = 60 * 2.4 * rounding_allowance(2 * 60)
    assert e_values.log_support(x, **at) == pytest.approx(min(each), abs=rounding)
    above = float(e_values.log_capital(-x[:, 1], -0.3, -1.0))
    below = float(e_values.log_capital(x[:, 1], -0.3, -1.0))
    assert each[1] == pytest.approx(min(above, below), abs=rounding)


def test_evidence_against_a_mean_outside_grows_at_the_rate_that_theory_gives():
    # The best constant stake of a fair bet at p against q earns KL(p, q) a draw.
    p, q, length = 0.5, 0.3, 4000
    x = (np.random.default_rng(0).random(length) < p).astype(float)
    rate = float(e_values.log_capital(x, q, 0.0)) / length
    best = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert 0.8 * best < rate < 1.2 * best


@given(effect=st.floats(1e-3, 0.3))
def test_one_of_the_stakes_is_nearly_the_best_whatever_the_spread(effect):
    # Between stakes c and 2c the worse of both earns no less than 2r - r^2 at r = 4/3, hence 8/9,
    # of the best; averaging over 13 stakes costs log 13 once. Draws are symmetric, so that the next
    # term of a log is t^4 / 4, t at most 0.2: 1/50 of t^2 / 2, which adds up to 16/9 of the best.
    mean, sd = 0.5, 0.5 * effect**0.5
    x = mean * (1 + effect * sd) + np.tile([sd, -sd], 2000)
    gains = x / mean - 1
    best = max(np.log1p(c * gains).sum() for c in np.geomspace(2.5e-4, 0.9, 400))
    assert (
        float(e_values.log_capital(x, mean, 0.0))
        >= 8 / 9 * best - math.log(13) - 16 / 9 / 50 * best
    )


def test_averaging_over_the_stakes_costs_the_log_of_their_number():
    # Where each draw is ten times the null the largest stake, 0.9, holds all of the capital.
    evidence = float(e_values.log_capital(np.full(50, 1.0), 0.1, 0.0))
    assert evidence == pytest.approx(50 * math.log(1 + 0.9 * 9) - math.log(13), abs=1e-9)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_interval_holds_the_mean_and_shrinks(name):
    runs, alpha, missed, widths = 60, 0.05, 0, []
    x = draws(name, runs, 512)
    for column in x.T:
        ends = [e_values.interval(column[:n], low=0.0, high=1.0, alpha=alpha) for n in (64, 512)]
        missed += any(not low <= MEANS[name] <= high for low, high in ends)
        widths.append([high - low for low, high in ends])
    assert missed <= scipy.stats.binom.isf(1e-6, runs, alpha)
    early, late = np.median(widths, axis=0)
    assert late < early / 1.8


def test_interval_ends_where_either_capital_reaches_two_over_alpha():
    x = np.random.default_rng(0).beta(1, 3, 300)
    low, high = e_values.interval(x, low=0.0, high=1.0, alpha=0.01)
    assert low < x.mean() < high
    # An end is bisected to 3e-14; the log of a factor changes by 1/room of that at most.
    for capital, room in (
        (e_values.log_capital(x, low, 0.0), low),
        (e_values.log_capital(-x, -high, -1.0), 1 - high),
    ):
        assert capital == pytest.approx(math.log(200), abs=len(x) / room * 3e-14)


def test_interval_is_a_small_multiple_of_the_standard_error():
    x = np.random.default_rng(0).normal(0.5, 0.05, 4096)
    low, high = e_values.interval(x, low=0.0, high=1.0, alpha=1e-7)
    assert (high - low) / 2 < 1.6 * scipy.stats.norm.isf(1e-7 / 2) * x.std() / 64


def test_support_is_false_no_more_often_than_stated():
    # The mean departs by exactly the margin: support would be wrong.
    miss, runs = 0.05, 1000
    x = draws("uniform", runs, 400) - 0.5
    wrong = sum(
        e_values.log_support(x[:, [i]], target=0.1, margin=0.1, span=0.7) >= math.log(1 / miss)
        for i in range(runs)
    )
    assert wrong <= scipy.stats.binom.isf(1e-6, runs, miss)


@given(log_e=st.lists(st.floats(-50, 50), max_size=6), more=st.integers(0, 5))
def test_combined_lies_between_its_parts(log_e, more):
    planned = max(1, len(log_e)) + more
    value = e_values.combined(log_e, planned)
    if not log_e:
        assert value == 0.0
        return
    product, largest = sum(log_e), max(log_e)
    assert value >= product - math.log(2) - 1e-9
    assert value >= largest - math.log(2 * planned) - 1e-9
    assert value <= max(product, largest) + 1e-9


def test_combined_evidence_has_mean_at_most_one():
    # Independent e-values 0 or 1/p with probability p: exact by enumeration.
    p, examples = 0.2, 4
    total = 0.0
    for hits in itertools.product([0, 1], repeat=examples):
        log_e = [math.log(1 / p) if hit else -math.inf for hit in hits]
        probability = math.prod(p if hit else 1 - p for hit in hits)
        total += probability * math.exp(e_values.combined(log_e, examples))
    assert total == pytest.approx(1.0, rel=1e-10)


def test_combined_evidence_of_fewer_examples_than_planned_has_mean_at_most_one():
    # E-values 0 or 1/p; one stops at the first that is not 0, so that the number seen follows
    # what was seen. The product has mean 1; the mean over the planned loses what was not seen.
    p, planned = 0.2, 4
    total = sum(
        (1 - p) ** missed
        * p
        * math.exp(e_values.combined([-math.inf] * missed + [-math.log(p)], 4))
        for missed in range(planned)
    )
    seen = sum((1 - p) ** i for i in range(planned))
    product = 1.0  # of the stop at the first alone: all others hold a 0
    assert total == pytest.approx(
        (product + seen / planned) / 2, rel=rounding_allowance(20 * planned)
    )  # of 20 roundings a term: exponents and logs below 3, a product and a sum


@pytest.mark.parametrize(("seen", "planned"), [(1, 2), (1, 20), (2, 5), (5, 5)])
def test_combined_is_half_the_product_and_half_the_mean_over_the_planned(seen, planned):
    log_e = [1.5, -0.5, 3.0, 0.25, -2.0][:seen]
    expected = math.exp(sum(log_e)) / 2 + sum(map(math.exp, log_e)) / planned / 2
    # A log of a number of order 10 or more: a few roundings of each term, of each sum.
    assert e_values.combined(log_e, planned) == pytest.approx(
        math.log(expected), abs=rounding_allowance(10 * seen + 10)
    )


def test_combined_with_a_certificate_is_certain():
    assert e_values.combined([0.0, math.inf], 2) == math.inf
    assert e_values.combined([-math.inf, math.inf], 2) == math.inf


def test_clipping_moves_a_mean_by_no_more_than_the_allowance_says():
    # Student's t with 5 degrees of freedom: a fourth moment that a pilot of 400 sees badly.
    g = np.random.default_rng(0)
    x = g.standard_t(5, 1_000_000) * 0.1
    allowed = allowance(g.standard_t(5, (400, 1)) * 0.1)
    beyond = np.maximum(np.abs(x) - allowed.span, 0).mean()
    assert 0 < beyond < allowed.remainder


def test_the_allowance_for_clipping_is_that_of_the_worst_distribution():
    # A rare value at 4/3 of the room above the mean makes E(x - room)+ as large as E x^4 lets it.
    remainder, room, rare = 0.3, 0.6, 1e-4  # span 0.9: three times the remainder
    pilot = np.zeros((10_000, 1))
    pilot[:1] = 4 / 3 * room
    allowed = allowance(pilot, remainder=remainder)
    assert allowed.span == 3 * (remainder + 64 * np.finfo(float).eps * 4 / 3 * room)
    beyond = rare * room / 3
    assert allowed.remainder - remainder == pytest.approx(
        2 * beyond, rel=5 * rare
    )  # centring takes 4


def test_the_span_of_an_allowance_does_not_grow_with_a_fault_that_the_pilot_has():
    g = np.random.default_rng(0)
    right, wrong = (allowance(g.normal(mean, 0.1, (64, 1))) for mean in (0.0, 5.0))
    assert wrong.span < 2 * right.span
    pilot = g.normal(0.0, 0.1, (64, 1))
    # Two roots of sums of 64 squares, in any order: half of 64 roundings, 3 for a square and the
    # quotient, and 2 for the root and the product, each.
    spread = 6 * (pilot - pilot.mean(axis=0)).std()
    allowed = rounding_allowance(2 * (32 + 3 + 2)) * spread
    assert allowance(pilot).span == pytest.approx(spread, abs=allowed)


def test_allowance_of_a_constant_is_its_rounding_alone():
    allowed = allowance(np.full((10, 1), 3.0))
    assert 0 < allowed.remainder <= 64 * 3 * np.finfo(float).eps
    assert allowed.span == 3 * allowed.remainder
    assert allowed.resolution == 0
    assert Allowance(0.1, 1.0).resolution == 0


def test_allowance_leaves_room_to_see_its_resolution():
    allowed = allowance(np.zeros((10, 2)), remainder=0.1, resolution=np.array([0.2, 0.5]))
    assert np.all(allowed.span >= 3 * (0.1 + np.array([0.2, 0.5])))


def test_an_e_value_reads_as_a_number():
    assert e_values.text(math.log(3.1e9)) == "e = 3.1e+09"
    assert e_values.text(math.inf) == "e = infinite"
    assert e_values.text(-math.inf) == "e = 0"


@pytest.mark.parametrize("alpha", [1e-8, 2e-3, 1.0])
@pytest.mark.parametrize("n", [8, 65, 1000])
def test_an_interval_ends_where_the_capital_reaches_its_level(n, alpha):
    x = np.random.default_rng(n).uniform(-3.0, 5.0, n)
    low, high = e_values.interval(x, low=-3.0, high=5.0, alpha=alpha)
    level, step = np.log(2 / alpha), 1e-12
    assert e_values.log_capital(x, low, -3.0) >= level > e_values.log_capital(x, low + step, -3.0)
    assert e_values.log_capital(-x, -high, -5.0) >= level
    assert e_values.log_capital(-x, -(high - step), -5.0) < level

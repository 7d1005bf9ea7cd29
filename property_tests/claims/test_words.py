"""What a gap looks like: each cause is named where it is there, and no other."""

import numpy as np
import pytest

from ntval.claims.kernel_identities.words import gap_words

N = 12
rows = np.random.default_rng(0).standard_normal((N, 40))
K = rows @ rows.T / 40
BIASES = np.full((N, N), 0.1) + 0.05 * np.eye(N)


def changed(where, factor):
    gram = K.copy()
    gram[where] *= factor
    return gram


def rows_changed(chosen, factor):
    scale = np.ones(N)
    scale[chosen] = factor
    return K * scale[:, None] * scale


CAUSES = {
    "scale": (1.03 * K, "3.0% too large throughout: a wrong scale"),
    "small scale": (0.7 * K, "30.0% too small throughout: a wrong scale"),
    "parametrization": (K / 64, "64 times too small throughout: another parametrization"),
    "sum over outputs": (10 * K, "10 times too large throughout: the sum over 10 outputs"),
    "off diagonal": (K + 0.1 * (K - np.diag(np.diag(K))), "10.0% too large away from the diagonal"),
    "diagonal": (K + 0.05 * np.diag(np.diag(K)), "5.0% too large on the diagonal: jitter"),
    "entry": (
        changed(([2, 9], [9, 2]), 1.15),
        "entry [2, 9] of it is 15.0% too large, and no other",
    ),
    "rows": (rows_changed([3, 4], 2.0), "rows [3, 4] of it are off, the others are not"),
    "constant": (K + 0.3, "off by a constant, +0.3"),
    "biases": (K - BIASES, "off by -1.00 times what the biases bring: a missing bias"),
}
WORDS = {
    "scale": "throughout",
    "off diagonal": "away from the diagonal",
    "diagonal": "on the diagonal",
    "entry": "and no other",
    "rows": "the others are not",
    "constant": "a constant",
    "biases": "the biases bring",
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_cause_is_named_where_it_is_there_and_no_other(cause, noise):
    kernel, said = CAUSES[cause]
    size = min(np.linalg.norm(kernel - K), np.linalg.norm(K))
    chance = np.random.default_rng(1).standard_normal((N, N))
    chance = noise * size * (chance + chance.T) / np.linalg.norm(chance + chance.T)
    words = gap_words("it", kernel, K + chance, noise=noise * size, biases=BIASES, outputs=10)
    if noise:
        family = next((w for w in WORDS.values() if w in said), said)
        assert words.count(family) == 1
        assert sum(w in words for w in WORDS.values()) == 1
    else:
        assert said in words
        assert "; or " not in words


def test_what_no_cause_explains_is_not_called_another_architecture():
    other = np.random.default_rng(2).standard_normal((N, 40))
    words = gap_words("it", other @ other.T / 40, K)
    assert "no single scale, entry, row, diagonal or bias explains it" in words


def test_a_draw_is_called_one_where_it_is_as_far_as_one_may_be():
    noise = np.random.default_rng(3).standard_normal((N, N))
    near = K + 0.03 * (noise + noise.T)
    assert "as far as one draw of a finite network may be" in gap_words("it", near, K, draws=1)
    assert "draw" not in gap_words("it", near, K)
    assert "draw" not in gap_words("it", 1.03 * K, K, draws=1)


@pytest.mark.parametrize("kernel", [np.nan * K, np.inf * K])
def test_what_is_not_finite_is_called_so(kernel):
    assert gap_words("it", kernel, K) == "it is not finite"

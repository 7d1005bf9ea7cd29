"""MiniLM: word pieces, cosines between words, padding."""

import jax
import numpy as np
import pytest

from ntval.data import sources
from ntval.errors import InputError
from ntval.networks import minilm
from ntval.networks.minilm import Vocabulary

WEIGHTS = pytest.mark.skipif(
    not sources.present("minilm"), reason=str(sources.absent_words("minilm"))
)
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##believ", "##able", "##a", "believ", "a")
SMALL = Vocabulary({piece: number for number, piece in enumerate(PIECES)})


@pytest.mark.parametrize(
    ("word", "pieces"),
    [
        ("a", ["a"]),
        ("unbelievable", ["un", "##believ", "##able"]),
        ("aa", ["a", "##a"]),
        ("unbelievably", ["[UNK]"]),
        ("x", ["[UNK]"]),
        ("a" * 101, ["[UNK]"]),
    ],
)
def test_a_word_is_cut_into_its_longest_pieces(word, pieces):
    assert [PIECES[number] for number in SMALL.pieces(word)] == ["[CLS]", *pieces, "[SEP]"]


@pytest.mark.parametrize("word", ["", "two words", "Upper", "caf\u00e9", ":-)"])
def test_what_is_no_word_of_lower_case_letters_is_refused(word):
    with pytest.raises(InputError, match="letters from a to z"):
        SMALL.pieces(word)


def test_shorter_words_are_padded():
    assert SMALL.tokens(["a", "aa"]).tolist() == [[2, 9, 3, -1], [2, 9, 7, 3]]


@WEIGHTS
def test_cosines_between_words_are_those_of_the_specification():
    state = {name: jax.numpy.asarray(array) for name, array in minilm.pretrained().items()}
    words = ["terrible", "awful", "good", "great", "rope"]
    tokens = minilm.vocabulary().tokens(words)
    padded = np.pad(tokens, ((0, 0), (0, 2)), constant_values=-1)
    represented = jax.jit(jax.vmap(lambda t: minilm.represented(state, t)))
    found, longer = (np.asarray(represented(t)) for t in (tokens, padded))
    # Six layers of sums of up to 1536 products, in float32.
    assert np.abs(found - longer).max() < 6 * 1536 * np.finfo(np.float32).eps
    units = found / np.linalg.norm(found, axis=1)[:, None]
    cosines = [units[0] @ units[1], units[2] @ units[3], units[2] @ units[4]]
    assert np.round(cosines, 2).tolist() == pytest.approx([0.85, 0.73, 0.22])


@WEIGHTS
def test_the_published_vocabulary_knows_common_words_whole():
    assert len(minilm.vocabulary().pieces("terrible")) == 3


def test_random_weights_are_as_bert_s_are_initialized():
    state = minilm.random_weights()
    table = state["embeddings.word_embeddings.weight"]
    # A standard deviation of 11.7 million numbers is off by less than 6/sqrt(2 n) of itself.
    assert abs(table.std() / 0.02 - 1) < 6 / np.sqrt(2 * table.size)
    assert not state["encoder.layer.0.output.dense.bias"].any()
    assert (state["embeddings.LayerNorm.weight"] == 1).all()

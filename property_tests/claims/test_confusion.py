"""What diagnoses say against what is true: a matrix for every kind of fault, planted in five
architectures. A cause that is named is the true one; to name none is allowed, and counted."""

import os
from collections import Counter

import pytest
from claims.confusion import plants
from claims.confusion.architectures import ARCHITECTURES
from rich.console import Console
from rich.table import Table

from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.causes import CAUSES, named

# stax says so of a sum of branches.
pytestmark = pytest.mark.filterwarnings("ignore:`FanIn` layers assume independent inputs")

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
NONE, SEVERAL = "no single cause", "not told apart"
# Of each kind: the least share of its faults with a cause that is named right, measured over three
# seeds, less a tenth; and the number of architectures in a commit.
KINDS = {
    plants.kernels: (0.75, 2),
    plants.methods: (0.9, 2),
    plants.batches: (0.9, 5),
    plants.gradients: (0.75, 1),
    plants.widths: (0.9, 1),
    plants.parametrizations: (0.9, 1),
}


def said_of(words):
    """The column of a diagnosis."""
    found = named(words)
    if len(found) == 1:
        return found[0].name
    return SEVERAL if found else NONE


def matrix(found, title):
    """The table of what is said against what is true."""
    rows = [c.name for c in CAUSES if any(true == c.name for true, _ in found)] + [NONE]
    columns = [*rows, *sorted({said for _, said in found} - {*rows, SEVERAL}), SEVERAL]
    counts = Counter(found)
    table = Table("true", *columns, title=title)
    for true in rows:
        table.add_row(true, *(str(counts[true, said] or "") for said in columns))
    return table


def planted(kind, names, seed=0):
    """The faults of one kind in these architectures: (true, said, words, architecture)."""
    for name in names:
        for true, words in kind(ARCHITECTURES[name], seed):
            yield true, words, name


def assert_no_confusion(kind, names, least, seed=0):
    """No cause is named that is not the true one, and enough are named."""
    found, wrong = [], []
    for true, words, name in planted(kind, names, seed):
        true_name, said = (NONE if true is None else true.name), said_of(words)
        found.append((true_name, said))
        if said not in (true_name, NONE, SEVERAL):
            wrong.append(f"{name}: {true_name}, but: {words}")
        if said == SEVERAL and true is not None and true not in named(words):
            wrong.append(f"{name}: {true_name}, none of: {words}")
    Console(width=250).print(matrix(found, f"{kind.__name__}, seed {seed}"))
    assert not wrong, "\n".join(wrong)
    with_cause = [(true, said) for true, said in found if true != NONE]
    assert sum(true == said for true, said in with_cause) >= least * len(with_cause)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_cause_is_named_for_another(kind):
    least, in_a_commit = KINDS[kind]
    names = list(ARCHITECTURES)[: None if NIGHTLY else in_a_commit]
    for seed in range(3 if NIGHTLY else 1):
        assert_no_confusion(kind, names, least, seed)


def test_words_of_causes_are_known_by_a_part_that_no_other_has():
    for cause in CAUSES:
        assert [other for other in CAUSES if cause.mark in other.words] == [cause]
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)
    assert causes.named("no single cause; looked for: scale, NNGP, rows, entry") == ()

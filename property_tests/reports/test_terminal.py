"""Tables can be read at the width and the height of the terminal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from ntval.claims.catalogue import CLAIMS
from ntval.claims.outcome import Outcome, Result
from ntval.evidence.verdict import Decision, Verdict
from ntval.reports import live, tables, terminal
from ntval.runs import power, suite


def lines(renderable, width):
    on = Console(width=width, file=io.StringIO())
    on.print(renderable)
    return [line.rstrip() for line in on.file.getvalue().splitlines()]


def result(claim, regime, verdict):
    decision = Decision(verdict, "means", "words " * 60, 0.0, 0.0, 0.0, log_e=-1.0)
    return Result(claim, regime, 0, decision, 1.25)


def run_until(claim, departing=None):
    """A run whose claims before `claim` are finished, all of them SUPPORTED but `departing`."""
    run = suite.planned()
    done = list(CLAIMS)[: list(CLAIMS).index(claim)]
    verdicts = {departing: Verdict.INCONCLUSIVE}
    results = [
        result(cell.claim, cell.point, verdicts.get(cell.claim, Verdict.SUPPORTED))
        for cell in run.cells
        if cell.claim in done
    ]
    return replace(run, results=tuple(results))


def wide_table():
    table = terminal.plain_table("name", "held out>", "of the trace>", "why")
    for number in ("0.123456789", "3.4e-05"):
        table.add_row("a name of some words", number, number, "some words that say why")
    return table


@pytest.mark.parametrize(
    ("width", "left_out"), [(120, ""), (60, ""), (38, ""), (37, "why"), (30, "why, of the trace")]
)
def test_a_table_that_does_not_fit_keeps_its_numbers_whole_and_says_what_it_leaves_out(
    width, left_out
):
    table = terminal.fitted(wide_table(), width, dispensable=("why", "of the trace"))
    shown = lines(table, width)
    assert max(map(len, shown)) <= width
    for number in ("0.123456789", "3.4e-05"):
        assert sum(number in line for line in shown) == 1
    words = " ".join(" ".join(shown).split())
    assert words.endswith(f"no room for {left_out}: widen, or ask for --json") == bool(left_out)
    assert ("no room" in words) == bool(left_out)
    assert len(table.columns) == 4 - len(left_out.split(", ") if left_out else [])


def test_sentences_are_wrapped_between_words_on_a_terminal_and_uncut_in_a_pipe():
    sentence = "K[x1; x2] is no markup " * 8
    for is_terminal in (True, False):
        on = Console(width=40, file=io.StringIO(), force_terminal=is_terminal, color_system=None)
        terminal.prose(on, sentence)
        shown = on.file.getvalue().rstrip("\n").split("\n")
        assert (len(shown) > 1) == is_terminal
        assert " ".join(" ".join(shown).split()) == sentence.strip()


def test_a_command_that_ends_a_sentence_has_a_line_of_its_own_on_a_terminal():
    command = "pip install --no-deps neural-tangents==0.6.5"
    sentence = f"because kernels of infinite width need what is not installed: {command}"
    for is_terminal, expected in ((True, f"  {command}"), (False, sentence)):
        on = Console(width=60, file=io.StringIO(), force_terminal=is_terminal, color_system=None)
        terminal.prose(on, sentence)
        shown = on.file.getvalue().rstrip("\n").split("\n")
        assert shown[-1] == expected
        assert " ".join(" ".join(shown).split()) == sentence


@pytest.mark.parametrize("width", [40, 71])
def test_a_run_has_its_evidence_below_the_claims_where_there_is_no_room_beside(width):
    run = run_until("montanari_zhong.lazy_training")
    shown = lines(live.RunTable(run), width)
    assert max(map(len, shown)) <= width
    words = " ".join(" ".join(shown).split())
    for name, outcome in run.finished.items():
        summary = outcome.results[0].decision.summary
        assert f"SUPPORTED {name.partition('.')[2]} {summary}" in words
    low = lines(live.RunTable(run, most=20), width)
    assert len(low) <= 21
    assert max(map(len, low)) <= width


@pytest.mark.parametrize(("width", "columns"), [(80, 2), (100, 4), (140, 4)])
def test_a_run_keeps_verdicts_at_every_width_and_points_and_seconds_where_there_is_room(
    width, columns
):
    run = run_until("montanari_zhong.lazy_training")
    head, *rows = lines(live.RunTable(run), width)
    assert head.split()[:-1] == ["claim", "verdict", "points", "seconds"][:columns]
    assert max(map(len, rows)) <= width
    expected = [
        [name.partition(".")[2], "SUPPORTED", f"{o.planned}/{o.planned}", f"{1.25 * o.planned:.1f}"]
        for name, o in run.finished.items()
    ]
    shown = [row.split() for row in rows if row.startswith("  ") and row[2] != " "]
    assert [row[:columns] for row in shown[: len(expected)]] == [e[:columns] for e in expected]
    assert len(shown) == len(run.outcomes) > len(expected) > 40


@pytest.mark.parametrize(
    "claim", ["kernel_identities.methods_agree", "montanari_zhong.memorization"]
)
def test_a_low_terminal_shows_what_departs_and_what_is_being_checked(claim):
    run = run_until(claim, departing="kernel_identities.batch_independence")
    rows = lines(live.RunTable(run, most=20), 100)
    assert len(rows) <= 21
    assert any("batch_independence" in row and "INCONCLUSIVE" in row for row in rows)
    assert any(row.split()[:1] == [claim.partition(".")[2]] for row in rows)


@pytest.mark.parametrize("width", [80, 200])
def test_the_detection_matrix_has_every_fault_and_claim_at_every_width(width):
    regime = CLAIMS["kernel_identities.symmetry"].points["quick"][0]
    found = [
        power.Detection(
            name,
            fault,
            Outcome(name, (result(name, regime, Verdict.REFUTED),), 1, 1.0),
            seconds=0.5,
        )
        for name, claim in CLAIMS.items()
        for fault in claim.faults
    ]
    shown = [
        line for table in tables.power_tables(found, {}, width) for line in lines(table, width)
    ]
    assert max(map(len, shown)) <= width
    words = {word for line in shown for word in line.split()}
    assert {d.fault for d in found} <= words
    assert {d.claim.partition(".")[2] for d in found} <= words
    assert sum(line.count("○") + line.count("●") for line in shown) == len(found)


def test_a_detection_matrix_of_nothing_is_no_table():
    assert list(tables.power_tables([], {}, 80)) == []


def test_an_index_in_brackets_is_shown_as_it_is(capsys):
    table = terminal.plain_table("entry")
    table.add_row("f(x)[i] of K([x1; x2])")
    terminal.console().print(table)
    assert "f(x)[i] of K([x1; x2])" in capsys.readouterr().out

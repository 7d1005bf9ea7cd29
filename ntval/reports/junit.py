"""A run as JUnit XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ntval.evidence.verdict import Verdict, finite
from ntval.reports.documents import write_whole
from ntval.reports.words import evidence_words, replay, weakest
from ntval.runs.suite import Run


def write_junit(run: Run, path: Path) -> None:
    """Write the run as JUnit XML: a test case a claim, its evidence in properties."""
    suite = ElementTree.Element("testsuite", name="ntval")
    for name, outcome in run.settled.items():
        module, _, word = name.partition(".")
        seconds = sum(result.seconds for result in outcome.results)
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"ntval.{module}", name=word, time=f"{seconds:.3f}"
        )
        properties = ElementTree.SubElement(case, "properties")
        for key, value in {
            "verdict": outcome.verdict.value,
            "log_e": finite(outcome.log_e),
            "alpha": outcome.share,
            "seed": run.settings.seed,
            "replay": replay(run, name),
        }.items():
            ElementTree.SubElement(properties, "property", name=key, value=str(value))
        summary = weakest(outcome.results).decision.summary
        if outcome.verdict is Verdict.REFUTED:
            failure = ElementTree.SubElement(case, "failure", message=summary, type="REFUTED")
            failure.text = f"{evidence_words(outcome)}\nreplay: {replay(run, name)}"
        elif outcome.verdict is Verdict.INCONCLUSIVE:
            ElementTree.SubElement(case, "skipped", message=f"INCONCLUSIVE: {summary}")
    for item in run.not_run:
        module, _, word = item.claim.partition(".")
        case = ElementTree.SubElement(suite, "testcase", classname=f"ntval.{module}", name=word)
        ElementTree.SubElement(case, "skipped", message=f"not run, because {item.reason}")
    if not run.complete:
        case = ElementTree.SubElement(suite, "testcase", classname="ntval", name="complete")
        message = f"interrupted: {len(run.settled)} of {len(run.outcomes)} claims were checked"
        ElementTree.SubElement(case, "error", message=message)
    suite.set("tests", str(len(suite)))
    suite.set("errors", str(len(suite.findall("*/error"))))
    suite.set("failures", str(len(suite.findall("*/failure"))))
    suite.set("skipped", str(len(suite.findall("*/skipped"))))
    ElementTree.indent(suite)
    write_whole(path, ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")

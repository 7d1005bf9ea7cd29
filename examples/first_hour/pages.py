"""What the pages print for a reader to do: commands, snippets, and what these are said to show."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "own_network" / "README.md",
    ROOT / "experiments" / "README.md",
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.M | re.S)
SNIPPET = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```\n(.*?)^```$)?", flags=re.M | re.S)
IN_PROSE = re.compile(r"`((?:uv run )?(?:ntval|pytest|make|pip|uv)\s[^`]+)`")
COMMENT = re.compile(r"\s+#.*")
NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Fenced blocks, each with its language."""
    return BLOCK.findall(page.read_text())


def block_with(page: Path, words: str) -> str:
    """The block that has these words."""
    (found,) = (text for _, text in blocks(page) if words in text)
    return found


def commands(page: Path) -> list[str]:
    """Commands of a page, each once: lines of `sh`, steps of a recipe for CI, and in the prose.

    `uv run ntval` is `ntval` in the reader's environment.
    """
    found = []
    for language, text in blocks(page):
        if language == "sh":
            found += text.splitlines()
        elif language == "yaml":
            found += re.findall(r"\brun: (.+)", text)
    found += IN_PROSE.findall(BLOCK.sub("", page.read_text()))
    plain = (" ".join(COMMENT.sub("", line).split()) for line in found)
    return list(dict.fromkeys(line.replace("uv run ntval", "ntval") for line in plain if line))


def snippets(page: Path) -> list[tuple[str, str]]:
    """Python blocks of a page, each with the output that follows it, or nothing."""
    return SNIPPET.findall(page.read_text())


def without_numbers(text: str) -> list[str]:
    """Lines of a text with one sign for every number."""
    return [NUMBER.sub("#", line).strip() for line in text.strip().splitlines()]

"""Standard output and error that any encoding can take."""

from __future__ import annotations

import codecs
import sys
import unicodedata

# What plain text has in place of what an encoding lacks.
_PLAIN = {
    "…": "...", "–": "-", "—": "-", "−": "-", "‑": "-", "·": "-", "×": "x", "±": "+-",
    "≤": "<=", "≥": ">=", "≈": "~", "√": "sqrt", "∞": "inf", "→": "->", "‖": "|",
    "‘": "'", "’": "'", "“": '"', "”": '"', "•": "*", "━": "-", "╸": "-", "╺": "-",
}  # fmt: skip
_GREEK = 0x0370, 0x03FF


def use_plain_text() -> None:
    """Write what an encoding lacks in ASCII, on both streams, in place of an exception."""
    codecs.register_error("ntval.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="ntval.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(map(_of, lost)), error.end


def _of(character: str) -> str:
    """ASCII for a character: a sign, the name of a Greek letter, a letter without its accent."""
    if character in _PLAIN:
        return _PLAIN[character]
    if _GREEK[0] <= ord(character) <= _GREEK[1]:
        return unicodedata.name(character, "?").split()[-1].lower()
    if 0x2500 <= ord(character) <= 0x257F:  # lines of tables and frames
        return "|" if character in "│┃║" else "-"
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare or "?"

"""What names a cell: canonical JSON, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ntval.errors import InputError

Identity = Mapping[str, Any]


def canonical(identity: Identity) -> str:
    """`identity` as JSON text that depends on its content alone: keys sorted, no spaces.

    Raises: `InputError` when JSON has no word for a part of it.
    """
    return _json("identity", identity)


def name_of(identity: Identity) -> str:
    """The name of a cell: SHA-256 of `canonical(identity)`, in hexadecimal digits."""
    return hashlib.sha256(canonical(identity).encode()).hexdigest()


def _json(name: str, value) -> str:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} needs numbers that are finite, texts, lists and mappings, as JSON has them, "
            f"got {str(value)[:80]!r} ({error}); convert it, e.g. by float()."
        ) from None

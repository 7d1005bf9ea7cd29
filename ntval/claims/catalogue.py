"""Every claim, written out, and how one is found by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ntval.claims import gram_matrices, kernel_identities, montanari_zhong
from ntval.claims.claim import Claim
from ntval.errors import unknown_name

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        *(getattr(kernel_identities, word) for word in kernel_identities.__all__),
        gram_matrices.equals_reference,
        gram_matrices.mean,
        *(getattr(montanari_zhong, word) for word in montanari_zhong.__all__),
    )
}


def find(name: str, claims: Mapping[str, Claim]) -> list[Claim]:
    """Claims called `name`: a full name, a last word, a row of a spec (E07), or a module for all
    of its claims.

    Raises: `UnknownNameError`, naming the nearest, when there is none.
    """
    found = [
        claim
        for full, claim in claims.items()
        if name in (full, full.rpartition(".")[2], full.partition(".")[0])
        or (name[:1] == "E" and name in re.findall(r"E\d\d", claim.source))
    ]
    if not found:
        modules = {full.partition(".")[0] for full in claims}
        raise unknown_name("claim", name, [*claims, *modules])
    return found

"""Every claim, written out, and how one is found by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ntval.claims import (
    bombari_amani_mondelli,
    gram_matrices,
    kernel_identities,
    montanari_zhong,
    wei_hu_steinhardt,
)
from ntval.claims.claim import Claim
from ntval.errors import unknown_name

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        *(getattr(kernel_identities, word) for word in kernel_identities.__all__),
        gram_matrices.equals_reference,
        gram_matrices.mean,
        *(getattr(montanari_zhong, word) for word in montanari_zhong.__all__),
        *(getattr(bombari_amani_mondelli, word) for word in bombari_amani_mondelli.__all__),
        *(getattr(wei_hu_steinhardt, word) for word in wei_hu_steinhardt.__all__),
    )
}


@dataclass(frozen=True)
class Catalogue:
    """Claims by name: those of ntval, and `given` ones in place of those of their names.

    A network that lives in this process alone has no name that another process could look up: its
    claims are given.
    """

    given: Mapping[str, Claim] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Claim:
        return self.given[name] if name in self.given else CLAIMS[name]

    def chosen(self, names: Sequence[str] | None = None) -> dict[str, Claim]:
        """The claims of these names, last words, papers or rows of a specification; all without
        any.

        Raises: `UnknownNameError` for a name that does not exist.
        """
        claims = {**CLAIMS, **self.given}
        if not names:
            return claims
        return {claim.name: claim for name in names for claim in find(name, claims)}


OURS = Catalogue()


def find(name: str, claims: Mapping[str, Claim] = CLAIMS) -> list[Claim]:
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

"""The tests of a project as yours may be."""

from mymodule import model

import ntval


@ntval.parametrize_with_claims({"mine": model}, claims=["symmetry"])
def test_ntk(check, check_claim):
    check_claim(check)

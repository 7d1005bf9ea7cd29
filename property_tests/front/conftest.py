"""Front doors as users open them: with anything in their hands."""

import jaxtyping
import pytest


@pytest.fixture
def as_users_run_it(monkeypatch):
    """Signatures are not enforced: a wrong kind meets ntval's own words, as it does outside."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)

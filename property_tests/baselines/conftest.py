"""Two baselines, measured once a worker."""

import pytest
from synthetic_claims import certified_baseline, frozen_baseline


@pytest.fixture(scope="session")
def frozen():
    return frozen_baseline()


@pytest.fixture(scope="session")
def certified():
    return certified_baseline()

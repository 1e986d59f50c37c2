"""Every test has a home of its own and leaves nothing behind."""

import pytest
from hypothesis import HealthCheck, settings

from zmqruntime.testing import isolated_home, no_leaks

# No property depends on how fast the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

__all__ = ["isolated_home", "no_leaks"]


@pytest.fixture(autouse=True)
def clean(isolated_home: object, no_leaks: None) -> None:
    """Applies both to every test."""

"""Every test has a home of its own and leaves nothing behind."""

import pytest

from zmqruntime.testing import isolated_home, no_leaks

__all__ = ["isolated_home", "no_leaks"]


@pytest.fixture(autouse=True)
def clean(isolated_home: object, no_leaks: None) -> None:
    """Applies both to every test."""

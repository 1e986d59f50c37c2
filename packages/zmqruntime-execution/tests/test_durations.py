"""Times in words."""

import pytest
from hypothesis import given, strategies as st

from zmqruntime.execution.text import duration, timing


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0.0 s"),
        (0, "0.0 s"),
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (42, "42 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (7859, "2 h 10 min"),
        (100_800, "1 d 4 h"),
        (864_000, "10 d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("elapsed", "remaining", "expected"),
    [
        (42, None, "42 s"),
        (42, 0, "42 s, about 5 s left"),
        (42, 11, "42 s, about 15 s left"),
        (42, 61, "42 s, about 2 min left"),
        (185, 480, "3 min 5 s, about 8 min left"),
        (3600, 4000, "1 h, about 1 h 10 min left"),
    ],
)
def test_elapsed_and_rest(elapsed: float, remaining: float | None, expected: str) -> None:
    assert timing(elapsed, remaining) == expected


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_an_estimate_never_promises_less(elapsed: float, remaining: float) -> None:
    assert timing(elapsed, remaining).endswith(" left")

"""Names of wells and keys of images."""

import pytest
from hypothesis import given, strategies as st

from openhcs_runtime.components import Component, ImageKey, well_name, well_position

POSITIONS = st.tuples(st.integers(0, 31), st.integers(0, 47))


@given(POSITIONS)
def test_every_well_of_a_1536_plate_has_a_name_that_leads_back(position: tuple[int, int]) -> None:
    assert well_position(well_name(*position)) == position


@pytest.mark.parametrize(("name", "position"), [("A01", (0, 0)), ("H12", (7, 11)), ("AF48", (31, 47)), ("b6", (1, 5))])
def test_known_names(name: str, position: tuple[int, int]) -> None:
    assert well_position(name) == position


@pytest.mark.parametrize("name", ["", "A", "A00", "A49", "AG01", "BA01", "A1B", "01A", "AAA01"])
def test_what_is_no_well_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="well"):
        well_position(name)


def test_the_place_off_the_plate_has_no_name() -> None:
    with pytest.raises(ValueError, match="row 32, column 0 is outside"):
        well_name(32, 0)


def test_a_key_gives_each_component() -> None:
    key = ImageKey("B02", 3, 2, 5, 7)
    assert [key.value(component) for component in Component] == ["B02", 3, 2, 5, 7]

"""File names of IN Cell Analyzers: ``A - 1(fld 1 wv DAPI - DAPI z 1 time 1).tif``.

Parts that do not vary are left out. Older instruments write ``- time 1 - 0 ms``, and ``wix 2`` for the number of a
wavelength; the name of the plate may come first (``Plate1_A - 01``).
"""

import re
from dataclasses import dataclass

from openhcs_runtime.components import well_name, well_position

__all__ = ["FORM", "Name", "parse_name"]

FORM = "A - 1(fld 1 wv DAPI - DAPI z 1 time 1)"

_NAME = re.compile(
    r"(?:.*_)?(?P<row>[A-Z]{1,2}) - (?P<column>\d{1,3})\("
    r"(?:fld (?P<site>\d{1,6}))?"
    r"(?: ?wv (?P<wave>.+?))??(?: wix (?P<wix>\d{1,3}))?"
    r"(?: ?z (?P<z>\d{1,6}))?"
    r"(?: ?-? ?time (?P<t>\d{1,6})(?: - -?\d+ ms)?)?"
    r"\)\.tiff?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a file name; the number of the wavelength is 0 if there is none."""

    well: str
    site: int
    wave: str
    wave_number: int
    z_index: int
    timepoint: int


def parse_name(name: str) -> Name | None:
    """Return the parts of a file name; None if it is not of this form."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        row, _ = well_position(f"{match['row']}1")
        well = well_name(row, int(match["column"]) - 1)
    except ValueError:
        return None
    site, z, timepoint = (int(match[group] or 1) for group in ("site", "z", "t"))
    return Name(well, site, match["wave"] or "", int(match["wix"] or 0), z, timepoint)

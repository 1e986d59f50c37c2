"""Which images of an OME-Zarr well are its fields, and in which channels they were taken.

The list of a well's images has no word for it, so these are the rules:

- Images of one acquisition are fields (sites). Another acquisition shows the same fields again in other channels, which
  are numbered after those of the acquisitions before it.
- A field is called by a number, of which "0" is site 1. Where a well has such fields, images with other names (`0_mip`,
  `illumination_corrected`) were made from them; where it has none, an image whose name continues that of another was
  made from that one. So was an image that lies where an earlier one of its acquisition does, or that has none of its
  channels (by their names). What was made from a field is no field, and is left out.
- Where there are several acquisitions, or names that are no numbers, sites are counted in the order of the list. Only
  where all names of an acquisition are as this package writes them (`0`, `1`; `0a1`, `1a1` in the next one) do they say
  the site.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from openhcs_runtime.plates.ome_zarr.metadata import FieldEntry

_WRITTEN = re.compile(r"(\d+)a\d+")


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """An image of a well: its folder below the well's, the acquisition that it is of, and which site it shows."""

    path: str
    acquisition: int
    site: int


def fields_of(entries: Sequence[FieldEntry], *, several: bool) -> tuple[list[FieldPlace], list[tuple[str, str]]]:
    """The fields of a well, and the paths of the images that were made from another one, which follows them.

    several: whether the plate has several acquisitions.
    """
    by_acquisition: defaultdict[int, list[str]] = defaultdict(list)
    for entry in entries:
        by_acquisition[entry.acquisition or 0].append(entry.path)
    ours = any(_WRITTEN.fullmatch(entry.path) for entry in entries)
    fields, derived = [], []
    for acquisition, paths in by_acquisition.items():
        numbered = [path for path in paths if path.isdecimal()]
        origins = {path: _origin(path, paths, numbered) for path in dict.fromkeys(paths)}
        derived += [(path, origin) for path, origin in origins.items() if origin]
        own = [path for path, origin in origins.items() if not origin]
        numbers = _numbers(own, by_number=not several or (acquisition == 0 and ours))
        fields += [FieldPlace(path, acquisition, site) for path, site in zip(own, numbers, strict=True)]
    return fields, derived


def _numbers(paths: Sequence[str], *, by_number: bool) -> Sequence[int]:
    """The sites that images of one acquisition show."""
    if by_number:
        names = [path if path.isdecimal() else "" for path in paths]
    else:
        names = [match[1] if (match := _WRITTEN.fullmatch(path)) else "" for path in paths]
    return [int(name) + 1 for name in names] if all(names) else range(1, len(paths) + 1)


def _origin(path: str, paths: Sequence[str], numbered: Sequence[str]) -> str:
    """The image that this one was made from; empty for a field."""
    if path.isdecimal() or _WRITTEN.fullmatch(path):
        return ""
    begins = [other for other in paths if other != path and path.startswith(other)]
    if begins:
        return max(begins, key=len)
    return numbered[0] if numbered else ""

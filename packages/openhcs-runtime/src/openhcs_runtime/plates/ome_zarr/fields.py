"""The fields among the images of an OME-Zarr well, and the channels in which they were taken.

The list of a well's images does not say this, so these rules are used:

- Images of one acquisition are fields (sites). Another acquisition shows the same fields in other channels, which are
  numbered after those of the previous acquisitions.
- A field is named by a number; "0" is site 1. In a well with such fields, images with other names (``0_mip``,
  ``illumination_corrected``) were derived from them; in a well without, an image whose name starts with that of another
  was derived from that one. An image was also derived from an earlier one of its acquisition if it has the same
  position or none of its channels (by their names). Derived images are not fields and are left out.
- If there are several acquisitions, or names that are not numbers, sites are counted in the order of the list. Names
  give the site only if all names of an acquisition are of the form that this package writes (``0``, ``1``; ``0a1``,
  ``1a1`` in the next one).
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from openhcs_runtime.plates.ome_zarr.metadata import FieldEntry

_WRITTEN = re.compile(r"(\d+)a\d+")


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """An image of a well: its path below the well folder, its acquisition and its site."""

    path: str
    acquisition: int
    site: int


def fields_of(entries: Sequence[FieldEntry], *, several: bool) -> tuple[list[FieldPlace], list[tuple[str, str]]]:
    """Separate the fields of a well from derived images.

    Args:
        entries: The images of the well.
        several: Whether the plate has several acquisitions.

    Returns:
        The fields, and for each derived image its path and that of the image it was derived from.
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
    """Return the sites of the images of one acquisition."""
    if by_number:
        names = [path if path.isdecimal() else "" for path in paths]
    else:
        names = [match[1] if (match := _WRITTEN.fullmatch(path)) else "" for path in paths]
    return [int(name) + 1 for name in names] if all(names) else range(1, len(paths) + 1)


def _origin(path: str, paths: Sequence[str], numbered: Sequence[str]) -> str:
    """Return the image that this one was derived from; empty for a field."""
    if path.isdecimal() or _WRITTEN.fullmatch(path):
        return ""
    begins = [other for other in paths if other != path and path.startswith(other)]
    if begins:
        return max(begins, key=len)
    return numbered[0] if numbered else ""

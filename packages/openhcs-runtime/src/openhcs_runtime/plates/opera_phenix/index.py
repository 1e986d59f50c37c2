"""Harmony's ``Index.xml``: images of a measurement, pixel size, plane distance, channel names and positions.

Harmony 4 writes all information about an image into its own element; Harmony 5 and later put what the images of a
channel share into ``Maps/Map/Entry``. The namespace contains the version (such as ``.../HarmonyV5``) and is ignored
here. Lengths are in metres; the position of a field is its centre relative to the centre of the well, with y
pointing up. ``PositionZ`` is the height of a plane above the well bottom, ``AbsPositionZ`` that of the objective.
"""

import io
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.format import Metadata
from openhcs_runtime.plates.lengths import one_length, z_step
from openhcs_runtime.plates.units import micrometres
from openhcs_runtime.stores.path import AnyPath

_HEIGHTS = ("PositionZ", "AbsPositionZ")
_Stack = tuple[str, int, int, int]


def read_index(path: AnyPath, key_of: Callable[[str], ImageKey | None]) -> Metadata:
    """Read an index file.

    Args:
        path: The index file.
        key_of: Returns the image key of a file name in the index; None if it is not an image.

    Raises:
        ParseError: If the file is not XML.
        ValueError: If a number in it is invalid.
        OSError: If it can't be read.
    """
    planned: defaultdict[str, list[ImageKey]] = defaultdict(list)
    names: dict[int, str] = {}
    positions: dict[tuple[str, int], StagePosition] = {}
    heights: dict[str, _Heights] = {name: _Heights() for name in _HEIGHTS}
    sizes: list[float] = []
    for element, fields in _records(path):
        sizes += [size for size in map(_length, (fields.get(f"ImageResolution{axis}") for axis in "XY")) if size]
        channel = element.get("ChannelID") or _text(fields.get("ChannelID"))
        if channel and (name := _text(fields.get("ChannelName"))):
            names.setdefault(int(channel), name)
        key = key_of(_text(fields.get("URL")))
        if key is None:
            continue
        planned[key.well].append(key)
        for name in _HEIGHTS:
            heights[name].add(key, _length(fields.get(name)))
        y, x = _length(fields.get("PositionY")), _length(fields.get("PositionX"))
        if (key.well, key.site) not in positions and y is not None and x is not None:
            positions[key.well, key.site] = StagePosition(-y if y else 0.0, x)
    return Metadata(
        source=path.name,
        planned={well: tuple(keys) for well, keys in planned.items()},
        channel_names=dict(sorted(names.items())),
        positions=positions,
        pixel_size_um=round(sizes[0], 6) if sizes and all(one_length(sizes[0], size) for size in sizes) else None,
        z_step_um=next((step for name in _HEIGHTS if (step := heights[name].step()) is not None), None),
    )


class _Heights:
    """Heights of the planes of the first stack with more than one plane, in micrometres."""

    def __init__(self) -> None:
        self._places: dict[_Stack, dict[int, float | None]] = {}
        self._stack: _Stack | None = None

    def add(self, key: ImageKey, height: float | None) -> None:
        """Add the height of one image; once a stack is found, heights of other stacks are ignored."""
        stack = key.well, key.site, key.channel, key.timepoint
        if height is None or (self._stack is not None and stack != self._stack):
            return
        places = self._places.setdefault(stack, {})
        places[key.z_index] = height
        if len(places) > 1 and self._stack is None:
            self._stack, self._places = stack, {stack: places}

    def step(self) -> float | None:
        """Return the distance between its planes."""
        found: Mapping[int, float | None] = self._places.get(self._stack, {}) if self._stack else {}
        return z_step(found)


def _records(path: AnyPath) -> Iterator[tuple[ET.Element, dict[str, ET.Element]]]:
    """Yield each ``Image`` and ``Entry`` element with its children by name, and free it afterwards: files are large."""
    names: dict[str, str] = {}  # the part of each tag after the namespace
    for _, element in ET.iterparse(io.BytesIO(path.read_bytes())):
        tag = element.tag
        if tag not in names:
            names[tag] = tag.rpartition("}")[2]
        if names[tag] in ("Entry", "Image"):
            yield element, {names[child.tag]: child for child in element}
            element.clear()


def _text(element: ET.Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _length(element: ET.Element | None) -> float | None:
    """Return a length in micrometres; None if it is missing or its unit is unknown."""
    text = _text(element)
    if element is None or not text:
        return None
    factor = micrometres(element.get("Unit", "m"))
    return float(text) * factor if factor else None

"""Reads Harmony's `Index.xml`: the images of a measurement, pixel size, channel names and stage positions.

Written by Harmony 4 (elements of one image hold all that is said about it) and by Harmony 5 and later (what images of a
channel share is in `Maps/Map/Entry`). The namespace names the version (`.../HarmonyV5`, `.../HarmonyV6`, ...) and plays
no role here. Lengths are in metres; a field's position is that of its centre relative to the centre of the well, with y
upwards.
"""

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.listing import Metadata

_MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "\u00b5m": 1.0, "\u03bcm": 1.0, "nm": 1e-3}


def read_index(path: Path, key_of: Callable[[str], ImageKey | None]) -> Metadata:
    """Read an index file; `key_of` gives the image of a file name in it, None for what is no image.

    Raises ParseError when it is no XML, ValueError when a number in it is none, OSError when it can't be read.
    """
    planned: defaultdict[str, list[ImageKey]] = defaultdict(list)
    names: dict[int, str] = {}
    positions: dict[tuple[str, int], StagePosition] = {}
    pixel_size = None
    for element, fields in _records(path):
        size = _length(fields.get("ImageResolutionX"))
        pixel_size = pixel_size or size
        channel = element.get("ChannelID") or _text(fields.get("ChannelID"))
        if channel and (name := _text(fields.get("ChannelName"))):
            names.setdefault(int(channel), name)
        key = key_of(_text(fields.get("URL")))
        if key is None:
            continue
        planned[key.well].append(key)
        y, x = _length(fields.get("PositionY")), _length(fields.get("PositionX"))
        if (key.well, key.site) not in positions and y is not None and x is not None:
            positions[key.well, key.site] = StagePosition(-y if y else 0.0, x)
    return Metadata(
        source=path.name,
        planned={well: tuple(keys) for well, keys in planned.items()},
        channel_names=dict(sorted(names.items())),
        positions=positions,
        pixel_size_um=round(pixel_size, 6) if pixel_size else None,
    )


def _records(path: Path) -> Iterator[tuple[ET.Element, dict[str, ET.Element]]]:
    """Each `Image` and `Entry` element with its children by name; what was read is let go: files are large."""
    names: dict[str, str] = {}  # of each tag the part after the namespace
    for _, element in ET.iterparse(path):
        tag = element.tag
        if tag not in names:
            names[tag] = tag.rpartition("}")[2]
        if names[tag] in ("Entry", "Image"):
            yield element, {names[child.tag]: child for child in element}
            element.clear()


def _text(element: ET.Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _length(element: ET.Element | None) -> float | None:
    """Micrometres; None where nothing or an unknown unit is given."""
    text = _text(element)
    if element is None or not text:
        return None
    factor = _MICROMETRES.get(element.get("Unit", "m"))
    return float(text) * factor if factor else None

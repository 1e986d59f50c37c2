"""Metadata in TIFF files: pixel size, distance between planes, channel names and stage position.

Sources are OME-XML (https://www.openmicroscopy.org/Schemas/OME/2016-06/), the description that ImageJ writes, the
MetaSeries XML of MetaXpress and MetaMorph, and the XML of BioTek's Gen5. TIFF resolution tags on their own are ignored:
they are meant for printing, and instruments that set them write a constant (Harmony writes the size of the camera
pixels).
"""

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import tifffile

from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.image_files import ImageNotes
from openhcs_runtime.plates.lengths import one_length
from openhcs_runtime.plates.tiff.opened import open_tiff
from openhcs_runtime.plates.units import micrometre_value

_PRINT_UNITS = {"inch", "inches", "in", "cm"}
"""Units that ImageJ copies from the resolution tags of files without any other unit."""


def tiff_notes(path: str | os.PathLike[str]) -> ImageNotes:
    """Return the metadata of a file; empty for a damaged file."""
    try:
        with open_tiff(path) as file:
            if file.is_ome and file.ome_metadata:
                return _of_ome(file.ome_metadata)
            if file.is_imagej:
                return _of_imagej(file.imagej_metadata or {}, file.pages.first.tags)
            description = file.pages.first.description
            if "BTIImageMetaData" in description[:1000]:
                return _of_gen5(description)
            series = file.metaseries_metadata
    except Exception:  # noqa: BLE001  notes are optional: reading the image reports what is wrong
        return ImageNotes()
    plane = series.get("PlaneInfo") if series else None
    return _of_metaseries(plane) if isinstance(plane, Mapping) else ImageNotes()


def _of_ome(text: str) -> ImageNotes:
    sizes: set[float | None] = set()
    steps: set[float | None] = set()
    names: set[tuple[str, ...]] = set()
    for element in ET.fromstring(text).iter():
        if element.tag.rpartition("}")[2] == "Pixels":
            x, y, z = (_ome_length(element, axis) for axis in "XYZ")
            sizes.add(one_length(x, y))
            steps.add(z)
            channels = (child for child in element if child.tag.rpartition("}")[2] == "Channel")
            names.add(tuple((channel.get("Name") or "").strip() for channel in channels))
    return ImageNotes(
        pixel_size_um=sizes.pop() if len(sizes) == 1 else None,
        z_step_um=steps.pop() if len(steps) == 1 else None,
        channel_names=names.pop() if len(names) == 1 else (),
    )


def _ome_length(pixels: ET.Element, axis: str) -> float | None:
    """Return the pixel or step size along an axis; the default unit is the micrometre."""
    unit = pixels.get(f"PhysicalSize{axis}Unit", "\u00b5m")
    return micrometre_value(pixels.get(f"PhysicalSize{axis}"), unit)


def _of_imagej(said: Mapping[str, object], tags: tifffile.TiffTags) -> ImageNotes:
    """Read ImageJ metadata: resolutions are in pixels per unit, the spacing of planes is in units."""
    unit = said.get("unit")
    if not isinstance(unit, str) or unit.strip().lower() in _PRINT_UNITS:
        return ImageNotes()
    x, y = (_inverse(tags, name, unit) for name in ("XResolution", "YResolution"))
    return ImageNotes(pixel_size_um=one_length(x, y), z_step_um=micrometre_value(said.get("spacing"), unit))


def _inverse(tags: tifffile.TiffTags, name: str, unit: str) -> float | None:
    if name not in tags:
        return None
    numerator, denominator = tags[name].value
    return micrometre_value(denominator / numerator, unit) if numerator and denominator else None


def _of_metaseries(plane: Mapping[str, object]) -> ImageNotes:
    y, x, z = (_number(plane.get(name)) for name in ("stage-position-y", "stage-position-x", "z-position"))
    size = None
    if plane.get("spatial-calibration-state"):
        unit = plane.get("spatial-calibration-units")
        edges = (micrometre_value(plane.get(f"spatial-calibration-{axis}"), unit) for axis in "xy")
        size = one_length(*edges)
    return ImageNotes(
        pixel_size_um=size,
        position=StagePosition(y, x) if y is not None and x is not None else None,
        z_um=z,
        z_step_um=micrometre_value(plane.get("Z Projection Step Size"), "um"),
    )


def _of_gen5(text: str) -> ImageNotes:
    """Read Gen5's description: the width and height of the image in pixels and in micrometres."""
    root = ET.fromstring(text[text.index("<") :])
    said = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    pairs = (("PixelWidth", "ImageWidthMicrons"), ("PixelHeight", "ImageHeightMicrons"))
    sizes = [_ratio(said.get(length), said.get(pixels)) for pixels, length in pairs]
    return ImageNotes(
        pixel_size_um=one_length(*sizes), z_step_um=micrometre_value(said.get("ZStackStepSizeMicrons"), "um")
    )


def _ratio(length: str | None, pixels: str | None) -> float | None:
    return micrometre_value(float(length) / float(pixels), "um") if length and pixels and float(pixels) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else None

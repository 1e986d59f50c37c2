"""``MeasurementDetail.mrf`` and the ``.mes`` file: pixel size, plate layout and channels of a CV7000 or CV8000.

The ``.mrf`` has the numbers of rows and columns of the plate, the name of the ``.mes`` file, and for each channel the
size of its pixels in micrometres and its shading-correction file. The ``.mes`` file is the protocol: it has the
target, the light sources and the emission filter (``BP445/45``) of each channel.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from openhcs_runtime.plates.xml import attributes, local_name, number, text_of, tree, whole_number
from openhcs_runtime.stores.path import AnyPath

__all__ = ["Channel", "Detail", "read_channels", "read_detail"]

_BAND = re.compile(r"BP\s*(\d{3,4})(?:/\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Detail:
    """What a ``MeasurementDetail.mrf`` says.

    Attributes:
        shape: Numbers of rows and columns of the plate.
        settings: Name of the ``.mes`` file.
        pixel_sizes: Width and height of a pixel of each channel in micrometres.
        shading: Names of the shading-correction files.
    """

    shape: tuple[int, int] | None = None
    settings: str = ""
    pixel_sizes: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    shading: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the protocol; wavelengths in nanometres, if there is exactly one."""

    name: str
    excitation_nm: float | None = None
    emission_nm: float | None = None


def read_detail(path: AnyPath) -> Detail:
    """Read a ``MeasurementDetail.mrf``.

    Raises:
        ValueError: If it is not XML, or a value in it is invalid.
        OSError: If it can't be read.
    """
    root = tree(path)
    said = attributes(root)
    sizes: dict[int, tuple[float, float]] = {}
    shading = set()
    for element in root.iter():
        if local_name(element.tag) != "MeasurementChannel":
            continue
        channel = attributes(element)
        edges = [channel.get(f"{axis}PixelDimension", "") for axis in ("Horizontal", "Vertical")]
        if all(edges):
            sizes[whole_number(channel.get("Ch", ""))] = (number(edges[0]), number(edges[1]))
        shading.add(channel.get("ShadingCorrectionSource", ""))
    counts = said.get("RowCount", ""), said.get("ColumnCount", "")
    return Detail(
        shape=(whole_number(counts[0]), whole_number(counts[1])) if all(counts) else None,
        settings=said.get("MeasurementSettingFileName", ""),
        pixel_sizes=sizes,
        shading=frozenset(shading - {""}),
    )


def read_channels(path: AnyPath) -> dict[int, Channel]:
    """Read the channels of a ``.mes`` file.

    A channel is called by its fluorophore or its target, and if neither is stated, by its filter. Channels that would
    have the same name have the filter in addition.

    Raises:
        ValueError: If it is not XML, or a value in it is invalid.
        OSError: If it can't be read.
    """
    root = tree(path)
    sources = {}
    found: dict[int, tuple[str, str, list[str]]] = {}
    for element in root.iter():
        said, tag = attributes(element), local_name(element.tag)
        if tag == "LightSource" and said.get("WaveLength"):
            sources[said.get("Name", "")] = number(said["WaveLength"])
        elif tag == "Channel":
            filter_name = said.get("Acquisition", "").strip()
            name = said.get("Fluorophore", "").strip() or said.get("Target", "").strip() or filter_name
            lights = [text_of(child) for child in element if local_name(child.tag) == "LightSourceName"]
            found[whole_number(said.get("Ch", ""))] = (name, filter_name, lights)
    names = Counter(name for name, _, _ in found.values())
    return {
        number_: Channel(
            name if names[name] == 1 or name == band else f"{name} {band}".strip(),
            _only([sources.get(light, 0.0) for light in lights]),
            float(match[1]) if (match := _BAND.fullmatch(band)) else None,
        )
        for number_, (name, band, lights) in sorted(found.items())
    }


def _only(wavelengths: list[float]) -> float | None:
    """Return the wavelength of a single light source; lamps have 0."""
    return wavelengths[0] if len(wavelengths) == 1 and wavelengths[0] > 0 else None

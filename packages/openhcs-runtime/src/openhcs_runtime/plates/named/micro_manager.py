"""Plates of Micro-Manager, saved as separate images: ``A1-Site_0/img_channel000_position000_time000000000_z000.tif``.

Each position has a folder, named after its well by the HCS plug-in (``A1-Site_0``), by pymmcore-plus (``A1_0000``), or
as in ``Pos-A01_000``. Older versions write ``img_000000000_DAPI_000.tif`` (time, channel, z). ``metadata.txt`` in each
folder has a summary (channel names, step of z, positions) and a part for each image (size of a pixel, position).
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from openhcs_runtime.components import Component
from openhcs_runtime.plates.base import PlateProblem, StagePosition
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Metadata
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.lengths import agreed_length
from openhcs_runtime.plates.named.named_format import NamedFormat, not_understood
from openhcs_runtime.plates.named.naming import Naming, Value
from openhcs_runtime.plates.named.sidecars import number, object_of, positive, read_json
from openhcs_runtime.stores.path import as_path

__all__ = ["MicroManager"]

_LEAST = 0.01
_METADATA = "metadata.txt"
_MOST_FILES = 400
_POSITION = r"(?:Pos-?)?(?P<well>[A-Z]{1,2}\d{1,2})(?:[-_](?:Site_?|Pos_?)?(?P<site_1>\d+)(?:_(?P<site_2>\d+))?)?"


class MicroManager(NamedFormat):
    """Plates of Micro-Manager and pymmcore-plus with a folder per position."""

    name, title = "micro_manager", "Micro-Manager"
    signs = MappingProxyType(
        {
            "<position of a well>/": r"(?:^|/|-)[A-Z]{1,2}\d{1,2}[^/]*/img_",
            "img_channel<n>": r"img_channel\d",
            "_time<n>_z<n>": r"_time\d+_z\d",
        }
    )
    naming = Naming(
        form="<position of a well>/img_channel<n>_position<n>_time<n>_z<n>.tif",
        names=(
            re.compile(
                rf"{_POSITION}/img_channel(?P<channel>\d+)(?:_position\d+)?_time(?P<timepoint>\d+)_z(?P<z_index>\d+)",
                re.IGNORECASE,
            ),
            re.compile(rf"{_POSITION}/img_(?P<timepoint>\d{{9}})_(?P<channel>.+)_(?P<z_index>\d{{3,}})", re.IGNORECASE),
        ),
        folders=re.compile(re.sub(r"\?P<\w+>", "?:", _POSITION), re.IGNORECASE),
        from_0=frozenset({Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT}),
    )

    def add_metadata(
        self,
        folder: Folder,
        metadata: Metadata,
        images: ImageTable,
        numbers: Mapping[Component, Mapping[Value, int]],
    ) -> tuple[Metadata, list[PlateProblem]]:
        """Add what ``metadata.txt`` says; it is read in every folder unless the first one has all positions."""
        last = {folder: row for row, folder in enumerate(images.columns.folder.tolist())}
        found = [images[row] for row in last.values()]
        folders = {as_path(image.path).parent: (image.key.well, image.key.site) for image in found}
        sizes: list[float | None] = []
        positions: dict[tuple[str, int], StagePosition] = {}
        problems: list[PlateProblem] = []
        for place, where in sorted(folders.items(), key=lambda item: item[1])[:_MOST_FILES]:
            if where in positions or not (path := place / _METADATA).is_file():
                continue
            try:
                said = read_json(path)
            except ValueError as error:
                problems.append(not_understood(f"{place.name}/{path.name}", error))
                continue
            metadata = _with_summary(metadata, object_of(said, "Summary"))
            sizes.append(_pixel_size(said))
            if (turned := _stage_axes(said)) is None:
                continue
            listed = _listed_positions(object_of(said, "Summary"))
            positions |= {
                of: turned(listed[at.name]) for at, of in folders.items() if at.name in listed and of not in positions
            }
            if (own := _own_position(said)) is not None:
                positions[where] = turned(own)
        return replace(metadata, positions=positions, pixel_size_um=agreed_length(sizes)), problems


def _with_summary(metadata: Metadata, summary: Mapping[str, object]) -> Metadata:
    listed = summary.get("ChNames")
    names = {n: name for n, name in enumerate(listed if isinstance(listed, list) else (), 1) if isinstance(name, str)}
    interval = positive(summary.get("Interval_ms"))
    return replace(
        metadata,
        channel_names=metadata.channel_names or names,
        z_step_um=metadata.z_step_um or positive(summary.get("z-step_um")),
        time_step_s=metadata.time_step_s or (interval / 1000 if interval else None),
    )


def _images(said: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return the parts about images."""
    return [
        part for name, part in said.items() if isinstance(part, dict) and name.startswith(("Metadata-", "FrameKey-"))
    ]


def _pixel_size(said: Mapping[str, object]) -> float | None:
    stated = [positive(part.get("PixelSizeUm")) for part in _images(said)]
    return agreed_length(stated) or positive(object_of(said, "Summary").get("PixelSize_um"))


def _stage_axes(said: Mapping[str, object]) -> Callable[[StagePosition], StagePosition] | None:
    """Return a function that turns positions of the stage into the directions of the image.

    The directions follow from ``PixelSizeAffine``, which leads from pixels to the stage. None without one, or if the
    camera is rotated: then it is not known where an image lies.
    """
    for part in _images(said):
        texts = str(part.get("PixelSizeAffine", "")).split(";")
        values = [value for value in map(number, texts) if value is not None]
        if len(values) == 6 and len(texts) == 6:
            across, skew_x, _, skew_y, down, _ = values
            if abs(skew_x) <= _LEAST * abs(across) and abs(skew_y) <= _LEAST * abs(down) and across and down:
                x, y = math.copysign(1, across), math.copysign(1, down)
                return lambda position: StagePosition(position.y_um * y, position.x_um * x)
    return None


def _own_position(said: Mapping[str, object]) -> StagePosition | None:
    for part in _images(said):
        x, y = number(part.get("XPositionUm")), number(part.get("YPositionUm"))
        if x is not None and y is not None:
            return StagePosition(y, x)
    return None


def _listed_positions(summary: Mapping[str, object]) -> dict[str, StagePosition]:
    """Return the positions of the stage by label."""
    listed = summary.get("StagePositions")
    found = {}
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict):
            continue
        label, stage = entry.get("Label"), entry.get("DefaultXYStage")
        devices = entry.get("DevicePositions")
        for device in devices if isinstance(devices, list) else ():
            if isinstance(device, dict) and device.get("Device") == stage and isinstance(label, str):
                place = device.get("Position_um")
                x, y = (*map(number, place), None, None)[:2] if isinstance(place, list) else (None, None)
                if x is not None and y is not None:
                    found[label] = StagePosition(y, x)
    return found

"""Images that Sartorius' Incucyte exports: ``VID123_A1_1_2023y05m03d_12h30m.tif``, ``Green_A1_1_00d02h00m.tif``.

The parts are a text that the user chooses (by default the vessel, ``VID123``), the well, the number of the image in the
well, and the time, either that of the day or since the start. Time points are numbered in the order of their times.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from openhcs_runtime.components import Component
from openhcs_runtime.plates.base import PlateProblem, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Metadata
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.named.named_format import NamedFormat
from openhcs_runtime.plates.named.naming import NamedFiles, Naming, Value

__all__ = ["Incucyte"]

_DAY = r"(?:(?P<timepoint_1>\d{4})y(?P<timepoint_2>\d\d)m)?(?P<timepoint_3>\d{2,3})d_?(?P<timepoint_4>\d\d)h"
_CHANNEL = re.compile(r"phase|green|red|nir|blue|orange|brightfield|confluence", re.IGNORECASE)


class Incucyte(NamedFormat):
    """Exported images of an Incucyte."""

    name, title = "incucyte", "Incucyte"
    signs = MappingProxyType(
        {"_<well>_<image>": r"_[A-Z]+\d{1,2}_\d+_", "<day>d": r"\d\dd", "<hour>h<minute>m": r"\d\dh\d\dm"}
    )
    plate_word = "vessel"
    naming = Naming(
        form="<text>_<well>_<image>_<year>y<month>m<day>d_<hour>h<minute>m.tif, or _<day>d<hour>h<minute>m.tif",
        names=(
            re.compile(
                r"(?:(?P<plate>VID\d+)(?:_|(?=_)))?(?:(?P<channel>.+?)_)?(?P<well>[A-Z]{1,2}\d{1,2})_(?P<site>\d+)_"
                + _DAY
                + r"(?P<timepoint_5>\d\d)m"
            ),
        ),
    )

    def choose(self, files: NamedFiles) -> tuple[NamedFiles, list[PlateProblem]]:
        """Leave out images whose time does not exist."""
        wrong = files.of_places(lambda said: _seconds(said[3]) is None)
        names = files.names(np.flatnonzero(wrong))
        problems = [stray(f"{name} is not an image of the plate: there is no such time") for name in names]
        return files.take(~wrong) if names else files, problems

    def channel_names(self, channels: Mapping[Value, int]) -> dict[int, str]:
        """Return what differs between the texts, or the channel in a text that all images have."""
        texts = {number: value[0] for value, number in channels.items()}
        if len(texts) > 1:
            first, last = min(texts.values()), max(texts.values())
            same = next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
            start = first.rfind("_", 0, same) + 1
            return {number: text[start:] for number, text in texts.items() if text[start:]}
        found = {number: _CHANNEL.search(text) for number, text in texts.items()}
        return {number: match[0] for number, match in found.items() if match}

    def add_metadata(
        self,
        folder: Folder,
        metadata: Metadata,
        images: ImageTable,
        numbers: Mapping[Component, Mapping[Value, int]],
    ) -> tuple[Metadata, list[PlateProblem]]:
        """Add the time between time points, if it is always the same."""
        known = map(_seconds, numbers[Component.TIMEPOINT])
        times = sorted(time for time in known if time is not None)
        steps = {later - earlier for earlier, later in pairwise(times)}
        return replace(metadata, time_step_s=steps.pop() if len(steps) == 1 else None), []


def _seconds(time: Value) -> float | None:
    """Return a time in seconds from any start; None if there is no such time."""
    year, month, day, hour, minute = time
    if int(hour) > 23 or int(minute) > 59:
        return None
    clock = int(hour) * 3600 + int(minute) * 60
    if not year:
        return float(int(day) * 86400 + clock)
    try:
        return float(datetime.date(int(year), int(month), int(day)).toordinal() * 86400 + clock)
    except ValueError:
        return None

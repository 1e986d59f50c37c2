"""Images of BioTek's Gen5 (Cytation, Lionheart): ``A1_01_2_4_DAPI_001.tif``.

The parts are the well, the read step, the channel of the step, the field, the channel's name, and the time point. A
plane is marked by ``Z`` and its number from 0 after the field, a region of interest by ``ROI`` and its number after the
well. Other versions write ``A1_4Z0_DAPI_1_001_02.tif``: well, field, name, channel, time point, read step. The images
are in one folder, or in a folder per well that is named after it. Each has an XML description with the size of its
pixels (see ``openhcs_runtime.plates.tiff.metadata``).

Steps with a negative number are images that Gen5 has made of others (stitched, transformed): they are left out if there
are images of read steps.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from openhcs_runtime.components import Component
from openhcs_runtime.plates.base import PlateProblem, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Metadata
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.named.named_format import NamedFormat
from openhcs_runtime.plates.named.naming import NamedFiles, Naming, Value

__all__ = ["Gen5"]

_WELL = r"[A-Z]{1,2}\d{1,2}"
_ROI = r"(?:ROI(?P<site_1>\d+))?"
_NAME = r"(?P<channel_3>[^_]+|[^_\[]*\[.+\])"
_WAVES = re.compile(r" (\d{3}),(\d{3})\b")
_Z = r"(?:Z(?P<z_index>\d+))?"


class Gen5(NamedFormat):
    """Plates of BioTek's Gen5."""

    name, title = "biotek_gen5", "BioTek Gen5"
    signs = MappingProxyType(
        {"<well>_<step>": r"(?:^|/)[A-Z]{1,2}\d{1,2}_-?\d+_", "_<channel>_<field>": r"_\d+_\d+", "_<time>": r"_\d{3}\."}
    )
    naming = Naming(
        form="<well>_<step>_<channel>_<field>_<channel name>_<time>.tif",
        names=tuple(
            re.compile(where + parts)
            for where in (rf"(?P<well>{_WELL})", rf"(?:[^/]*[ _])?(?P<well>{_WELL})(?:[ _][^/]*)?/(?P=well)")
            for parts in (
                rf"{_ROI}_(?P<channel_1>-?\d+)_(?P<channel_2>\d+)_(?P<site_2>\d+){_Z}_{_NAME}_(?P<timepoint>-?\d{{3,}})",
                rf"{_ROI}_(?P<site_2>\d+){_Z}_{_NAME}_(?P<channel_2>\d+)_(?P<timepoint>\d{{3,}})_(?P<channel_1>-?\d*)",
            )
        ),
        folders=re.compile(r"(?:.*[ _])?[A-Z]{1,2}\d{1,2}(?:[ _].*)?"),
        from_0=frozenset({Component.Z_INDEX}),
    )

    def choose(self, files: NamedFiles) -> tuple[NamedFiles, list[PlateProblem]]:
        """Leave out images that were made of others, unless there are only such."""
        made = files.of_places(lambda said: said[1][0].startswith("-"))
        if not made.any() or made.all():
            return files, []
        names = files.names(np.flatnonzero(made))
        text = f"{len(names):,} images that Gen5 made of others, such as {min(names)}: left out"
        return files.take(~made), [stray(text, files=len(names))]

    def add_metadata(
        self,
        folder: Folder,
        metadata: Metadata,
        images: ImageTable,
        numbers: Mapping[Component, Mapping[Value, int]],
    ) -> tuple[Metadata, list[PlateProblem]]:
        """Add the wavelengths in the names of channels, such as ``GFP 469,525``."""
        waves = {number: _WAVES.search(value[-1]) for value, number in numbers[Component.CHANNEL].items()}
        known = {number: match for number, match in waves.items() if match}
        excitation = {number: float(match[1]) for number, match in known.items()}
        emission = {number: float(match[2]) for number, match in known.items()}
        return replace(metadata, excitation_nm=excitation, emission_nm=emission), []

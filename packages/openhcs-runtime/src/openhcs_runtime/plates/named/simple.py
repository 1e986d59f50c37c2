"""Formats whose file names say everything that is read: Molecular Devices' SBS names, Columbus, Leica, Nikon.

Their names, as the programs write them:

- ``Channel1-01-A-01.tif``: channel, running number, row, column; in the example sets of CellProfiler.
- ``001002-3-001001001.tif``: row and column, field, time point, plane, channel; what Operetta's Columbus exports.
- ``image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif``: Leica's Matrix Screener, in folders
  of slides, chambers (wells) and fields. U is the column and V the row of the well, X and Y those of the field; L and T
  count time points; J is the job of the microscope that made the channel C.
- ``WellA01_PointA01_0000_ChannelDAPI_Seq0000.tif``: exported from a job of Nikon's NIS-Elements; Seq counts files.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

from openhcs_runtime.components import Component
from openhcs_runtime.plates.base import PlateProblem, ProblemKind
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Metadata
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.named.named_format import NamedFormat
from openhcs_runtime.plates.named.naming import NamedFiles, Naming, Value

__all__ = ["Columbus", "MatrixScreener", "NikonJobs", "SbsNames"]


class SbsNames(NamedFormat):
    """Names of the form ``Channel1-01-A-01``."""

    name, title = "sbs_names", "Channel1-01-A-01"
    signs = MappingProxyType({"Channel<channel>": r"Channel\d", "-<row>-<column>": r"-[A-Z]{1,2}-\d\d"})
    naming = Naming(
        form="Channel<channel>-<number>-<row>-<column>.tif",
        names=(re.compile(r"Channel(?P<channel>\d+)-(?P<site>\d{2,})-(?P<row>[A-Z]{1,2})-(?P<column>\d{2})", re.I),),
    )

    def choose(self, files: NamedFiles) -> tuple[NamedFiles, list[PlateProblem]]:
        """Number the images of each well: the number in the name runs through the plate."""
        of_well: defaultdict[str, set[Value]] = defaultdict(set)
        for well, (site, *_) in files.pairs():
            of_well[well].add(site)
        sites = {
            well: {value: (str(number),) for number, value in enumerate(sorted(values, key=lambda one: int(one[0])), 1)}
            for well, values in of_well.items()
        }
        return files.with_places(lambda well, said: (sites[well][said[0]], *said[1:])), []


class Columbus(NamedFormat):
    """Names of the form ``001002-3-001001001``."""

    name, title = "columbus", "Columbus"
    signs = MappingProxyType({"<row><column>": r"(?:^|/)\d{6}-", "-<field>-": r"-\d+-", "nine digits": r"-\d{9}\."})
    naming = Naming(
        form="<row><column>-<field>-<time><plane><channel>.tif, each of three digits",
        names=(
            re.compile(
                r"(?P<row>\d{3})(?P<column>\d{3})-(?P<site>\d+)-(?P<timepoint>\d{3})(?P<z_index>\d{3})(?P<channel>\d{3})"
            ),
        ),
    )

    def add_metadata(
        self,
        folder: Folder,
        metadata: Metadata,
        images: ImageTable,
        numbers: Mapping[Component, Mapping[Value, int]],
    ) -> tuple[Metadata, list[PlateProblem]]:
        """Note that descriptions of the names differ in what the first two of the three numbers are."""
        varying = [part for part in (Component.TIMEPOINT, Component.Z_INDEX) if len(numbers[part]) > 1]
        if not varying:
            return metadata, []
        text = "of the last three numbers of the names, the first is read as the time point and the second as z"
        return metadata, [PlateProblem(ProblemKind.NOTE, f"{text}; for another order use --pattern")]


class MatrixScreener(NamedFormat):
    """Scans of Leica's Matrix Screener."""

    name, title = "leica_matrix_screener", "Leica Matrix Screener"
    signs = MappingProxyType(
        {"--U<column>--V<row>": r"--U\d+--V\d+", "--X<column>--Y<row>": r"--X\d+--Y\d+", "--C<channel>": r"--C\d"}
    )
    plate_word = "slide"
    naming = Naming(
        form="image--L<loop>--S<slide>--U<column>--V<row>--J<job>--...--Z<plane>--C<channel>.ome.tif",
        names=(
            re.compile(
                r"(?:.+/)?image--L(?P<timepoint_1>\d+)--S(?P<plate>\d+)--U(?P<column>\d+)--V(?P<row>\d+)"
                r"--J(?P<channel_1>\d+)(?:--E\d+)?(?:--O\d+)?--X(?P<site_2>\d+)--Y(?P<site_1>\d+)"
                r"(?:--T(?P<timepoint_2>\d+))?(?:--Z(?P<z_index>\d+))?--C(?P<channel_2>\d+)",
                re.IGNORECASE,
            ),
        ),
        folders=re.compile(r"(?:slide|chamber|field)--.+", re.IGNORECASE),
        depth=3,
        from_0=frozenset({Component.Z_INDEX}),
        first_row=0,
    )


class NikonJobs(NamedFormat):
    """TIFF files that were exported from a job of NIS-Elements."""

    name, title = "nikon_jobs", "Nikon JOBS"
    signs = MappingProxyType(
        {"Well<well>": r"Well[A-Z]+\d", "_Channel<channel>": r"_Channel", "_Seq<number>": r"_Seq\d"}
    )
    naming = Naming(
        form="Well<well>_Point<point>_<number>_Channel<channel>_Seq<number>.tif",
        names=(
            re.compile(
                r"(?:\d{8}_\d{6}_\d+__)?(?:Time(?P<timepoint>\d+)_)?Well(?P<well>[A-Z]{1,2}\d{1,2})"
                r"(?:_Point[^_]+_(?P<site>\d+))?(?:_Channel(?P<channel>.+?))?_Seq\d+"
            ),
        ),
        from_0=frozenset({Component.SITE, Component.TIMEPOINT}),
    )

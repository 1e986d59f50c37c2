"""MetaXpress .HTD files: the planned wells, sites, wavelengths, z steps and time points of a plate.

An HTD file is text with one entry per line, a quoted name followed by comma-separated values, from
``"HTSInfoFile", Version 1.0`` to ``"EndFile"``. It is in the code page of the computer, or in UTF-8 or UTF-16. There
is no published specification; the names are those that MetaXpress writes. The selected sites are numbered row by row,
and a wavelength with ``WaveCollect`` 0 was not taken.
"""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from openhcs_runtime.components import MAX_COLUMNS, MAX_ROWS, well_name
from openhcs_runtime.plates.format import Metadata
from openhcs_runtime.plates.planned import EqualPlans
from openhcs_runtime.plates.tiff.files import scan
from openhcs_runtime.stores.path import AnyPath

_MOST_SITES, _MOST_WAVES, _MOST_STEPS, _MOST_TIMES = 4096, 99, 9999, 99999


@dataclass(frozen=True, slots=True)
class HtdPlan:
    """The plan in an .HTD file; all numbers start at 1.

    Attributes:
        wells: The selected wells.
        sites: Number of sites in each well.
        channels: Names of the wavelengths that are taken; empty where there is none.
        z_steps: Number of planes.
        timepoints: Number of time points.
        shape: Numbers of rows and columns of the plate.
    """

    wells: tuple[str, ...]
    sites: int
    channels: dict[int, str]
    z_steps: int
    timepoints: int
    shape: tuple[int, int]

    def metadata(self, source: str) -> Metadata:
        """Return the plan as the metadata that all formats share."""
        return Metadata(
            source=source,
            planned=EqualPlans(self.wells, tuple(self._places())),
            channel_names={channel: name for channel, name in self.channels.items() if name},
            shape=self.shape,
        )

    def _places(self) -> Iterator[tuple[int, int, int, int]]:
        return product(
            range(1, self.sites + 1), self.channels, range(1, self.z_steps + 1), range(1, self.timepoints + 1)
        )


def find_htd(folder: AnyPath) -> AnyPath | None:
    """Return the plate's .HTD file: in its folder or, as for a ``TimePoint_<t>`` folder, in the one above."""
    for place in (folder, folder.parent) if folder.name.lower().startswith("timepoint_") else (folder,):
        names = sorted(entry.name for entry in scan(place) if entry.name.lower().endswith(".htd"))
        if names:
            return place / names[0]
    return None


def read_htd(path: AnyPath) -> HtdPlan:
    """Read an .HTD file.

    Raises:
        ValueError: If the file is invalid; the message says why.
        OSError: If it can't be read.
    """
    entries = _entries(_decoded(path.read_bytes()))
    sites_on, waves_on = _flag(entries, "Sites"), _flag(entries, "Waves")
    sites = _sites(entries) if sites_on else 1
    waves = _number(entries, "NWavelengths", _MOST_WAVES) if waves_on else 1
    channels = {
        wave: (entries.get(f"WaveName{wave}") or [""])[0]
        for wave in range(1, waves + 1)
        if not waves_on or (entries.get(f"WaveCollect{wave}") or ["1"])[0] != "0"
    }
    wells = _selected(entries, "WellsSelection", "YWells", "XWells", MAX_ROWS * MAX_COLUMNS)
    if not wells or not sites or not channels:
        raise ValueError("no well, site or wavelength is selected in it")
    return HtdPlan(
        wells=tuple(well_name(row, column) for row, column in wells),
        sites=sites,
        channels=channels,
        z_steps=_number(entries, "ZSteps", _MOST_STEPS) if _flag(entries, "ZSeries") else 1,
        timepoints=_number(entries, "TimePoints", _MOST_TIMES),
        shape=(_number(entries, "YWells", MAX_ROWS), _number(entries, "XWells", MAX_COLUMNS)),
    )


def _decoded(content: bytes) -> str:
    """Return the text of a file; bytes that are not Unicode are in the usual code page of Windows."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if b"\0" in content[:2]:
        return content.decode("utf-16-be" if content.startswith(b"\0") else "utf-16-le")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _sites(entries: dict[str, list[str]]) -> int:
    """Return the number of sites in a well; a grid of a single site does not need a selection."""
    grid = _number(entries, "YSites", _MOST_SITES) * _number(entries, "XSites", _MOST_SITES)
    selected = len(_selected(entries, "SiteSelection", "YSites", "XSites", _MOST_SITES))
    return selected or (1 if grid == 1 else 0)


def _entries(text: str) -> dict[str, list[str]]:
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    entries = {row[0].strip(): [value.strip() for value in row[1:]] for row in rows if row}
    if "HTSInfoFile" not in entries:
        raise ValueError('it does not start with "HTSInfoFile"')
    return entries


def _flag(entries: dict[str, list[str]], name: str) -> bool:
    return (entries.get(name) or ["FALSE"])[0].upper() == "TRUE"


def _number(entries: dict[str, list[str]], name: str, most: int) -> int:
    text = (entries.get(name) or ["1"])[0]
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ValueError(f"{name} is {text!r}, not a number from 1 to {most}")
    return int(text)


def _selected(entries: dict[str, list[str]], name: str, rows: str, columns: str, most: int) -> list[tuple[int, int]]:
    """Return row and column, from 0, of the TRUE values in the lines ``<name>1``, ``<name>2`` ..."""
    height, width = _number(entries, rows, most), _number(entries, columns, most)
    return [
        (row, column)
        for row in range(height)
        for column, value in enumerate(entries.get(f"{name}{row + 1}", [])[:width])
        if value.upper() == "TRUE"
    ]

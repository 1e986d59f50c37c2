"""Measurements of IN Cell Analyzers (GE, Cytiva, Molecular Devices), with an ``.xdce`` file.

What an image shows is in the ``.xdce`` file (see ``in_cell.xdce``), or in its name if the file does not list it (see
``in_cell.names``). Without the file, the channels are the wavelengths in the names, in the order of their numbers or of
the alphabet.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateProblem, ProblemKind, StagePosition, stray
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.heights import Heights
from openhcs_runtime.plates.in_cell.names import FORM, Name, parse_name
from openhcs_runtime.plates.in_cell.xdce import Record, Xdce, read_xdce
from openhcs_runtime.plates.tiff.files import Entry, image_of, tiff_files
from openhcs_runtime.plates.times import Times
from openhcs_runtime.stores.path import AnyPath

_File: TypeAlias = tuple[Entry, str]


class InCell(PlateFormat):
    """Measurements of IN Cell Analyzers."""

    name, title = "in_cell", "IN Cell Analyzer"

    def fits(self, folder: Folder) -> Fit:
        """Return whether a folder has an ``.xdce`` file, or images named by an IN Cell Analyzer."""
        return Fit.CERTAIN if folder.named(".xdce") or any(map(parse_name, folder.images)) else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images, and read the ``.xdce`` file."""
        problems: list[PlateProblem] = []
        source = _source(folder, problems)
        xdce = _read(folder.path / source, problems) if source else Xdce()
        found = _sort_out(_files(folder, xdce), xdce, problems)
        if not found.keyed and not found.named:
            raise PlateError(
                f"no images in {folder.path} (expected the TIFF files that the .xdce file lists, or names of the form "
                f"{FORM}.tif)"
            )
        numbers = _numbers(found, xdce)
        images = [image_of(entry, record.key) for entry, record in found.keyed]
        images += [image_of(entry, _key(name, numbers)) for entry, name in found.named]
        if xdce.records and found.named:
            _report_unlisted(found, source, problems)
        if xdce.binning > 1 and xdce.pixel_size_um:
            text = (
                f"the images are binned {xdce.binning} x {xdce.binning}, and {source} does not say whether its pixel "
                f"size of {xdce.pixel_size_um:g} um includes that: it is treated as unknown"
            )
            problems.append(PlateProblem(ProblemKind.METADATA, text))
        return Listing(images, problems, _metadata(xdce, source, numbers))


@dataclass(slots=True)
class _Found:
    """The images that the ``.xdce`` file lists, and those that are known by their names."""

    keyed: list[tuple[Entry, Record]]
    named: list[tuple[Entry, Name]]


def _source(folder: Folder, problems: list[PlateProblem]) -> str:
    """Return the name of the ``.xdce`` file; of several, the one that is named like the folder, or the first."""
    names = folder.named(".xdce")
    if len(names) < 2:
        return names[0] if names else ""
    like = [name for name in names if os.path.splitext(name)[0] == folder.path.name]
    chosen = like[0] if like else names[0]
    text = f"of {len(names)} .xdce files, only {chosen} is read"
    problems.append(PlateProblem(ProblemKind.METADATA, text))
    return chosen


def _read(path: AnyPath, problems: list[PlateProblem]) -> Xdce:
    try:
        return read_xdce(path)
    except (ValueError, OSError) as error:
        text = f"{path.name} can't be understood: {error}; only the file names are used"
        problems.append(PlateProblem(ProblemKind.METADATA, text))
        return Xdce()


def _files(folder: Folder, xdce: Xdce) -> Iterator[_File]:
    """Yield the TIFF files of the folder, and of its folders that the ``.xdce`` file names, with their paths."""
    yield from ((entry, entry.name) for entry in tiff_files(folder.path))
    listed = {path.partition("/")[0] for path in xdce.records if path.count("/") == 1}
    for name in folder.folders:
        if name in listed:
            yield from ((entry, f"{name}/{entry.name}") for entry in tiff_files(folder.path / name))


def _sort_out(files: Iterable[_File], xdce: Xdce, problems: list[PlateProblem]) -> _Found:
    found = _Found([], [])
    for entry, path in files:
        record = xdce.records.get(path)
        if record is not None:
            found.keyed.append((entry, record))
        elif name := parse_name(entry.name):
            found.named.append((entry, name))
        else:
            problems.append(stray(f"{entry.name} is not an image of the plate: its name is not of the form {FORM}"))
    return found


def _numbers(found: _Found, xdce: Xdce) -> dict[str, int]:
    """Return the channel of each wavelength in file names.

    Those of the protocol and in the names of listed images have their channels; others follow, by their numbers in the
    names or in the order of the alphabet.
    """
    numbers: dict[str, int] = {}
    for path, record in xdce.records.items():
        if name := parse_name(path.rpartition("/")[2]):
            numbers.setdefault(name.wave, record.key.channel)
    for number, wave in xdce.waves.items():
        numbers.setdefault(f"{wave.excitation} - {wave.emission}", number)
    stated: dict[str, int] = {name.wave: name.wave_number for _, name in found.named}
    for text in sorted(stated, key=lambda text: (stated[text], text)):
        if text not in numbers:
            free = max(numbers.values(), default=0) + 1
            taken = stated[text] in numbers.values() or not stated[text]
            numbers[text] = free if taken else stated[text]
    return numbers


def _key(name: Name, numbers: dict[str, int]) -> ImageKey:
    return ImageKey(name.well, name.site, numbers[name.wave], name.z_index, name.timepoint)


def _report_unlisted(found: _Found, source: str, problems: list[PlateProblem]) -> None:
    names = sorted(entry.name for entry, _ in found.named)
    what = f"{len(names):,} images, such as {names[0]}, are" if len(names) > 1 else f"{names[0]} is"
    problems.append(PlateProblem(ProblemKind.NOTE, f"{what} not listed in {source}; the name is used"))


def _metadata(xdce: Xdce, source: str, numbers: dict[str, int]) -> Metadata:
    planned: defaultdict[str, list[ImageKey]] = defaultdict(list)
    positions: dict[tuple[str, int], StagePosition] = {}
    heights, times = Heights(), Times()
    for record in xdce.records.values():
        key = record.key
        planned[key.well].append(key)
        heights.add(key, record.z_um)
        times.add(key, record.time_s)
        if record.position is not None:
            positions.setdefault((key.well, key.site), record.position)
    names = {number: wave for wave, number in numbers.items() if wave}
    names |= {number: wave.name for number, wave in xdce.waves.items() if wave.name}
    return Metadata(
        source=source,
        planned={well: tuple(keys) for well, keys in planned.items()},
        channel_names=dict(sorted(names.items())),
        excitation_nm={n: wave.excitation_nm for n, wave in xdce.waves.items() if wave.excitation_nm},
        emission_nm={n: wave.emission_nm for n, wave in xdce.waves.items() if wave.emission_nm},
        positions=positions,
        pixel_size_um=xdce.pixel_size_um if xdce.binning == 1 else None,
        z_step_um=xdce.z_step_um or heights.step(),
        time_step_s=times.step(),
        shape=xdce.shape,
    )

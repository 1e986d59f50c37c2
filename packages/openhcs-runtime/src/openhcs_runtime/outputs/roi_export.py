"""Exports results as ImageJ ROI sets, from regions of interest or else from label images."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import tifffile

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.components import well_position
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.runs import RunStatus, RunSummary, find_run
from openhcs_runtime.outputs.wells import WellRecord, part_path, read_part
from openhcs_runtime.rois.imagej import read_imagej, write_set
from openhcs_runtime.rois.labels import labels_to_rois
from openhcs_runtime.rois.shapes import Roi

_LABELS, _ROIS = "labels", "rois"


@dataclass(frozen=True, slots=True)
class RoiSource:
    """A file of a finished well that contains regions; ``name`` is its path below ``labels/`` or ``rois/``."""

    well: str
    path: Path
    name: PurePosixPath

    def read(self) -> tuple[Roi, ...]:
        """Read the regions.

        Raises:
            OutputError: the file cannot be read.
            RoiError: it is not a valid ROI file.
        """
        try:
            if self.path.suffix == ".zip":
                return read_imagej(self.path)
            return labels_to_rois(tifffile.imread(self.path))
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise OutputError(f"{self.path} can't be read: {error}") from error


def roi_sources(results: Path, wells: Collection[str] | None = None) -> list[RoiSource]:
    """Return the label and ROI files of these wells (None: all), in plate order.

    Raises:
        OutputError: the folder is not that of a run, a well is not in it, or it has neither regions nor labels.
    """
    picked = finished_parts(results, wells)
    sources = [source for part in picked for source in _sources(results, part)]
    if not sources:
        raise OutputError(f"the run in {results} has neither labels nor regions: add a step that makes some")
    return sources


def export_to_folder(sources: Sequence[RoiSource], folder: Path) -> Iterator[tuple[Path, int]]:
    """Write one ``.zip`` file for each image.

    Yields:
        The path of each file and its number of regions.

    Raises:
        OutputError: a file cannot be read or written.
    """
    for source in sources:
        path = folder / source.name.with_suffix(".zip")
        rois = source.read()
        with atomic_file(path) as file:
            write_set(file, rois)
        yield path, len(rois)


def export_to_file(sources: Sequence[RoiSource], path: Path) -> int:
    """Write one ``.zip`` file with the regions of all images, each named after its image.

    Returns:
        The number of regions.

    Raises:
        OutputError: a file cannot be read or written.
    """
    count = 0

    def named() -> Iterator[Roi]:
        nonlocal count
        for source in sources:
            image = "_".join(source.name.with_suffix("").parts)
            for number, roi in enumerate(source.read(), start=1):
                count += 1
                yield replace(roi, name=f"{image}-{roi.name or f'{roi.label or number:04d}'}")

    with atomic_file(path) as file:
        write_set(file, named())
    return count


def finished_parts(results: Path, wells: Collection[str] | None = None) -> list[WellRecord]:
    """Return the records of these wells (None: all finished ones), in plate order.

    Only wells that the run lists as its own are used; other files in the folder are ignored.

    Raises:
        OutputError: the folder is not that of a run, a well is not in it, or the record of a well is damaged.
    """
    run = find_run(results).run
    parts = {well: part for well in run.done if (part := _own_part(run, well)) is not None}
    if not parts:
        raise OutputError(f"the run in {results} has not finished any well")
    if unknown := sorted(set(wells or ()) - parts.keys()):
        known = sorted(parts, key=well_position)
        there = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        raise OutputError(f"no results of well(s) {', '.join(unknown)} in {results} (it has {there})")
    picked = [name for name in parts if wells is None or name in wells]
    return [parts[name] for name in sorted(picked, key=well_position)]


def _own_part(run: RunSummary, well: str) -> WellRecord | None:
    """Return the record of a complete well; None if an unfinished run has not yet written it as planned."""
    part = read_part(run.folder, well)
    planned = (run.planned or {}).get(well)
    if part is not None and planned in (None, part.signature):
        return part
    if run.status in (RunStatus.RUNNING, RunStatus.INTERRUPTED):
        return None
    raise OutputError(f"{part_path(run.folder, well)} does not belong to the run in {run.folder}: resume the run")


def _sources(results: Path, part: WellRecord) -> list[RoiSource]:
    files = [PurePosixPath(file.name) for file in part.files]
    for kind, suffix in ((_ROIS, ".zip"), (_LABELS, ".tif")):
        found = [name for name in files if name.parts[0] == kind and name.suffix == suffix]
        if found:
            return [RoiSource(part.well, results / name, name.relative_to(kind)) for name in found]
    return []

"""Images that bioio reads (CZI, ND2, LIF, and any other with ``--format bioio``): a folder of files, or one file.

Each scene is a site of a well. Its well is what the file's metadata say; otherwise the name of the scene (``A1-1``,
``A1/R1``, ``P2-A1``, ``A/1``), of the file (``WellA01_...``), or what a pattern says. Channels, planes and time points
come from the file.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import ImageError, PlateError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, ProblemKind, stray
from openhcs_runtime.plates.bioio.image_files import BIOIO_FILES
from openhcs_runtime.plates.bioio.reader import SUFFIXES, BioImage, is_read_by_bioio, open_image, require_bioio
from openhcs_runtime.plates.bioio.scenes import Scene, wells_by_pattern, wells_of
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.lengths import agreed_length, one_length
from openhcs_runtime.plates.pattern import NamePattern
from openhcs_runtime.plates.tiff.files import is_folder
from openhcs_runtime.plates.units import micrometre_value
from openhcs_runtime.stores.path import AnyPath

__all__ = ["Bioio"]


class Bioio(PlateFormat):
    """Files that bioio reads."""

    name, title = "bioio", "bioio (CZI, ND2, LIF)"
    files = BIOIO_FILES

    def fits(self, folder: Folder) -> Fit:
        """Return whether a folder has such files and no TIFF files."""
        found = any(map(folder.named, SUFFIXES)) and not folder.image_count
        return Fit.NAMES if found else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the scenes of all files."""
        return list_scenes(folder.path, None)


@dataclass(slots=True)
class _Found:
    """What was found in the files of a plate."""

    scenes: list[Scene] = field(default_factory=list)
    sizes: list[float | None] = field(default_factory=list)
    steps: list[float | None] = field(default_factory=list)
    intervals: list[float | None] = field(default_factory=list)
    problems: list[PlateProblem] = field(default_factory=list)


def list_scenes(path: AnyPath, pattern: NamePattern | None) -> Listing:
    """List the images in a file, or in the files of a folder.

    Raises:
        PlateError: If there are none, or bioio is not installed.
        OSError: If the folder can't be listed.
    """
    found = _Found()
    for file in _files(path):
        require_bioio(file)
        _add(found, file)
    readable = [scene for scene in found.scenes if not scene.refused]
    places, is_known = (wells_by_pattern(readable, pattern), True) if pattern else wells_of(readable)
    if not any(places):
        reasons = [problem.message for problem in found.problems]
        raise PlateError(f"no images that bioio reads in {path}{': ' if reasons else ''}{'; '.join(reasons[:3])}")
    if not is_known:
        text = "no scene or file is named after a well: all scenes are sites of A01; for other wells use --pattern"
        found.problems.append(PlateProblem(ProblemKind.NOTE, text))
    located = [(scene, place) for scene, place in zip(readable, places, strict=True) if place]
    found.problems += [
        stray(f"scene {scene.name} of {scene.path} is not in a well", files=0)
        for scene, place in zip(readable, places, strict=True)
        if not place
    ]
    names, differing = _channel_names(readable)
    found.problems += differing
    metadata = Metadata(
        channel_names=names,
        pixel_size_um=agreed_length(found.sizes),
        z_step_um=agreed_length(found.steps),
        time_step_s=agreed_length(found.intervals),
    )
    return Listing([image for scene, place in located for image in _images(scene, place)], found.problems, metadata)


def _files(path: AnyPath) -> list[str]:
    if not isinstance(path, Path):
        raise PlateError(f"{path} can't be read by bioio: copy it to a folder")
    if path.is_file():
        return [str(path)]
    with os.scandir(path) as entries:
        return sorted(entry.path for entry in entries if is_read_by_bioio(entry.name) and not is_folder(entry))


def _add(found: _Found, path: str) -> None:
    """Add the scenes of a file."""
    try:
        image = open_image(path)
        names = _names(image)
        for number, name in enumerate(names):
            image.set_scene(number)
            scene = _scene(image, path, number, name)
            found.scenes.append(scene)
            if scene.refused:
                text = f"scene {name} of {path} can't be used: {scene.refused}"
                found.problems.append(PlateProblem(ProblemKind.UNREADABLE, text))
            sizes = image.physical_pixel_sizes
            found.sizes.append(one_length(micrometre_value(sizes.X, "um"), micrometre_value(sizes.Y, "um")))
            found.steps.append(micrometre_value(sizes.Z, "um") if image.dims.Z > 1 else None)
            found.intervals.append(_interval(image) if image.dims.T > 1 else None)
    except PlateError:
        raise
    except ImageError as error:
        found.problems.append(PlateProblem(ProblemKind.UNREADABLE, str(error)))
    except Exception as error:  # noqa: BLE001  bioio's readers raise all kinds of errors
        text = f"{path} can't be read by bioio: {type(error).__name__}: {error}".splitlines()[0]
        found.problems.append(PlateProblem(ProblemKind.UNREADABLE, text))


def _names(image: BioImage) -> list[str]:
    """Return the names of scenes; of OME-TIFF files, whose scenes are called ``Image:0``, those of the images."""
    names = [str(name) for name in image.scenes]
    if any(not name.startswith("Image:") for name in names):
        return names
    try:
        said = [one.name for one in image.ome_metadata.images]
    except Exception:  # noqa: BLE001  not every reader has it
        return names
    return [other or name for name, other in zip(names, said, strict=True)] if len(said) == len(names) else names


def _scene(image: BioImage, path: str, number: int, name: str) -> Scene:
    dims = image.dims
    refused = "its pixels are colours (RGB)" if "S" in dims.order else ""
    said = image.standard_metadata if len(image.scenes) > 1 else None
    row, column = getattr(said, "row", None), getattr(said, "column", None)
    return Scene(
        path=path,
        stem=Path(path).name.partition(".")[0],
        number=number,
        name=name,
        size=(dims.T, dims.C, dims.Z),
        channels=tuple(map(_told_name, image.channel_names or ())),
        well=_well(row, column),
        refused=refused,
    )


def _told_name(name: object) -> str:
    """Return the name of a channel; empty for names that bioio makes up, such as ``Channel:0:1``."""
    text = str(name)
    return "" if text.startswith("Channel:") else text


def _well(row: object, column: object) -> str:
    """Return the well of a row (letters or a number) and a column; empty if they are none."""
    try:
        if str(row).isdecimal():
            return well_name(int(str(row)) - 1, int(str(column)) - 1)
        return well_name(*well_position(f"{row}{column}"))
    except ValueError:
        return ""


def _interval(image: BioImage) -> float | None:
    seconds = getattr(getattr(image.standard_metadata, "timelapse_interval", None), "total_seconds", None)
    return float(seconds()) if seconds and seconds() > 0 else None


def _channel_names(scenes: Sequence[Scene]) -> tuple[dict[int, str], list[PlateProblem]]:
    """Return the names that most scenes have, and a problem if some differ."""
    counts = Counter(scene.channels for scene in scenes)
    usual = counts.most_common(1)[0][0]
    names = {number: name for number, name in enumerate(usual, 1) if name}
    if len(counts) < 2:
        return names, []
    others = sum(counts.values()) - counts[usual]
    text = f"{others:,} scenes have other channels than ({', '.join(usual)}); channels are told by their number"
    return names, [PlateProblem(ProblemKind.MIXED, text)]


def _images(scene: Scene, place: tuple[str, int]) -> Iterator[ImageRef]:
    stat = os.stat(scene.path)
    times, channels, planes = scene.size
    for t in range(times):
        for c in range(channels):
            for z in range(planes):
                key = ImageKey(*place, channel=c + 1, z_index=z + 1, timepoint=t + 1)
                yield ImageRef(key, scene.path, stat.st_size, stat.st_mtime_ns, (scene.number, t, c, z))

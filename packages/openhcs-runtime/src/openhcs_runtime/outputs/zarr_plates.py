"""The images of a step as an OME-Zarr plate, ``<output>/images/<step>.ome.zarr``, with the labels made by the step.

Each well is written completely when its step is done, the metadata of the plate when the run is done.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec import structs
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.outputs.zarr_plate_maps import write_plate_maps
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.plate_map import PlateMap
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.ome_zarr.write import OmeZarrPlateWriter

Planes = Mapping[ImageKey, NDArray[Any]]
"""Planes (Y, X) of one well by image key."""


def write_zarr_well(job: PlateJob, plan: WellPlan, index: int, images: Planes, labels: Planes) -> list[Path]:
    """Write the images and labels that a step made of a well.

    Channels without images are left out; the others are numbered from 1 and keep their names. All channels of an
    OME-Zarr image have the same planes, so channels with different planes (a single plane next to stacks, for
    example) become an acquisition of their own.

    Args:
        job: the job.
        plan: plan of the well.
        index: index of the step, from 0.
        images: planes made by the step.
        labels: label planes made by the step.

    Returns:
        The files written.

    Raises:
        OutputError: a file cannot be written.
    """
    names = dict(job.channel_names)
    writer = OmeZarrPlateWriter(
        zarr_plate(job, index), (), job.pixel_size_um, z_step_um=job.z_step_um, sharded=job.sharded
    )
    with writer.well(plan.well) as well:
        for acquisition, channels in enumerate(_alike(images)):
            numbers = {channel: number for number, channel in enumerate(channels, start=1)}
            called = tuple(names.get(channel, f"channel {channel}") for channel in channels)
            for site in sorted({key.site for key in images if key.channel in numbers}):
                of_site = {key: plane for key, plane in images.items() if key.site == site and key.channel in numbers}
                own = {_numbered(key, numbers): plane for key, plane in of_site.items()}
                place = plan.positions.get(site)
                position = StagePosition(*place) if place else None
                known = _labels_of(site, labels, numbers)
                well.add_site(site, own, known, position=position, acquisition=acquisition, channels=called)
    row, column = plan.well[:-2], plan.well[-2:]
    return sorted(path for path in (writer.folder / row / column).rglob("*") if path.is_file())


def _alike(images: Planes) -> list[list[int]]:
    """Group the channels by their planes and time points."""
    planes: dict[int, set[tuple[int, int]]] = {}
    for key in images:
        planes.setdefault(key.channel, set()).add((key.z_index, key.timepoint))
    groups: dict[frozenset[tuple[int, int]], list[int]] = {}
    for channel in sorted(planes):
        groups.setdefault(frozenset(planes[channel]), []).append(channel)
    return list(groups.values())


def finish_zarr_plates(job: PlateJob, wells: Collection[str], plate_map: PlateMap | None) -> None:
    """Write the plate metadata of each step's folder for these wells, which are complete, with their plate map.

    Raises:
        OutputError: a file cannot be written.
    """
    folders = {
        zarr_plate(job, index): None
        for index, step in enumerate(job.steps)
        if step.materialize and wells and zarr_plate(job, index).exists()
    }
    for folder in folders:
        OmeZarrPlateWriter(folder, ()).finish(wells)
    write_plate_maps(Path(job.output_dir), list(folders), wells, plate_map)


def zarr_plate(job: PlateJob, index: int) -> Path:
    """Return the path of a step's plate; ``index`` is that of the step, from 0."""
    return Path(job.output_dir) / "images" / f"{job.folders[index] or 'images'}.ome.zarr"


def _labels_of(site: int, labels: Planes, numbers: Mapping[int, int]) -> dict[str, dict[ImageKey, NDArray[Any]]]:
    """Return label planes by name, one name per channel; labels of channels without an image are left out."""
    found: dict[str, dict[ImageKey, NDArray[Any]]] = {}
    for key, plane in labels.items():
        if key.site == site and key.channel in numbers:
            found.setdefault(f"objects_w{key.channel}", {})[_numbered(key, numbers)] = plane
    return found


def _numbered(key: ImageKey, numbers: Mapping[int, int]) -> ImageKey:
    return structs.replace(key, channel=numbers[key.channel])

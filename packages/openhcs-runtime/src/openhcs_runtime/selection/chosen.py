"""Chooses the wells and sites of a plate that the settings ask for, and says what is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from openhcs_runtime.components import Component
from openhcs_runtime.config import PipelineConfig
from openhcs_runtime.exceptions import PipelineError, PlateMapError
from openhcs_runtime.plate_map import PlateMap, PlateMapFile, find_plate_map, plate_map_if_any, read_plate_map
from openhcs_runtime.plates.base import Plate
from openhcs_runtime.plates.image_table import images_of_sites
from openhcs_runtime.plates.well_ranges import number_ranges, well_ranges
from openhcs_runtime.selection.names import parse_wells
from openhcs_runtime.selection.sample import sample_wells
from openhcs_runtime.stores.path import AnyPath
from zmqruntime.execution.text import plural

_NAMED_WELLS = 12


@dataclass(frozen=True, slots=True)
class ChosenWells:
    """The wells that a run processes.

    Attributes:
        plate: the plate with the images of the chosen sites.
        wells: the wells, in plate order.
        of_wells: number of wells of the plate.
        note: which wells were chosen and by what, in one line; empty if all are.
        problems: why they can't be chosen, one line each.
        warnings: what may be wrong with the plate map.
        plate_map: the plate map; None if the plate has none.
    """

    plate: Plate
    wells: tuple[str, ...]
    of_wells: int = 0
    note: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    plate_map: PlateMapFile | None = None


def choose_wells(plate: Plate, config: PipelineConfig, seed: int | None = None) -> ChosenWells:
    """Choose wells and sites of a plate as the settings say.

    Wells are chosen by name first, then by plate map, and the sample is taken from what is left.

    Args:
        plate: the plate.
        config: the settings.
        seed: seed of the sample.

    Returns:
        What was chosen; problems are in it, not raised.
    """
    reasons: list[str] = []
    warnings: tuple[str, ...] = ()
    file: PlateMapFile | None = None
    wells = tuple(plate.wells)
    try:
        if config.wells is not None:
            wells = _named(plate, config.wells)
        known = _plate_map(plate.path, config)
        if known is not None:
            file, warnings = known.file, known.problems(plate.wells)
        if config.where is not None and known is not None:
            wells = _matching(known, config.where, wells, plate.wells)
            reasons.append(f"where {config.where} in {Path(known.file.path).name}")
        if config.sample is not None:
            wells = _sampled(wells, config.sample, seed or 0)
            reasons.append(f"a sample with seed {seed or 0}")
        plate = _with_sites(plate, wells, config.sites) if config.sites is not None else plate
    except (PipelineError, PlateMapError) as error:
        problems = tuple(error.problems) if isinstance(error, PipelineError) else (str(error),)
        return ChosenWells(plate, (), len(plate.wells), problems=problems, warnings=warnings, plate_map=file)
    note = _note(plate, wells, config, reasons)
    return ChosenWells(plate, wells, len(plate.wells), note, warnings=warnings, plate_map=file)


def is_wanted(well: str, path: AnyPath, config: PipelineConfig) -> bool:
    """Return whether a single well is chosen by name and by plate map, before the plate is complete.

    Raises:
        PipelineError: the names are not valid.
        PlateMapError: the plate map can't be read.
    """
    if config.wells is not None and not any(block.has(well) for block in parse_wells(config.wells)):
        return False
    if config.where is None:
        return True
    known = _plate_map(path, config)
    return known is not None and well in known.matching(config.where)


def _named(plate: Plate, entries: Sequence[str]) -> tuple[str, ...]:
    blocks = parse_wells(entries)
    if not blocks:
        raise PipelineError("no well is chosen: name wells, or leave the choice out to use all wells")
    unknown = {well for block in blocks for well in block.named_wells()} - set(plate.wells)
    lines = [block.text for block in blocks if not block.named_wells() and not any(map(block.has, plate.wells))]
    if unknown or lines:
        named = [*([well_ranges(unknown)] if unknown else []), *lines]
        raise PipelineError(
            f"the plate has no images of {', '.join(named)}: choose from its wells, {well_ranges(plate.wells)}"
        )
    return tuple(well for well in plate.wells if any(block.has(well) for block in blocks))


def _plate_map(path: AnyPath, config: PipelineConfig) -> PlateMap | None:
    """Return the plate map; None if there is none and none is needed."""
    if config.plate_map:
        return read_plate_map(Path(config.plate_map).expanduser())
    found = plate_map_if_any(path) if config.where is None else find_plate_map(path)
    return None if found is None else read_plate_map(found)


def _matching(known: PlateMap, where: str, wells: Sequence[str], of_plate: Sequence[str]) -> tuple[str, ...]:
    """Return those of the wells chosen by name for which an expression is true."""
    matching = set(known.matching(where))
    chosen = tuple(well for well in wells if well in matching)
    if chosen:
        return chosen
    with_images = matching.intersection(of_plate)
    if with_images:
        raise PlateMapError(
            f"{where!r} is true for {well_ranges(with_images)}, but the wells chosen by name are {well_ranges(wells)}: "
            "choose other wells, or leave out one of the two choices"
        )
    if matching:
        raise PlateMapError(
            f"{where!r} is true for {well_ranges(matching)}, of which the plate has no images: choose from its wells, "
            f"{well_ranges(of_plate)}"
        )
    raise PlateMapError(f"{where!r} is true for no well of plate map {known.file.path}: change the expression")


def _sampled(wells: tuple[str, ...], number: int, seed: int) -> tuple[str, ...]:
    if number > len(wells):
        raise PipelineError(f"a sample of {number} is asked for, and there are {len(wells)} wells to choose from")
    return sample_wells(wells, number, seed)


def _with_sites(plate: Plate, wells: Sequence[str], sites: Sequence[int]) -> Plate:
    known = plate.components[Component.SITE]
    unknown = sorted(set(sites) - {int(site) for site in known})
    if unknown or not sites:
        has = number_ranges(int(site) for site in known)
        raise PipelineError(f"the plate has no site {number_ranges(unknown) or 'of no number'}: choose from {has}")
    chosen = _PlateOfSites(plate, frozenset(sites))
    without = [well for well in wells if not chosen.images[well] and well not in chosen.missing]
    if without:
        raise PipelineError(f"{well_ranges(without)} has no images of site {number_ranges(sites)}: choose other wells")
    return cast(Plate, chosen)


def _note(plate: Plate, wells: Sequence[str], config: PipelineConfig, reasons: Sequence[str]) -> str:
    if config.wells is None and config.sites is None and not reasons:
        return ""
    named = ", ".join(wells) if len(wells) <= _NAMED_WELLS else well_ranges(wells)
    sites = f", site {number_ranges(config.sites)}" if config.sites is not None else ""
    by = f"; {', '.join(reasons)}" if reasons else ""
    return f"{len(wells)} of {plural(len(plate.wells), 'well')}: {named}{sites}{by}"


class _PlateOfSites:
    """A plate with the images of some sites only; all else is that of the plate, so that signatures are the same."""

    def __init__(self, plate: Plate, sites: frozenset[int]) -> None:
        self._plate = plate
        self.images = images_of_sites(plate.images, sites)
        missing = {well: tuple(key for key in keys if key.site in sites) for well, keys in plate.missing.items()}
        self.missing = {well: keys for well, keys in missing.items() if keys}

    def __getattr__(self, name: str) -> object:
        return getattr(self._plate, name)

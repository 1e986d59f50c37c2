"""The wells and sites of scenes: from metadata, the names of scenes, or the names of files."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openhcs_runtime.components import well_name, well_position
from openhcs_runtime.plates.pattern import NamePattern

__all__ = ["Scene", "wells_by_pattern", "wells_of"]

_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
_WELL = re.compile(r"(?:Well)?((?:[A-P]|A[A-F])\d{1,2})", re.IGNORECASE)
_ROW = re.compile(r"[A-P]|A[A-F]")


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene of a file.

    Attributes:
        path: The file.
        stem: The name of the file without its ending.
        number: The number of the scene, from 0.
        name: The name of the scene.
        size: Numbers of time points, channels and planes.
        channels: Names of the channels.
        well: Its well according to the metadata; empty if unknown.
        refused: Why it can't be read.
    """

    path: str
    stem: str
    number: int
    name: str
    size: tuple[int, int, int]
    channels: tuple[str, ...] = ()
    well: str = ""
    refused: str = ""


def wells_of(scenes: Sequence[Scene]) -> tuple[list[tuple[str, int] | None], bool]:
    """Return well and site of each scene, and whether anything says which wells they are.

    Scenes of a well are its sites in their order. If nothing names any well, all scenes are sites of A01.
    """
    told = ([scene.well for scene in scenes], _named_wells([scene.name for scene in scenes]))
    wells = next(filter(any, told), None) or _named_wells([scene.stem for scene in scenes])
    return list(_with_sites(wells if any(wells) else ["A01"] * len(scenes))), any(wells)


def wells_by_pattern(scenes: Sequence[Scene], pattern: NamePattern) -> list[tuple[str, int] | None]:
    """Return well and site of each scene by a pattern for ``<file>/<scene>``, for names of scenes, or of files."""
    wells, sites = [], []
    for scene in scenes:
        texts = (f"{scene.stem}/{scene.name}",) if "/" in pattern.text else (scene.name, scene.stem)
        values = next((found for text in texts if (found := pattern.values(text)) is not None), None)
        well, site = pattern.well_of(values or {}), (values or {}).get("site", "")
        wells.append(well)
        sites.append(int(site) if site.isdecimal() else None)
    if any(site is None for site, well in zip(sites, wells, strict=True) if well):
        return list(_with_sites(wells))
    first = min((site for site in sites if site is not None), default=1)
    return [(well, (site or 0) + (first == 0)) if well else None for well, site in zip(wells, sites, strict=True)]


def _with_sites(wells: Sequence[str]) -> Iterator[tuple[str, int] | None]:
    counts: defaultdict[str, int] = defaultdict(int)
    for well in wells:
        counts[well] += 1
        yield (well, counts[well]) if well else None


def _named_wells(names: Sequence[str]) -> list[str]:
    """Return the wells in names: of the parts that look like wells, the one with the most different letters."""
    parts = [list(_parts(name)) for name in names]
    places = Counter(place for one in parts for place, _ in one)
    usual = [place for place, count in places.items() if count == max(places.values())]
    if not usual:
        return [""] * len(names)

    def letters(place: int) -> tuple[int, int, int]:
        wells = [dict(one).get(place, "") for one in parts]
        return len({well[:-2] for well in wells}), len(set(wells)), place

    best = max(usual, key=letters)
    return [dict(one).get(best, "") for one in parts]


def _parts(name: str) -> Iterator[tuple[int, str]]:
    """Yield the parts of a name that are wells, with their places: ``A1`` or, in two parts, ``A/1``."""
    texts = _SEPARATORS.split(name)
    for place, (text, after) in enumerate(zip(texts, [*texts[1:], ""], strict=True)):
        match = _WELL.fullmatch(text)
        joined = match[1] if match else text + after if _ROW.fullmatch(text) and after.isdecimal() else ""
        try:
            if joined:
                yield place, well_name(*well_position(joined))
        except ValueError:
            continue

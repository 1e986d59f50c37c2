"""Where images come from: a plate, and a run of it; viewers keep what comes from different places apart.

Producers add both to the position of an item, as full paths: two folders may have the same name, and the same well of
two plates, or of two runs of one plate, must never be in one stack.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Self

from zmqruntime.streaming import Position

__all__ = ["COMPARED", "NOWHERE", "PLATE", "RUN", "Origin", "origin_titles", "short_names", "without_origin"]

PLATE: Final = "plate"
"""Component of a position: the path or the name of the plate."""
RUN: Final = "run"
"""Component of a position: the folder of the run."""
COMPARED: Final = "compared"
"""Component of a position: which one of several plates or runs in one stack it is."""
_TOGETHER: Final = " | "


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item comes from.

    Attributes:
        plate: path or name of the plate; empty if the producer does not say it.
        run: folder of the run; empty for images that belong to no run.
    """

    plate: str = ""
    run: str = ""

    @classmethod
    def of(cls, position: Position) -> Self:
        """Return the origin in a position."""
        return cls(str(position.get(PLATE, "")), str(position.get(RUN, "")))

    @classmethod
    def of_run(cls, plate_path: str, folder: str | Path = "") -> Self:
        """Return the origin of the images of a plate, or of one run of it, however their paths are written."""
        return cls(_full(plate_path), _full(str(folder)))

    @property
    def position(self) -> Position:
        """The components of a position that name it."""
        return {name: value for name, value in ((PLATE, self.plate), (RUN, self.run)) if value}

    @classmethod
    def together(cls, origins: Iterable[Self]) -> Self:
        """Return the origin of images that are compared, which is another one than that of each of them."""
        known = tuple(origins)
        plates, runs = (
            _TOGETHER.join(dict.fromkeys(filter(None, paths)))
            for paths in ((one.plate for one in known), (one.run for one in known))
        )
        return cls(plates, runs)

    def fits(self, position: Position) -> bool:
        """Return whether a position says nothing against it; an empty run in the position means images of no run."""
        return all(position.get(name, value) == value for name, value in ((PLATE, self.plate), (RUN, self.run)))


NOWHERE: Final = Origin()
"""Of items whose producer does not say where they come from."""


def without_origin(position: Position) -> Position:
    """Return a position without plate and run."""
    return {name: value for name, value in position.items() if name not in (PLATE, RUN)}


def short_names(paths: Iterable[str]) -> Mapping[str, str]:
    """Return for each path the shortest end of it that no other of them has, such as ``p6``, or ``week2/p6``.

    What is compared is named together, such as ``p6 and plateB``.
    """
    wanted = tuple(dict.fromkeys(paths))
    singles = dict.fromkeys(one for path in wanted for one in path.split(_TOGETHER))
    parts = {one: tuple(filter(None, one.replace("\\", "/").split("/"))) for one in singles}
    names = {one: _shortest(one, parts) for one in singles}
    return {path: " and ".join(names[one] for one in path.split(_TOGETHER)) for path in wanted}


def origin_titles(origins: Iterable[Origin]) -> Mapping[Origin, str]:
    """Return a title for each origin, such as ``plate p6, run 2026-11-29_213000_nuclei``; empty for no origin.

    Of plates that are compared the runs are left out, as the plates tell them apart.
    """
    known = tuple(dict.fromkeys(origins))
    plates = short_names(one.plate for one in known)
    runs = {plate: short_names(one.run for one in known if one.plate == plate) for plate in plates}
    return {one: _title(one, plates[one.plate], runs[one.plate][one.run]) for one in known}


def _title(origin: Origin, plate: str, run: str) -> str:
    is_of_many = _TOGETHER in origin.plate
    words = f"plate {plate}" if plate else "", f"run {run}" if run and not is_of_many else ""
    return ", ".join(filter(None, words))


def _full(path: str) -> str:
    """Return the full path of a local file or folder; a URL stays as it is."""
    return os.path.realpath(path) if path and "://" not in path else path


def _shortest(path: str, parts: Mapping[str, tuple[str, ...]]) -> str:
    own = parts[path]
    for count in range(1, len(own) + 1):
        end = own[-count:]
        if sum(other[-count:] == end for other in parts.values()) == 1:
            return str(PurePosixPath(*end))
    return path

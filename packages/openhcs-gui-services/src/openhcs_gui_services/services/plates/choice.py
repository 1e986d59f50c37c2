"""Which wells of a plate to run: by name, by plate map or as a sample."""

from dataclasses import dataclass

import msgspec

from openhcs_runtime.exceptions import OpenHCSError
from openhcs_runtime.tasks import PlateTask
from zmqruntime.execution.text import plural

__all__ = ["ChosenPreview", "WellChoice", "preview_choice"]


@dataclass(frozen=True, slots=True)
class WellChoice:
    """Which wells and sites of a plate to run; see ``openhcs_runtime.selection``.

    Attributes:
        wells: wells, rectangles such as ``A01-C06``, rows such as ``B``, or columns such as ``3``; empty for all.
        where: an expression over the columns of the plate map, such as ``control == 'negative'``; empty for none.
        sample: take this many wells, spread over the plate; None for all.
        sites: the sites; empty for all.
    """

    wells: tuple[str, ...] = ()
    where: str = ""
    sample: int | None = None
    sites: tuple[int, ...] = ()

    def applied_to(self, task: PlateTask) -> PlateTask:
        """Return the task over these wells."""
        return msgspec.structs.replace(
            task, wells=self.wells or None, where=self.where or None, sample=self.sample, sites=self.sites or None
        )


@dataclass(frozen=True, slots=True)
class ChosenPreview:
    """The wells that a choice stands for; ``text`` says it in one line, or what is wrong with it."""

    wells: tuple[str, ...]
    text: str
    is_valid: bool


def preview_choice(
    path: str, choice: WellChoice, opened_as: tuple[str | None, str | None, str | None]
) -> ChosenPreview:
    """Return what a choice stands for; for a worker thread.

    Args:
        path: the folder of the plate.
        choice: the choice.
        opened_as: pattern, format and pages; see ``openhcs_runtime.plates.open_plate``.
    """
    from openhcs_runtime.config import PipelineConfig  # noqa: PLC0415 - these load image libraries
    from openhcs_runtime.plates import open_plate  # noqa: PLC0415
    from openhcs_runtime.selection import choose_wells  # noqa: PLC0415

    pattern, plate_format, pages = opened_as
    try:
        plate = open_plate(path, pattern=pattern, format=plate_format, pages=pages)
        config = PipelineConfig(
            wells=choice.wells or None, where=choice.where or None, sample=choice.sample, sites=choice.sites or None
        )
        found = choose_wells(plate, config)
    except OpenHCSError as error:
        return ChosenPreview((), str(error), False)
    if found.problems:
        return ChosenPreview((), found.problems[0], False)
    return ChosenPreview(found.wells, found.note or f"All {plural(len(found.wells), 'well')}", True)

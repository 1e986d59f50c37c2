"""Clear the progress of earlier runs when a batch begins, for the window's own plates only."""

from collections.abc import Iterable

from openhcs_gui_services.services.plates.choice import WellChoice
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.record import PlateRecord

__all__ = ["reset_progress_for_batch"]


def reset_progress_for_batch(
    book: PlateCollection, records: Iterable[PlateRecord], *, resume: bool = False, choice: WellChoice | None = None
) -> None:
    """Queue these plates at once and clear the display of their previous runs.

    Args:
        book: the plates of the window.
        records: the plates to queue; plates that are already queued are left as they are.
        resume: keep complete wells.
        choice: the wells to run [default: all].
    """
    for record in records:
        if not record.is_scheduled:
            book.change(record, record.begin_run(resume=resume, choice=choice))
    book.flush()

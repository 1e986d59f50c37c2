"""Forgets the progress of earlier runs when a batch begins: of the window's own plates, never of another's."""

from collections.abc import Iterable

from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.record import PlateRecord

__all__ = ["reset_progress_for_batch"]


def reset_progress_for_batch(book: PlateCollection, records: Iterable[PlateRecord], *, resume: bool = False) -> None:
    """Queue these plates, all at once; what was shown of their runs before goes.

    Args:
        book: The plates of the window. Plates of other windows are in other books.
        records: some of them; one that is queued already stays as it is.
        resume: keep the wells that are complete.
    """
    for record in records:
        if not record.is_scheduled:
            book.change(record, record.begin_run(resume=resume))
    book.flush()

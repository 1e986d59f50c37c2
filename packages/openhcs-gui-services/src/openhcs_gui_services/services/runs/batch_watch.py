"""Follows the plates of a window that run or wait at the same time, as one batch."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import (
    BatchChanged,
    BatchEnd,
    BatchEnded,
    BatchState,
    PlatesChanged,
    PlatesRemoved,
    WorkspaceEvent,
)
from zmqruntime.execution import AxisState

__all__ = ["BatchWatch"]


@dataclass(frozen=True, slots=True)
class _Member:
    """A plate of the batch; ``seconds`` and ``computed`` are those of its run, once that has ended."""

    record: PlateRecord
    has_ended: bool = False
    seconds: float = 0.0
    computed: int = 0


class BatchWatch:
    """Emits :class:`BatchChanged` while plates run or wait, and :class:`BatchEnded` after the last one.

    Plates that are started while others run join the batch. A check of plates is not a batch.

    Args:
        book: the plates of the window.
        clock: monotonic seconds.
    """

    def __init__(self, book: PlateCollection, clock: Callable[[], float] = time.monotonic) -> None:
        self._book = book
        self._clock = clock
        self._members: dict[str, _Member] = {}
        self._since = 0.0
        self._shown: BatchState | None = None
        book.events.subscribe(self._on_event)

    def tick(self) -> None:
        """Report the batch if it has changed; called once a second while plates are busy."""
        if self._members:
            self._show(self._state())

    def _on_event(self, event: WorkspaceEvent) -> None:
        match event:
            case PlatesChanged(rows):
                self._update(row.path for row in rows)
            case PlatesRemoved(paths):
                for path in paths:
                    self._members.pop(path, None)
            case _:
                pass

    def _update(self, paths: Iterable[str]) -> None:
        has_moved = False
        for path in paths:
            record, member = self._book.get(path), self._members.get(path)
            if record is None:
                continue
            if record.is_busy and record.is_scheduled and (member is None or member.has_ended):
                has_moved = True
                self._since = self._since if self._members else self._clock()
                self._members[path] = _Member(record)
            elif member is not None and not member.has_ended and not record.is_busy:
                has_moved = True
                seconds = record.row(is_lost=False).snapshot.elapsed_seconds or 0.0
                self._members[path] = _Member(record, True, seconds, record.wells.done - record.wells.taken_over)
        if has_moved:
            self._report()

    def _report(self) -> None:
        if any(not member.has_ended for member in self._members.values()):
            self._show(self._state())
            return
        end = self._end()
        self._members.clear()
        self._show(None)
        self._book.events.emit(BatchEnded(end))

    def _show(self, state: BatchState | None) -> None:
        if state != self._shown:
            self._shown = state
            self._book.events.emit(BatchChanged(state))

    def _state(self) -> BatchState:
        records = [member.record for member in self._members.values()]
        return BatchState(
            plates=len(records),
            plates_ended=sum(member.has_ended for member in self._members.values()),
            wells=sum(_wells_of(record) for record in records),
            wells_ended=sum(record.wells.ended for record in records),
            remaining_seconds=self._remaining(),
        )

    def _remaining(self) -> float | None:
        """Estimate from the pace of the running plates, and for waiting ones from that of all plates so far."""
        seconds = sum(member.seconds for member in self._members.values())
        computed = float(sum(member.computed for member in self._members.values()))
        left, waiting = 0.0, 0
        for member in self._members.values():
            snapshot = member.record.row(is_lost=False).snapshot
            if member.has_ended:
                continue
            if snapshot.state is not PlateStatus.RUNNING:
                waiting += _wells_of(member.record)
                continue
            if snapshot.remaining_seconds is None:
                return None
            left += snapshot.remaining_seconds
            seconds += snapshot.elapsed_seconds or 0.0
            computed += snapshot.total_wells * snapshot.percent / 100 - snapshot.taken_over
        if waiting and computed <= 0:
            return None
        return left + (waiting * seconds / computed if waiting else 0.0)

    def _end(self) -> BatchEnd:
        records = [member.record for member in self._members.values()]
        names = _names(records)
        failed = {name: record.wells.names_with(AxisState.FAILED) for name, record in zip(names, records, strict=True)}
        return BatchEnd(
            plates=tuple(names),
            wells_done=sum(record.wells.done for record in records),
            failed={name: wells for name, wells in failed.items() if wells},
            unfinished=tuple(
                name for name, record in zip(names, records, strict=True) if record.state is not PlateStatus.COMPLETE
            ),
            seconds=self._clock() - self._since,
            stopped=tuple(
                name for name, record in zip(names, records, strict=True) if record.state is PlateStatus.CANCELLED
            ),
        )


def _wells_of(record: PlateRecord) -> int:
    return len(record.wells) or record.well_count or 0


def _names(records: list[PlateRecord]) -> list[str]:
    """The names of plates; where two have the same, their paths."""
    names = [record.name for record in records]
    return [record.path if names.count(record.name) > 1 else record.name for record in records]

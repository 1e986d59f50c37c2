"""Decoders that tolerate events that violate the schema: those are reported, all others are delivered."""

import functools
from collections.abc import Callable

from zmqruntime.codec import Decoder
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.callbacks import CallbackThread
from zmqruntime.execution.events.event_batches import PackedBatch, numbers_of
from zmqruntime.execution.exceptions import InvalidProgressError
from zmqruntime.execution.progress.rules import check_progress
from zmqruntime.messages import Event, EventBatch, EventBatches, EventsResponse, Message, ProgressUpdate, ResponseType
from zmqruntime.vocabulary import MessageTypes, union_of

__all__ = ["InvalidEvents", "TolerantDecoder"]

OnInvalid = Callable[[InvalidProgressError], None]


class _PackedEvents(Message, frozen=True, kw_only=True, tag=ResponseType.EVENTS.value):
    """An ``EventsResponse`` whose events are still encoded."""

    execution_id: str
    batches: list[PackedBatch]
    upto: int


class _PackedMany(Message, frozen=True, kw_only=True, tag="event_batches"):
    """An ``EventBatches`` whose events are still encoded."""

    batches: list[PackedBatch]


class InvalidEvents:
    """Counts events that violate the schema, and reports them to ``on_error`` in ``thread``."""

    def __init__(self, thread: CallbackThread, on_error: OnInvalid) -> None:
        self.count = 0
        self._thread = thread
        self._on_error = on_error

    def note(self, error: InvalidProgressError) -> None:
        """Count an invalid event, and report it unless reports are already piling up."""
        self.count += 1
        if self._thread.has_room():
            self._thread.put([functools.partial(self._on_error, error)])

    def sift(self, events: list[Event]) -> list[Event]:
        """Return the events without inconsistent progress updates."""
        valid: list[Event] = []
        for event in events:
            try:
                if isinstance(event, ProgressUpdate):
                    check_progress(event)
            except InvalidProgressError as error:
                self.note(error)
            else:
                valid.append(event)
        return valid


class TolerantDecoder(Decoder[Message]):
    """Decodes replies or published messages; ``on_invalid`` is called for each event that was dropped."""

    def __init__(self, types: MessageTypes, on_invalid: OnInvalid) -> None:
        super().__init__(union_of(types))
        self._on_invalid = on_invalid

    def __call__(self, data: bytes | memoryview) -> Message:
        """Decode a message, dropping events that violate the schema.

        Raises:
            MessageError: ``data`` is not a message, regardless of its events.
        """
        try:
            return super().__call__(data)
        except MessageError as error:
            try:
                packed = _decode_packed(data)
            except MessageError:
                raise error from None
            if isinstance(packed, PackedBatch):
                return _salvaged(packed, self._on_invalid)
            batches = [_salvaged(batch, self._on_invalid) for batch in packed.batches]
            if isinstance(packed, _PackedMany):
                return EventBatches(batches=batches)
            return EventsResponse(execution_id=packed.execution_id, batches=batches, upto=packed.upto)


def _salvaged(packed: PackedBatch, on_invalid: OnInvalid) -> EventBatch:
    events: list[Event] = []
    numbers: list[int] = []
    for number, raw in zip(numbers_of(packed), packed.events, strict=True):
        try:
            events.append(_decode_event(raw))
            numbers.append(number)
        except MessageError as error:
            on_invalid(InvalidProgressError(f"an event of execution {packed.execution_id}: {error}"))
    return EventBatch(
        execution_id=packed.execution_id, after=packed.after, upto=packed.upto, events=events, numbers=numbers
    )


_decode_packed: Decoder[PackedBatch | _PackedMany | _PackedEvents] = Decoder(PackedBatch | _PackedMany | _PackedEvents)
_decode_event: Decoder[Event] = Decoder(Event)

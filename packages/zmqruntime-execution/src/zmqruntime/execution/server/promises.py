"""Which replies of a turn promise what the end of the turn has yet to write to disk."""

from collections.abc import Callable

from zmqruntime.messages import CancelRequest, Message, QueueRequest

__all__ = ["Promises"]

_IN_EFFECT_AT_ONCE = (CancelRequest, QueueRequest)
"""What takes effect without the disk, can be repeated, and is written as soon as the disk can be written again."""


class Promises:
    """Finds them by what they have done, not by their types: any other request that added a durable write is one.

    Args:
        made: Returns how many durable writes were added so far.
    """

    def __init__(self, made: Callable[[], int]) -> None:
        self._made = made
        self._places: set[int] = set()

    def handle(self, request: Message, place: int, answer: Callable[[Message], Message]) -> Message:
        """Return the answer to a request, whose reply has this place in its turn, and note whether it is a promise."""
        before = self._made()
        reply = answer(request)
        if self._made() != before and not isinstance(request, _IN_EFFECT_AT_ONCE):
            self._places.add(place)
        return reply

    def take(self) -> list[int]:
        """Return the places of the promises, which are kept or refused now."""
        places, self._places = self._places, set()
        return sorted(places)

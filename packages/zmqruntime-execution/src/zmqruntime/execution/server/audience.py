"""Who follows which executions, so that the events of many reach a client that follows all of them in one message."""

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from zmqruntime.execution.events.event_batches import pack_many
from zmqruntime.messages import MANY_TOPICS

__all__ = ["Audience"]

_MOST_BYTES = 900_000  # below a million, above which a decoder scans a message first


class Audience:
    """Publishes the batches of a commit by the topics that have subscribers; on the thread of the server's loop.

    Args:
        publish: Sends a message to the subscribers of a topic.
    """

    def __init__(self, publish: Callable[[bytes, bytes], None]) -> None:
        self._publish = publish
        self._many = _Beginnings()
        self._alone = _Beginnings()

    def note(self, topic: bytes, is_subscribed: bool) -> None:
        """Note that a topic has a subscriber, or has none any more."""
        known, begin = (self._many, len(MANY_TOPICS)) if topic.startswith(MANY_TOPICS) else (self._alone, 0)
        known.note(topic[begin:], is_subscribed)

    def tell(self, batches: Iterable[tuple[str, bytes]]) -> None:
        """Publish encoded batches, each given with the id of its execution; those nobody follows are left out."""
        groups: dict[bytes, _Group] = {}
        for execution_id, batch in batches:
            topic = execution_id.encode()
            together = self._many.longest_of(topic)
            if together is not None:
                group = groups.setdefault(together, _Group())
                if group.size + len(batch) > _MOST_BYTES:
                    self._send(together, group)
                group.add(batch)
            if self._alone.has_any(topic, but_not=self._many):
                self._publish(topic, batch)
        for together, group in groups.items():
            self._send(together, group)

    def _send(self, beginning: bytes, group: "_Group") -> None:
        batches, group.batches, group.size = group.batches, [], 0
        if batches:
            self._publish(MANY_TOPICS + beginning, pack_many(batches))


class _Group:
    """Batches that are published together."""

    def __init__(self) -> None:
        self.batches: list[msgspec.Raw] = []
        self.size = 0

    def add(self, batch: bytes) -> None:
        self.batches.append(msgspec.Raw(batch))
        self.size += len(batch)


class _Beginnings:
    """A set of beginnings of topics, found without looking at each."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._lengths: Counter[int] = Counter()

    def __contains__(self, beginning: bytes) -> bool:
        return beginning in self._known

    def note(self, beginning: bytes, is_subscribed: bool) -> None:
        if is_subscribed is (beginning in self._known):
            return
        if is_subscribed:
            self._known.add(beginning)
            self._lengths[len(beginning)] += 1
            return
        self._known.remove(beginning)
        self._lengths[len(beginning)] -= 1
        if not self._lengths[len(beginning)]:
            del self._lengths[len(beginning)]

    def longest_of(self, topic: bytes) -> bytes | None:
        """The longest of those that ``topic`` begins with; None if there is none."""
        found = [topic[:length] for length in self._lengths if topic[:length] in self._known]
        return max(found, key=len, default=None)

    def has_any(self, topic: bytes, but_not: "_Beginnings") -> bool:
        """Whether ``topic`` begins with one of them that is not also in ``but_not``."""
        beginnings = (topic[:length] for length in self._lengths)
        return any(each in self._known and each not in but_not for each in beginnings)

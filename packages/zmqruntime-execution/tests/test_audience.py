"""Events of many executions in one message: who follows all of them, who follows one, and who follows none."""

from collections.abc import Callable

from zmqruntime.codec import Decoder, encode
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.audience import Audience
from zmqruntime.messages import MANY_TOPICS, EventBatch, EventBatches

decode: Decoder[EventBatch | EventBatches] = Decoder(EventBatch | EventBatches)


class Told:
    """What was published."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, list[str]]] = []
        self.audience = Audience(self.publish)

    def publish(self, topic: bytes, data: bytes) -> None:
        message = decode(data)
        batches = message.batches if isinstance(message, EventBatches) else [message]
        self.messages.append((topic, [batch.execution_id for batch in batches]))

    def tell(self, *ids: str, size: int = 0) -> list[tuple[bytes, list[str]]]:
        self.messages.clear()
        self.audience.tell([(each, batch_of(each, size)) for each in ids])
        return self.messages


def batch_of(execution_id: str, size: int = 0) -> bytes:
    padding = [] if not size else list(range(size))
    return encode(EventBatch(execution_id=execution_id, after=0, upto=1, events=[], numbers=padding))


def test_what_nobody_follows_is_not_published() -> None:
    assert Told().tell("aa1", "aa2", "bb1") == []


def test_who_follows_many_gets_one_message_and_who_follows_one_gets_that() -> None:
    told = Told()
    told.audience.note(MANY_TOPICS + b"aa", True)
    told.audience.note(b"aa", True)  # the same client, for servers of earlier releases
    told.audience.note(b"bb1", True)
    assert told.tell("aa1", "bb1", "aa2", "cc1") == [(b"bb1", ["bb1"]), (b"many:aa", ["aa1", "aa2"])]
    told.audience.note(b"aa2", True)
    assert told.tell("aa1", "aa2") == [(b"aa2", ["aa2"]), (b"many:aa", ["aa1", "aa2"])]
    told.audience.note(b"", True)
    assert told.tell("cc1") == [(b"cc1", ["cc1"])]


def test_an_earlier_client_gets_each_batch_by_itself() -> None:
    told = Told()
    told.audience.note(b"aa", True)
    assert told.tell("aa1", "aa2") == [(b"aa1", ["aa1"]), (b"aa2", ["aa2"])]


def test_who_has_left_is_forgotten() -> None:
    told = Told()
    for _ in range(2):  # a topic is reported for each subscriber, and once when the last one is gone
        told.audience.note(MANY_TOPICS + b"aa", True)
        told.audience.note(b"bb", True)
    told.audience.note(MANY_TOPICS + b"aa", False)
    told.audience.note(b"bb", False)
    told.audience.note(b"never", False)
    assert told.tell("aa1", "bb1") == []


def test_a_message_of_many_stays_small() -> None:
    told = Told()
    told.audience.note(MANY_TOPICS + b"aa", True)
    size = 300_000  # of the encoded batch, about 900 KB
    assert [ids for _, ids in told.tell("aa1", "aa2", "aa3", size=size)] == [["aa1"], ["aa2"], ["aa3"]]


def test_the_ends_of_a_batch_reach_its_client_and_a_follower_of_one(
    make_client: Callable[..., ExecutionClient],
) -> None:
    client = make_client()
    requests = [client.request_for(None) for _ in range(20)]
    with ExecutionClient(client.port, config=client.config) as other:
        ids = client.submit_batch(requests)
        with other.opened(ids[7], 0) as events:
            assert len({client.wait(each).execution_id for each in ids}) == len(ids)
            numbers = [event.number for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert client.poll_status(ids[7]).event_count == len(numbers)

"""Damaged frames against a real server: it answers as before. FUZZ_FRAMES sets how many."""

import os
import random

import pytest
import zmq

from zmqruntime import PongResponse, ZMQClient, ZMQServer, get_zmq_transport_url
from zmqruntime.codec import Decoder, encode
from zmqruntime.messages import (
    BatchRequest,
    CancelRequest,
    EventsRequest,
    ExecuteRequest,
    HistoryRequest,
    PingRequest,
    QueueAction,
    QueueRequest,
    Response,
    StatusRequest,
)

FRAMES = int(os.environ.get("FUZZ_FRAMES", "20000"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.randrange(1, 2**31)
IN_FLIGHT = 200

EXECUTE = ExecuteRequest(submission_id="0123456789", payload={"a": [1, 2.5, "x", None, b"y"]}, plate_id="/plate")
SOUND = [
    encode(message)
    for message in (
        PingRequest(),
        EXECUTE,
        BatchRequest(requests=[EXECUTE]),
        StatusRequest(execution_id="0123456789"),
        CancelRequest(execution_id="0123456789", grace_seconds=0.5),
        EventsRequest(execution_id="0123456789", after=3),
        QueueRequest(action=QueueAction.MOVE, execution_id="0123456789", position=2),
        HistoryRequest(limit=10),
    )
]


def damaged(rng: random.Random) -> list[bytes]:
    """One to three frames made of a sound message by a few random cuts, changes and insertions."""
    data = bytearray(rng.choice(SOUND))
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                del data[place : place + rng.randrange(1, 8)]
            case 1:
                data[place:place] = rng.randbytes(rng.randrange(1, 8))
            case 2:
                data[place : place + 1] = rng.randbytes(1)
            case _:
                data += data[place:]
        data = data[:4096]
        if not data:
            return [b""]
    return [bytes(data)] * rng.choice([1, 1, 1, 2, 3])


@pytest.mark.timeout(60 + FRAMES / 1000)
def test_damaged_requests_get_an_answer_each_and_change_nothing() -> None:
    print(f"FUZZ_SEED={SEED}")
    rng = random.Random(SEED)
    decode: Decoder[Response] = Decoder(Response)
    with ZMQServer(7730) as server, zmq.Context() as context, context.socket(zmq.DEALER) as sock:
        sock.linger = 0
        sock.rcvtimeo = 10_000
        sock.connect(get_zmq_transport_url(server.control_port))
        for _ in range(0, FRAMES, IN_FLIGHT):
            for number in range(IN_FLIGHT):
                frames = [number.to_bytes(2), b"", *damaged(rng)]
                sock.send_multipart(frames)
            for number in range(IN_FLIGHT):
                key, empty, reply = sock.recv_multipart()
                assert (key, empty) == (number.to_bytes(2), b"")
                decode(reply)
        with ZMQClient(7730) as client:
            assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id

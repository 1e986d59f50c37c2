"""The calls of the documents that this package goes back to, each as it is written there."""

import json
import threading

import pytest

from zmqruntime import (
    ControlMessageType,
    ExecuteRequest,
    ExecutionSnapshot,
    ExecutionStatus,
    GlobalAckListener,
    GlobalQueueTrackerRegistry,
    MessageFields,
    ProgressUpdate,
    QueueTracker,
    ResponseType,
    TransportMode,
    ZMQClient,
    ZMQConfig,
    ZMQServer,
    get_ipc_socket_path,
    get_zmq_transport_url,
)
from zmqruntime.compat import Reply

EXAMPLE = {
    "type": "progress",
    "execution_id": "...",
    "plate_id": "/data/plate_01",
    "axis_id": "B06",
    "step_name": "SegmentNuclei",
    "step_index": 2,
    "total_steps": 7,
    "phase": "pattern_group",
    "status": "running",
    "completed": 14,
    "total": 50,
    "percent": 28.0,
    "timestamp": 1700000000.0,
}


def test_the_public_names_are_there() -> None:
    assert TransportMode.TCP.value == "tcp"
    assert ZMQConfig().control_port_offset == 1000
    assert ControlMessageType.EXECUTE.value == "execute"
    assert ResponseType.PONG.value == "pong"
    assert ExecutionStatus.COMPLETE.value == "complete"
    assert get_zmq_transport_url(7777, host="localhost", mode=TransportMode.TCP) == "tcp://127.0.0.1:7777"
    assert get_ipc_socket_path(7777) is not None
    assert all((MessageFields, ZMQServer, ZMQClient, QueueTracker))


def test_the_example_of_progress_without_a_sequence_is_one() -> None:
    update = ProgressUpdate.from_dict(EXAMPLE)
    assert update.sequence == 0
    fields = {name: value for name, value in EXAMPLE.items() if name != "type"}
    assert ProgressUpdate(**fields)["step_name"] == "SegmentNuclei"  # type: ignore[arg-type]


def test_a_progress_message_answers_to_its_earlier_names() -> None:
    message = ProgressUpdate.from_dict(EXAMPLE)
    assert message.get("well_id", "unknown") == "B06"
    assert message.get("step", "unknown") == "SegmentNuclei"
    assert message.get("status", "unknown") == "running"
    assert message.get("plate_path") == "/data/plate_01"
    assert message["well_id"] == "B06"
    assert message["type"] == message.get("type") == "progress"
    assert "well_id" in message
    assert "nothing" not in message
    assert message.get("nothing", 5) == 5
    with pytest.raises(KeyError):
        message["nothing"]


def test_messages_and_snapshots_are_mappings() -> None:
    snapshot = ExecutionSnapshot(
        execution_id="e", plate_id="p", status=ExecutionStatus.COMPLETE, submitted_at=1.0, result={"n": 1}
    )
    for message in (snapshot, ExecuteRequest(submission_id="12345678")):
        assert dict(message) == dict(message.items())
        assert list(message) == list(message.keys())
        assert len(message) == len(list(message.values()))
        assert all(name in message for name in message)
        assert json.dumps(dict(message))
    assert snapshot["status"] == "complete"
    assert "type" not in snapshot
    assert json.loads(json.dumps(Reply(snapshot)))["result"] == {"n": 1}
    assert Reply(snapshot).status is ExecutionStatus.COMPLETE
    with pytest.raises(AttributeError):
        Reply(snapshot).nothing  # noqa: B018


def test_the_global_objects_are_singletons() -> None:
    assert GlobalAckListener() is GlobalAckListener()
    assert GlobalQueueTrackerRegistry() is GlobalQueueTrackerRegistry()
    made: list[GlobalAckListener] = []
    threads = [threading.Thread(target=lambda: made.append(GlobalAckListener())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(each) for each in made} == {id(GlobalAckListener())}
    acks: list[object] = []
    GlobalAckListener().register_callback(acks.append)
    GlobalAckListener().start(7555)
    try:
        assert GlobalAckListener().port == 7555
    finally:
        GlobalAckListener().stop()
        GlobalAckListener().unregister_callback(acks.append)

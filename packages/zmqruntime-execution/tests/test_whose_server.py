"""Whose server is it: a client that names a class meets that class, with the code that it has now, or is told."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime import (
    ErrorCode,
    ExecuteRequest,
    OutdatedServerError,
    QueueAction,
    RequestRefusedError,
    WrongServerError,
    ZMQConfig,
    ZMQServer,
)
from zmqruntime.execution import ExecutionClient, ExecutionServer
from zmqruntime.server_code import default_port_of, target_of

MakeClient = Callable[..., ExecutionClient]
PORT = 7640

MODULE = """
from zmqruntime.execution import ExecutionServer
class Zoom(ExecutionServer):
    def execute_task(self, execution_id, request):
        if request.payload == "wait":
            import threading; threading.Event().wait()
        return {answer!r}
class Other(ExecutionServer):
    def execute_task(self, execution_id, request):
        return "other"
class Derived(Zoom):
    pass
"""


class Ends:
    """Clients that are disconnected, and whose servers are ended."""

    def __init__(self) -> None:
        self.made: list[ExecutionClient] = []

    def client(self, server: str, port: int | None = PORT, persistent: bool = True) -> ExecutionClient:
        """Not connected yet."""
        client = ExecutionClient(port, server=server, persistent=persistent)
        self.made.append(client)
        return client


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    for client in made.made:
        if client.state.value == "connected":
            client.shutdown_server()
        client.disconnect()


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file with server classes."""
    file = tmp_path / "zooming.py"
    file.write_text(MODULE.format(answer="v1"))
    return file


def test_a_server_of_another_class_is_named_together_with_the_one_that_is_wanted(ends: Ends, module: Path) -> None:
    first = ends.client(f"{module}:Zoom")
    first.connect()
    second = ends.client(f"{module}:Other")
    with pytest.raises(
        WrongServerError, match=r"is of class Zoom \(.*zooming.py\), but this client expects Other .*port="
    ):
        second.connect()
    assert second.state.value == "new"
    assert first.wait(first.submit(1), 60).result == "v1"


def test_equal_names_in_two_folders_are_two_classes(ends: Ends, module: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "zooming.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(module.read_text())
    ends.client(f"{module}:Zoom").connect()
    with pytest.raises(WrongServerError, match=r"tmp.*zooming\.py.*elsewhere/zooming\.py"):
        ends.client(f"{elsewhere}:Zoom").connect()


def test_a_client_of_a_base_class_takes_a_server_of_one_that_derives_from_it(ends: Ends, module: Path) -> None:
    ends.client(f"{module}:Derived").connect()
    client = ends.client(f"{module}:Zoom")
    client.connect()
    assert client.wait(client.submit(1), 60).result == "v1"


@pytest.mark.parametrize("named", ["pack:Zoom", "pack.front:Zoom", "pack.inner:Zoom"])
def test_a_class_may_be_named_by_a_module_that_only_imports_it(
    ends: Ends, module: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = module.parent / "pack"
    package.mkdir()
    (package / "inner.py").write_text(module.read_text())
    for name in ("__init__", "front"):
        (package / f"{name}.py").write_text("from pack.inner import Zoom\n")
    monkeypatch.syspath_prepend(module.parent)
    for known in [name for name in sys.modules if name.partition(".")[0] == "pack"]:
        monkeypatch.delitem(sys.modules, known)
    for _ in range(2):
        client = ends.client(named)
        client.connect()
        assert client.wait(client.submit(1), 60).result == "v1"


def test_an_idle_server_of_edited_code_is_started_again(ends: Ends, module: Path) -> None:
    before = ends.client(f"{module}:Zoom")
    before.connect()
    assert before.wait(before.submit(1), 60).result == "v1"
    module.write_text(MODULE.format(answer="v2"))
    after = ends.client(f"{module}:Zoom")
    after.connect()
    assert after.wait(after.submit(1), 60).result == "v2"
    assert before.wait(before.submit(1), 60).result == "v2"


def test_a_server_of_edited_code_that_is_at_work_takes_no_more_and_can_be_watched(ends: Ends, module: Path) -> None:
    before = ends.client(f"{module}:Zoom")
    before.connect()
    running = before.submit("wait")
    module.write_text(MODULE.format(answer="v2"))
    after = ends.client(f"{module}:Zoom")
    after.connect()
    with pytest.raises(OutdatedServerError, match=r"as it was before its code changed.*stop --port 7640"):
        after.submit(1)
    assert after.poll_status(running).ended_at is None
    after.cancel(running, grace_seconds=0)
    after.wait(running, 60)
    after.connect()
    assert after.wait(after.submit(1), 60).result == "v2"


def test_a_server_that_nobody_started_for_clients_is_not_replaced(ends: Ends, module: Path) -> None:
    code = f"from zooming import Zoom; Zoom({PORT}).serve_forever(lambda: print('up', flush=True))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=module.parent) as process:
        assert process.stdout is not None
        process.stdout.readline()
        client = ends.client(f"{module}:Zoom")
        client.connect()
        assert client.wait(client.submit(1), 60).result == "v1"
        module.write_text(MODULE.format(answer="v2"))
        client.connect()
        with pytest.raises(OutdatedServerError):
            client.submit(1)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_successor_of_another_class_ends_a_wait_with_both_names(ends: Ends, module: Path) -> None:
    first = ends.client(f"{module}:Zoom")
    first.connect()
    running = first.submit("wait")
    waiting = threading.Thread(target=lambda: told.append(_error_of(lambda: first.wait(running))))
    told: list[Exception] = []
    waiting.start()
    first.change_queue(QueueAction.PAUSE)  # by then the wait has begun
    with ExecutionClient(PORT) as other:
        other.shutdown_server()
    ends.client(f"{module}:Other").connect()
    waiting.join(60)
    assert isinstance(told[0], WrongServerError), told
    assert "is of class Other" in str(told[0])


def _error_of(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    raise AssertionError("no error")


def test_each_class_has_a_default_port_of_its_own_and_applications_have_theirs(module: Path) -> None:
    shared, own = ZMQConfig(), ZMQConfig(app_name="lab")
    ports = {default_port_of(f"tasks:Server{number}", shared) for number in range(200)}
    assert len(ports) > 190
    assert all(20_000 <= port < 31_000 and port // 1000 % 2 == 0 for port in ports)
    assert default_port_of("tasks:Server", own) == default_port_of(None, shared) == 7777
    assert default_port_of("tasks:Server", ZMQConfig(default_port=9000)) == 9000
    client = ExecutionClient(server=BareServer)
    assert client.port == BareServer().port == default_port_of(target_of(BareServer), shared)
    assert ExecutionClient().port == ZMQServer().port == 7777


def test_two_programs_that_name_no_port_do_not_meet(ends: Ends, module: Path) -> None:
    zoom, other = ends.client(f"{module}:Zoom", None), ends.client(f"{module}:Other", None)
    for client, result in ((zoom, "v1"), (other, "other")):
        client.connect()
        assert client.wait(client.submit(1), 60).result == result


class BareServer(ExecutionServer):
    """Never started."""

    def execute_task(self, execution_id: str, request: ExecuteRequest) -> None:
        raise NotImplementedError


def test_an_id_that_is_used_again_for_something_else_is_refused(client: ExecutionClient) -> None:
    def send(payload: object, priority: int = 0, times: int = 1) -> list[str]:
        request = ExecuteRequest(submission_id="my-own-id-1", payload=payload, priority=priority)
        return client.submit_batch([request] * times)

    nan = {"do": "nothing", "value": float("nan")}
    assert send(nan) == ["my-own-id-1"]
    assert send(nan, times=2) == ["my-own-id-1"] * 2
    client.wait("my-own-id-1", 30)
    for payload, priority in (({"do": "nothing", "value": 4}, 0), (nan, 1)):
        with pytest.raises(RequestRefusedError, match=r"my-own-id-1 was already used") as caught:
            send(payload, priority)
        assert caught.value.code is ErrorCode.CONFLICT
    mixed = [ExecuteRequest(submission_id="my-own-id-2", payload={"do": "nothing", "value": n}) for n in range(2)]
    with pytest.raises(RequestRefusedError, match="my-own-id-2"):
        client.submit_batch(mixed)
    with pytest.raises(RequestRefusedError, match="no execution"):
        client.poll_status("my-own-id-2")


def test_what_was_accepted_is_not_refused_when_it_is_sent_again(client: ExecutionClient) -> None:
    """Its reply may have been lost; a refusal would make its sender submit it a second time."""
    client.change_queue(QueueAction.PAUSE)
    request = client.request_for({"do": "nothing"})
    client.submit_batch([request])
    client.change_queue(QueueAction.DRAIN)
    assert client.submit_batch([request]) == [request.submission_id]
    with pytest.raises(RequestRefusedError, match="draining"):
        client.submit({"do": "nothing"})

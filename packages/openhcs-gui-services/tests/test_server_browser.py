"""The server browser without a window: real servers, what they run, how they are ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import PIPE

import msgspec
import pytest

from openhcs_gui_services.exceptions import NotOurServerError
from openhcs_gui_services.services.servers.browser import ServerBrowser, find_addresses
from openhcs_gui_services.services.servers.nodes import BrowserSnapshot, Reach, ServerAddress, ServerKind, ServerNode
from openhcs_gui_services.services.servers.processes import ProcessMeter, kill_server
from openhcs_gui_services.services.servers.rows import RowKind, memory_text, server_rows
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.testing import Gate
from zmqruntime.identity import ProcessIdentity
from zmqruntime.messages import ExecutionStatus, PongResponse

PORT = 7901
HERE = ServerAddress(PORT)
SECONDS = 60.0

pytestmark = pytest.mark.usefixtures("isolated_home", "no_leaks")


def run(work: Callable[[ServerBrowser], Awaitable[None]], **options: object) -> None:
    """Let ``work`` use a browser that is closed afterwards."""

    async def whole() -> None:
        browser = ServerBrowser(interval=0.05, **options)  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(SECONDS):
                await work(browser)
        finally:
            await browser.close()
            await browser.close()

    asyncio.run(whole())


async def until(browser: ServerBrowser, is_so: Callable[[ServerNode], bool]) -> ServerNode:
    """Look until the server on ``PORT`` is so."""
    while True:
        await browser.poll()
        node = browser.node(HERE)
        if node is not None and is_so(node):
            return node


def test_without_servers_there_is_nothing() -> None:
    async def work(browser: ServerBrowser) -> None:
        assert (await browser.poll()).servers == ()

    assert find_addresses() == ()
    run(work)


def pids(node: ServerNode) -> set[int | None]:
    return {worker.figures.pid for worker in node.workers}


def test_a_run_is_shown_down_to_its_wells_and_queue(small_plate: Path, gate: Gate, tmp_path: Path) -> None:
    async def work(browser: ServerBrowser) -> None:
        node = await until(browser, lambda node: bool(node.executions and node.executions[0].wells))
        await asyncio.to_thread(gate.wait_for_well)
        assert node.reach is Reach.RUNNING
        assert node.kind is ServerKind.EXECUTIONS
        assert (node.running, node.queued) == (1, 1)
        first, second = node.executions
        assert (first.execution_id, first.status) == (running, ExecutionStatus.RUNNING)
        assert (second.execution_id, second.queue_position) == (queued, 0)
        assert {well.axis_id for well in first.wells} <= {"A01", "A02", "A03"}
        assert first.wells[0].total_steps == 1
        node = await until(browser, lambda node: {well.worker for well in node.executions[0].wells} <= pids(node))
        assert node.figures is not None
        assert node.pong is not None
        assert node.figures.pid == node.pong.pid == client.server.pid
        assert node.figures.memory_bytes > 1_000_000
        assert 0 <= node.figures.uptime_seconds < 10 * SECONDS
        rows = server_rows(browser.snapshot)
        assert [row.kind for row in rows[0].children] == [RowKind.EXECUTION, RowKind.EXECUTION, RowKind.WORKERS]
        assert rows[0].cells[1] == "1 running, 1 queued"
        worker = rows[0].children[0].children[0]
        assert (worker.kind, worker.cells[0].split()[:2]) == (RowKind.WORKER, ["Well", "worker"])
        assert worker.children[0].cells[0].startswith("Well A0")
        assert rows[0].children[1].cells[1] == "Waiting (next)"
        gate.open()
        node = await until(browser, lambda node: not node.executions)
        assert server_rows(browser.snapshot)[0].cells[1] == "Idle"

    with ZMQExecutionClient(PORT, persistent=False) as client:
        copy = [client.plate_task(small_plate, gate.pipeline) for _ in range(2)]
        tasks = [msgspec.structs.replace(task, output_dir=str(tmp_path / f"out{n}")) for n, task in enumerate(copy)]
        running, queued = [client.submit_task(task).execution_id for task in tasks]
        run(work)


def test_a_server_that_is_asked_to_ends_and_stays_in_the_list_as_ended() -> None:
    async def work(browser: ServerBrowser) -> None:
        await until(browser, lambda node: node.can_quit)
        assert "7901" in await browser.log_tail(HERE) or await browser.log_tail(HERE) == ""
        await browser.quit(HERE)
        await browser.poll()
        assert browser.node(HERE) is None  # it has taken its socket file with it

    with ZMQExecutionClient(PORT, persistent=False):
        run(work)


def test_a_stopped_server_does_not_answer_and_can_be_killed() -> None:
    async def work(browser: ServerBrowser) -> None:
        node = await until(browser, lambda node: node.reach is Reach.RUNNING)
        assert node.pong is not None
        os.kill(node.pong.pid, signal.SIGSTOP)
        try:
            node = await until(browser, lambda node: node.reach is Reach.SILENT)
            assert node.can_kill
            assert not node.can_quit
            assert server_rows(browser.snapshot)[0].cells[1] == "Not responding"
        finally:
            await browser.force_kill(HERE)
        assert node.pong is not None
        assert not ProcessIdentity(node.pong.pid, node.pong.process_start).is_running()
        await until(browser, lambda node: node.reach is Reach.ENDED)
        assert not browser.snapshot.servers[0].can_kill

    with ZMQExecutionClient(PORT, persistent=False):
        run(work)
    for path in (Path.home() / ".openhcs" / "ipc").glob("*.sock"):
        path.unlink()  # a killed server leaves them to the next one, which replaces them


def test_a_process_that_is_not_the_server_is_left_alone() -> None:
    pong = PongResponse(
        instance_id="x",
        pid=os.getpid(),
        process_start=1.0,
        server="S",
        version="0",
        app_name="openhcs",
        port=PORT,
    )
    with pytest.raises(NotOurServerError, match="left alone"):
        kill_server(pong)


def test_a_process_is_what_it_has_become_and_not_what_it_was_at_first_sight() -> None:
    """A server's workers are forked, and so look like their parent until they are what they are to be."""
    own = ProcessIdentity.current()
    pong = PongResponse(
        instance_id="x", pid=own.pid, process_start=own.start, server="S", version="0", app_name="openhcs", port=PORT
    )
    then = "print('there', flush=True); input()  # multiprocessing spawn"
    code = f"import os, sys; input(); os.execv(sys.executable, [sys.executable, '-c', {then!r}.replace('g s', 'g.s')])"
    meter = ProcessMeter()
    with subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        figures, workers = meter.look(pong)
        assert figures is not None
        assert figures.pid == own.pid
        assert f"Process {process.pid}" in [worker.title for worker in workers]
        print("go on", file=process.stdin, flush=True)
        assert process.stdout.readline() == "there\n"
        assert f"Well worker {process.pid}" in [worker.title for worker in meter.look(pong)[1]]
        process.communicate("end")
    assert meter.look(msgspec.structs.replace(pong, process_start=1.0)) == (None, ())


def test_what_is_not_known_is_not_killed() -> None:
    async def work(browser: ServerBrowser) -> None:
        await browser.poll()
        with pytest.raises(NotOurServerError, match="not known"):
            await browser.force_kill(HERE)

    run(work)


def test_an_address_without_a_server_is_not_reachable() -> None:
    async def work(browser: ServerBrowser) -> None:
        snapshot = await browser.poll()
        assert [(node.reach, node.can_kill) for node in snapshot.servers] == [(Reach.UNREACHABLE, False)]

    run(work, addresses=[ServerAddress(7902, host="127.0.0.1")])


def test_two_polls_are_one_look_and_a_stale_look_is_dropped() -> None:
    looks: list[int] = []
    shown: list[BrowserSnapshot] = []

    meanwhile: list[Callable[[], object]] = []

    def find() -> list[ServerAddress]:
        looks.append(1)
        for call in meanwhile:
            call()
        meanwhile.clear()
        return []

    async def work(browser: ServerBrowser) -> None:
        await asyncio.gather(browser.poll(), browser.poll())
        assert len(looks) == len(shown) == 1
        loop, elsewhere = asyncio.get_running_loop(), [ServerAddress(7903, host="127.0.0.1")]
        meanwhile.append(lambda: loop.call_soon_threadsafe(browser.set_addresses, elsewhere))
        assert (await browser.poll()).servers == ()
        assert len(looks) == 2
        assert len(shown) == 1
        assert len((await browser.poll()).servers) == 1

    run(work, find=find, on_change=shown.append)


def test_memory_in_words() -> None:
    assert [memory_text(size) for size in (512_000_000, 1_400_000_000)] == ["512 MB", "1.4 GB"]

"""Viewers as processes: started, found again, checked, stopped, and what is said when that fails."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from zmqruntime import PortInUseError, ServerStartError, TransportMode
from zmqruntime.streaming import VisualizerProcessManager

VIEWER = """
import os
from zmqruntime.streaming import StreamingVisualizerServer

class SmallViewer(StreamingVisualizerServer):
    viewer_type = os.environ.get("KIND", "small")

    def display_image(self, image_data, metadata):
        pass
"""


class ScriptManager(VisualizerProcessManager):
    """Runs a command that the test chose."""

    command: tuple[str, ...] = ()

    def get_launch_command(self) -> list[str]:
        return list(self.command)


class SmallManager(VisualizerProcessManager):
    """Runs the small viewer."""

    script = Path()

    def get_launch_command(self) -> list[str]:
        return self.server_command(f"{self.script}:SmallViewer")

    def get_launch_env(self) -> Mapping[str, str]:
        return {**super().get_launch_env(), "KIND": "another"}


@pytest.fixture
def manager(tmp_path: Path) -> SmallManager:
    manager = SmallManager(5555)
    manager.script = tmp_path / "small_viewer.py"
    manager.script.write_text(VIEWER, encoding="utf-8")
    return manager


def test_a_viewer_is_started_once_found_and_stopped(manager: SmallManager) -> None:
    assert manager.health() is None
    first = manager.start()
    assert first.server == "SmallViewer"
    other = SmallManager(5555)
    assert other.start() == first, "found, not started"
    other.close()
    assert manager.is_running
    manager.stop()
    assert not manager.is_running
    manager.stop()
    assert manager.start().instance_id != first.instance_id
    manager.stop()


def test_a_viewer_that_is_not_persistent_ends_with_its_manager(manager: SmallManager) -> None:
    manager.persistent = False
    with manager:
        assert manager.is_running
    assert not manager.is_running


def test_another_manager_may_stop_it(manager: SmallManager) -> None:
    manager.start()
    SmallManager(5555).stop()
    assert not manager.is_running
    manager.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals like these")
def test_a_viewer_that_is_killed_while_it_is_asked_is_replaced(manager: SmallManager) -> None:
    hung = manager.start()
    os.kill(hung.pid, signal.SIGSTOP)  # it listens, and does not answer, as one does that is about to go
    killing = threading.Timer(0.3, os.kill, (hung.pid, signal.SIGKILL))
    killing.start()
    try:
        assert manager.start(60).pid != hung.pid
    finally:
        killing.join()
        manager.stop()


def test_the_log_is_shown_when_a_viewer_fails() -> None:
    manager = ScriptManager(5555)
    manager.command = (sys.executable, "-c", "raise SystemExit('no display found')")
    with pytest.raises(ServerStartError, match="exit code 1") as caught:
        manager.start()
    assert caught.value.log_tail == "no display found"
    assert manager.log_tail() == "no display found"


def test_a_viewer_that_stays_silent_is_ended_at_the_deadline() -> None:
    manager = ScriptManager(5555)
    manager.command = (sys.executable, "-c", "import threading; threading.Event().wait()")
    with pytest.raises(ServerStartError, match=r"did not reply within 0\.5 s"):
        manager.start(timeout=0.5)


def test_a_program_that_is_not_there_is_named() -> None:
    manager = ScriptManager(5555)
    manager.command = ("no-such-viewer",)
    with pytest.raises(ServerStartError, match="no-such-viewer"):
        manager.start()


def test_a_port_of_another_program_is_left_alone(free_port: int) -> None:
    manager = ScriptManager(free_port, transport_mode=TransportMode.TCP)
    manager.command = (sys.executable, "-c", "")
    with socket.create_server(("127.0.0.1", free_port + 1000)), pytest.raises(PortInUseError, match="does not reply"):
        manager.start(timeout=0.5)

"""The window of the soak: openhcs-gui in a process of its own, whose buttons are pressed from here."""

import enum
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

__all__ = ["Press", "Shown", "SoakWindow", "WindowError"]

PROGRAM = Path(__file__).with_name("soak_window_process.py")
ANSWER_SECONDS = 90.0
END_SECONDS = 15.0


class Press(enum.StrEnum):
    """A line to the window: what a person does, and when the window answers."""

    RUN = "run"
    """Answered once the run has begun, as `RESUME` is."""
    RESUME = "resume"
    STOP = "stop"
    KILL = "kill"
    """After `STOP`, as the button becomes that."""
    LOOK = "look"
    """Nothing is pressed: answered once the plate is at rest."""


class Shown(msgspec.Struct, frozen=True):
    """A line from the window: what it shows.

    execution_id: of the latest run of its plate; None before the first.
    state: of its plate, a word of `PlateStatus`.
    output: the folder with the results of its plate.
    changes: how often the row of its plate was shown anew, in all.
    others: how many executions of others its pane of servers has shown, in all.
    """

    execution_id: str | None
    state: str
    output: str | None
    changes: int
    others: int


class WindowError(Exception):
    """The window does not answer."""


class SoakWindow:
    """Opens the window and waits until it can be used.

    Args:
        home: where its log goes.
        port: of the server.
        plate: the folder of the plate that it has.
        view: the viewer of its runs, as `GlobalConfig.view`.
        workers: wells at the same time in its runs.

    Raises WindowError.
    """

    def __init__(self, home: Path, port: int, plate: Path, view: str, workers: int) -> None:
        self._log = home / "window.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(port), str(plate), view, str(workers)],
                env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._reading = ThreadPoolExecutor(1, "window")
        self.shown = self.press(Press.LOOK)

    def press(self, press: Press) -> Shown:
        """Press a button and wait for the answer. Raises WindowError."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(f"{press}\n".encode())
            stdin.flush()
            line = self._reading.submit(stdout.readline).result(ANSWER_SECONDS)
        except TimeoutError as error:
            self.process.kill()  # the answer would be taken for that to the next press
            raise WindowError(f"the window has not answered to {press} in {ANSWER_SECONDS:.0f} s") from error
        except OSError:
            line = b""
        if not line:
            raise WindowError(f"the window has ended: {self.log_tail()}")
        self.shown = msgspec.json.decode(line, type=Shown)
        return self.shown

    def close(self) -> str:
        """Close it as a person does; what is wrong with how it ended, if anything."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return f"the window has not closed {END_SECONDS:.0f} s after it was told to"
        finally:
            self._reading.shutdown()
        log = self.log_tail()
        return (
            f"the window has ended with exit code {self.process.returncode}: {log}" if self.process.returncode else ""
        )

    def log_tail(self) -> str:
        """The end of what it has complained about."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

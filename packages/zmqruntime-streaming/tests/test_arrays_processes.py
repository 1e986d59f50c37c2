"""``send`` and ``receive`` in programs of their own: their ends, Ctrl-C, kills, and keys between machines."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from zmqruntime.streaming import Sender, receive
from zmqruntime.streaming.__main__ import main

PORT = 5580 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # without IPC, ports are shared by all tests
SEND = "import numpy as np; from zmqruntime.streaming import *\n"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="there are no signals like these")


@contextlib.contextmanager
def program(code: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run Python code, or a module if there are arguments."""
    command = [sys.executable, "-W", "error", *(("-m", code, *arguments) if arguments else ("-c", SEND + code))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def end_of(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_script_that_sends_ends_when_everything_was_taken() -> None:
    code = f"for number in range(30): send(np.full((300, 300), number), {PORT}, name='script', number=number)"
    with receive(PORT, timeout=30) as receiver, program(code) as process:
        got = [receiver.get() for _ in range(30)]
        assert end_of(process) == (0, "", "")
        assert [meta["number"] for _, meta in got] == list(range(30))
        assert {meta.sender for _, meta in got} == {"script"}
        assert int(got[29][0].max()) == 29  # still there though its sender has ended


def test_a_script_without_a_receiver_says_what_to_do() -> None:
    lost = f"sender = Sender({PORT}, timeout=0.1); sender.send(np.zeros(3))"
    with program(f"send(np.zeros(3), {PORT}, latest=True); {lost}; send(np.zeros(3), {PORT}, timeout=0.1)") as process:
        status, _, err = end_of(process)
    assert status == 1
    assert f"no receiver was found on port {PORT} within 0.1 s; start one, for example with receive({PORT})" in err
    assert (
        f"at the end of the program: 1 of 1 arrays were not confirmed by a receiver on port {PORT} within 0.1 s" in err
    )


@posix_only
@pytest.mark.parametrize(
    ("opened", "wait"), [("receive", "next(it)"), ("Sender", "it.wait_connected()")], ids=["receive", "send"]
)
def test_ctrl_c_ends_a_wait(opened: str, wait: str) -> None:
    code = f"it = {opened}({PORT}); print('go', flush=True)\ntry: {wait}\nexcept KeyboardInterrupt: print('end')"
    with program(code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        process.send_signal(signal.SIGINT)
        _, out, err = end_of(process)
    assert (out, err) in (("end\n", ""), ("", err))  # it may have come between the print and the try
    assert "ResourceWarning" not in err


def test_a_script_that_flushes_fails_if_something_was_not_confirmed() -> None:
    code = f"send(np.zeros(3), {PORT}, timeout=30); flush(0.1)"
    with receive(PORT, timeout=30) as receiver, program(code) as process:  # it is there, but takes nothing
        while process.poll() is None and "1 of 1" not in (line := process.stderr.readline() if process.stderr else ""):
            pass
        assert f"StreamTimeoutError: 1 of 1 arrays were not confirmed by a receiver on port {PORT}" in line
        receiver.take()  # it may still be delivered: the rest of the program's end waits for it
        assert end_of(process)[0] == 1


@posix_only
def test_ctrl_c_at_the_end_of_a_script_says_what_was_not_confirmed() -> None:
    code = (
        "class Telling(Sender):\n    def flush(self, timeout=None): print('go', flush=True); super().flush(timeout)\n"
        f"Telling({PORT}, timeout=60).send(np.zeros(3))"
    )
    with program(code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        process.send_signal(signal.SIGINT)
        _, _, err = end_of(process)
    assert err == (
        f"interrupted at the end of the program: 1 of 1 arrays were not confirmed by a receiver on port {PORT}\n"
    )


@posix_only
def test_what_a_killed_receiver_did_not_take_goes_to_the_next() -> None:
    code = f"receiver = receive({PORT}); print(*(receiver.get()[1]['number'] for _ in range(5)), flush=True); input()"
    with Sender(PORT, timeout=30) as sender:
        for number in range(30):
            sender.send(np.full((300, 300), number), number=number)
        with program(code) as process:
            assert process.stdout is not None
            taken = [int(text) for text in process.stdout.readline().split()]
            process.kill()
        with receive(PORT, timeout=30) as receiver:
            first = receiver.get()[1]["number"]
            rest = [first, *(receiver.get()[1]["number"] for _ in range(29 - first))]
    assert taken == [0, 1, 2, 3, 4]
    assert first <= 5  # some acknowledgements may not have been sent when it was killed
    assert rest == list(range(first, 30))


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine there only")
def test_keys_are_exchanged_by_command_between_machines(
    isolated_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    free_port: int,
) -> None:
    def on(machine: Path, *arguments: str) -> str:
        """Run the command with the home folder of one of two machines."""
        monkeypatch.setenv("HOME", str(machine))
        assert main(arguments) == 0
        return capsys.readouterr().out

    host, sends, receives = "127.0.0.2", tmp_path, isolated_home
    keys = {line.split()[0]: line.split()[1] for line in on(receives, "keys", "show").splitlines()[:1]}
    keys |= {line.split()[0]: line.split()[1] for line in on(sends, "keys", "show").splitlines()[1:2]}
    on(sends, "keys", "trust", host, keys["Receiver"])
    assert "Admitted senders:\n  microscope" in on(receives, "keys", "admit", "microscope", keys["Sender"]) + on(
        receives, "keys", "show"
    )
    with receive(free_port, host=host, timeout=30) as receiver:
        monkeypatch.setenv("HOME", str(sends))
        with Sender(free_port, host=host, timeout=30) as sender:
            sender.send(np.arange(10**6), exposure=0.1)
            array, meta = receiver.get()
    np.testing.assert_array_equal(array, np.arange(10**6))
    assert meta == {"exposure": 0.1}
    on(receives, "keys", "forget", "microscope")
    assert main(["keys", "forget", "microscope"]) == 1
    assert "there is no key named microscope" in capsys.readouterr().err


def test_a_connection_can_be_tried_by_command(capsys: pytest.CaptureFixture[str]) -> None:
    watch = ("watch", str(PORT), "--seconds", "2")
    with program("zmqruntime.streaming", *watch) as process:
        assert main(["camera", str(PORT), "--side", "64", "--fps", "200", "--frames", "20"]) == 0
        assert "20 images sent" in capsys.readouterr().out
        code, out, err = end_of(process)
    assert (code, err) == (0, "")
    assert f"receiving on port {PORT}" in out
    assert "64 x 64 uint16" in out

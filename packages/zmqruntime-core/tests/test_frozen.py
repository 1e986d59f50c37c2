"""Programs that are frozen into an executable, here a shell script that runs a program which believes that it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zmqruntime import ConfigurationError, freeze_support
from zmqruntime.frozen import module_command, module_environment

PROGRAM = """
import sys
sys.frozen, sys.executable = True, {program!r}

from zmqruntime import Message, Vocabulary, ZMQClient, ZMQServer, freeze_support


class Add(Message, frozen=True, tag="add"):
    a: int


class Adder(ZMQServer):
    vocabulary = Vocabulary(requests=(Add,), replies=(Add,))

    def handle_request(self, request):
        return Add(request.a + 1) if isinstance(request, Add) else super().handle_request(request)


if __name__ == "__main__":
    if "careless" not in sys.argv:
        freeze_support()
    print("a window opens")
    with ZMQClient(7812, server=Adder, persistent=False) as client:
        print(client.request(Add(1), Add).a, client.server.code.environment)
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a shell script stands for the executable")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An executable that behaves like a program made by PyInstaller."""
    path, script = tmp_path / "program", tmp_path / "main.py"
    script.write_text(PROGRAM.format(program=str(path)), encoding="utf-8")
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "{script}" "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    return path


def run(program: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_a_frozen_program_starts_itself_as_its_server_and_opens_no_second_window(program: Path) -> None:
    done = run(program)
    assert done.stdout.splitlines() == ["a window opens", f"2 {program.resolve()}"], done.stderr


def test_one_that_does_not_expect_that_is_stopped_with_what_to_do(program: Path) -> None:
    done = run(program, "careless")
    assert done.stdout == "a window opens\n"
    assert "call zmqruntime.freeze_support() first in its" in done.stderr


def test_each_process_of_a_frozen_program_unpacks_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module_command("json.tool") == [sys.executable, "-P", "-m", "json.tool"]
    assert (module_environment(), module_environment({"A": "1"})) == (None, {"A": "1"})
    freeze_support()  # does nothing
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(ConfigurationError, match="is a frozen program"):
        module_command("json.tool")
    assert module_environment({"A": "1"}) == {"A": "1", "PYINSTALLER_RESET_ENVIRONMENT": "1"}
    environment = module_environment()
    assert environment is not None
    assert environment.items() >= os.environ.items()

"""The command that strangers type first."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import system_libraries
from children import run

TOOLS = Path(__file__).resolve().parents[1]
# A parent that runs a child through children.run; the child says its pid and waits for whatever ends it.
CHILD = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
PARENT = f"""
import sys
from children import end_on_signals, run
end_on_signals()
run([sys.executable, '-c', {CHILD!r}])
"""


def test_the_help_teaches_both_commands(tmp_path: Path) -> None:
    command = [sys.executable, str(TOOLS / "start.py"), "--help"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "python3 tools/start.py demo" in shown
    assert "python3 tools/start.py tests" in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("by_terminal", [True, False])
def test_no_program_is_left_behind(by_terminal: bool) -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(
        command, cwd=TOOLS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if by_terminal:
            os.killpg(parent.pid, signal.SIGINT)  # Ctrl-C reaches both
        else:
            parent.terminate()
        assert parent.wait(30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing tells the descendants elsewhere")
def test_what_hangs_is_shown_and_ended(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hanging = "import faulthandler, signal; faulthandler.enable(); print('ready', flush=True); signal.pause()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hanging!r}]); signal.pause()"
    with pytest.raises(subprocess.TimeoutExpired):
        run([sys.executable, "-c", f"import signal; {outer}"], limit_seconds=10)
    assert 'File "<string>", line 1 in <module>' in capfd.readouterr().err


def test_libraries_that_are_missing_are_named_by_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(system_libraries, "LIBRARIES", {"libno-such-thing.so.9": "libno-such-thing9"})
    monkeypatch.setattr(system_libraries, "FONT_FOLDERS", (TOOLS / "no-fonts-here",))
    assert system_libraries.missing_packages() == ["libno-such-thing9", "fonts-dejavu-core"]


def test_who_may_not_install_is_told_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("os.geteuid", lambda: 1000, raising=False)
    assert not system_libraries.install(["libegl1"])
    assert "sudo apt-get install -y --no-install-recommends libegl1" in capsys.readouterr().out

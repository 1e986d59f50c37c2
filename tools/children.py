"""Run a program attached to this terminal and leave none behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 15.0


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    limit_seconds: float | None = None,
) -> int:
    """Run ``command``; its exit code.

    On Ctrl-C, which the program gets from the terminal too, it may end by itself; then it is asked, then killed.
    Whatever else ends the wait (a SIGTERM turned into an exception, say) asks it at once.

    Raises:
        subprocess.TimeoutExpired: it ran longer than the limit. All that descends from it was aborted, so that pytest
            says where each of its processes was.
    """
    with subprocess.Popen(command, env=env, cwd=cwd) as process:
        try:
            return process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            for pid in [*_descendants(process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGABRT)
            _end(process)
            raise
        except KeyboardInterrupt:
            if not _ended(process):
                _end(process)
            raise
        except BaseException:
            _end(process)
            raise


@contextlib.contextmanager
def aside(
    command: Sequence[str], output: Path, *, env: Mapping[str, str], cwd: str | os.PathLike[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` meanwhile, with all that it prints in a file; it ends with the block at the latest."""
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=env, cwd=cwd) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                _end(process)


def end_on_signals() -> None:
    """From now on SIGTERM ends this process as ``sys.exit`` does, so that :func:`run` can end what it runs.

    And SIGINT interrupts it and all that it runs, also where a shell has started it in the background and let it ignore
    that: tests that press Ctrl-C would wait in vain.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        process.terminate()
    else:
        process.send_signal(signal.SIGINT)
    if not _ended(process):
        process.kill()


def _descendants(pid: int) -> Iterator[int]:
    """Children, theirs, and so on, as Linux tells them; none elsewhere."""
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, listing.read_text(encoding="ascii").split()):
                yield child
                yield from _descendants(child)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        return False
    return True

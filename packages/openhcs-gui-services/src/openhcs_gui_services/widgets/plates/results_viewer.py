"""Shows the results of a plate in a viewer, by the command line in a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

__all__ = ["show_results"]

_END_SECONDS = 5.0


async def show_results(output: str, axis_id: str, viewer: str, say: Callable[[str, bool], None]) -> None:
    """Open what a run has left, of one well or (empty) of all, in ``viewer`` (``napari``, ``fiji``, ``HOST:PORT``).

    ``say`` is called with a line and whether it is an error. Cancelled, it ends the process that sends the pictures;
    the viewer stays.
    """
    say(f"Opening {axis_id or 'the results'} in {viewer}", False)
    command = [sys.executable, "-m", "openhcs_runtime.cli", "view", output, "--view", viewer]
    if axis_id:
        command += ["--wells", axis_id]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        told, wrong = await process.communicate()
    except asyncio.CancelledError:
        await _end(process)
        raise
    lines = (wrong if process.returncode else told).decode(errors="replace").strip().splitlines()
    say(lines[-1] if lines else f"{viewer} ended with code {process.returncode}", bool(process.returncode))


async def _end(process: asyncio.subprocess.Process) -> None:
    """As Ctrl-C does, so that it takes its shared memory with it."""
    if os.name == "posix":
        process.send_signal(signal.SIGINT)
    else:
        process.terminate()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

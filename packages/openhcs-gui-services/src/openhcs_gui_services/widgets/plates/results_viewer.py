"""Showing the results of a plate in a viewer, by running the command line in a separate process."""

import asyncio
import sys
from collections.abc import Callable

from openhcs_gui_services.services.child import end_child

__all__ = ["show_results"]


async def show_results(output: str, axis_id: str, viewer: str, say: Callable[[str, bool], None]) -> None:
    """Open the results of a run in a viewer.

    When cancelled, it ends the process that sends the images; the viewer stays open.

    Args:
        output: the folder of the run.
        axis_id: the well to show; empty for all.
        viewer: ``napari``, ``fiji`` or ``HOST:PORT``.
        say: called with a message and whether it is an error.
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
        await end_child(process)
        raise
    lines = (wrong if process.returncode else told).decode(errors="replace").strip().splitlines()
    say(lines[-1] if lines else f"{viewer} ended with code {process.returncode}", bool(process.returncode))

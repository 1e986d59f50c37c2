"""Writes the report of a run in a separate process, so that a window stays responsive and stays light."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from openhcs_gui_services.exceptions import ReportFailedError
from openhcs_gui_services.services.child import end_child
from openhcs_runtime.report.lines import ReportLine
from zmqruntime.frozen import module_command

__all__ = ["report_path", "write_report"]


def report_path(results: Path) -> Path:
    """Return where the report of a run is written: next to the folder of the run, which stays as it is."""
    return results.parent / f"{results.name}_report.html"


async def write_report(results: Path, target: Path, on_progress: Callable[[str], None]) -> ReportLine:
    """Write the report of a run. When cancelled, it ends the process; no half file is left.

    Args:
        results: the folder of the run.
        target: the file to write.
        on_progress: called with what is done next, in words.

    Returns:
        The file, and what the report does not show.

    Raises:
        ReportFailedError: there is no report; the message says why.
        OSError: the process can't be started.
    """
    process = await asyncio.create_subprocess_exec(
        *(*module_command("openhcs_runtime.report"), str(results), str(target)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    told = asyncio.ensure_future(process.stderr.read())
    try:
        last = await _last_line(process, on_progress)
        wrong = (await told).decode(errors="replace").strip()
        await process.wait()
    except asyncio.CancelledError:
        told.cancel()
        await end_child(process)
        raise
    if last is None:
        reason = wrong.splitlines()[-1] if wrong else f"its process ended with code {process.returncode}"
        raise ReportFailedError(reason)
    if last.error:
        raise ReportFailedError(last.error)
    return last


async def _last_line(process: asyncio.subprocess.Process, on_progress: Callable[[str], None]) -> ReportLine | None:
    """Report the progress; return the line that ends it, None if there is none."""
    assert process.stdout is not None
    async for text in process.stdout:
        try:
            line = msgspec.json.decode(text, type=ReportLine)
        except msgspec.DecodeError:  # printed by a library
            continue
        if not line.doing:
            return line
        on_progress(line.doing)
    return None

"""Ends a process that a window has started."""

import asyncio
import os
import signal

__all__ = ["end_child"]

_END_SECONDS = 5.0


async def end_child(process: asyncio.subprocess.Process) -> None:
    """Interrupt the process as Ctrl-C does, so that it removes what it has begun; kill it if that takes too long."""
    if process.returncode is not None:
        return
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

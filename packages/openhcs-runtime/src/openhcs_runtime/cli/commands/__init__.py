"""What the commands do. Each is loaded when it is used, so that help and version answer at once."""

import importlib
from typing import TYPE_CHECKING

from openhcs_runtime.cli.interrupts import uninterrupted

if TYPE_CHECKING:
    from openhcs_runtime.cli.commands.executions import cancel, show_status
    from openhcs_runtime.cli.commands.export_roi import export_roi
    from openhcs_runtime.cli.commands.following import show_history, show_logs, watch
    from openhcs_runtime.cli.commands.heatmap import draw_plate
    from openhcs_runtime.cli.commands.info import show_plate
    from openhcs_runtime.cli.commands.omero import OmeroInstance, omero_start, omero_status, omero_stop
    from openhcs_runtime.cli.commands.plates import make_plate
    from openhcs_runtime.cli.commands.run import (
        ResultFolders,
        RunOptions,
        compile_run,
        repeat_run,
        resume_run,
        run_compiled,
        run_plate,
    )
    from openhcs_runtime.cli.commands.runs import list_results
    from openhcs_runtime.cli.commands.servers import serve, stop
    from openhcs_runtime.cli.commands.tui import view_plate
    from openhcs_runtime.cli.commands.view import view_results
    from openhcs_runtime.cli.connection import Endpoint

_HOMES = {
    "OmeroInstance": "openhcs_runtime.cli.commands.omero",
    "Endpoint": "openhcs_runtime.cli.connection",
    "ResultFolders": "openhcs_runtime.cli.commands.run",
    "RunOptions": "openhcs_runtime.cli.commands.run",
    "cancel": "openhcs_runtime.cli.commands.executions",
    "draw_plate": "openhcs_runtime.cli.commands.heatmap",
    "export_roi": "openhcs_runtime.cli.commands.export_roi",
    "list_results": "openhcs_runtime.cli.commands.runs",
    "make_plate": "openhcs_runtime.cli.commands.plates",
    "omero_start": "openhcs_runtime.cli.commands.omero",
    "omero_status": "openhcs_runtime.cli.commands.omero",
    "omero_stop": "openhcs_runtime.cli.commands.omero",
    "compile_run": "openhcs_runtime.cli.commands.run",
    "repeat_run": "openhcs_runtime.cli.commands.run",
    "resume_run": "openhcs_runtime.cli.commands.run",
    "run_compiled": "openhcs_runtime.cli.commands.run",
    "run_plate": "openhcs_runtime.cli.commands.run",
    "serve": "openhcs_runtime.cli.commands.servers",
    "show_history": "openhcs_runtime.cli.commands.following",
    "show_logs": "openhcs_runtime.cli.commands.following",
    "show_plate": "openhcs_runtime.cli.commands.info",
    "watch": "openhcs_runtime.cli.commands.following",
    "show_status": "openhcs_runtime.cli.commands.executions",
    "stop": "openhcs_runtime.cli.commands.servers",
    "view_plate": "openhcs_runtime.cli.commands.tui",
    "view_results": "openhcs_runtime.cli.commands.view",
}

__all__ = [
    "Endpoint",
    "OmeroInstance",
    "ResultFolders",
    "RunOptions",
    "cancel",
    "compile_run",
    "draw_plate",
    "export_roi",
    "list_results",
    "make_plate",
    "omero_start",
    "omero_status",
    "omero_stop",
    "repeat_run",
    "resume_run",
    "run_compiled",
    "run_plate",
    "serve",
    "show_history",
    "show_logs",
    "show_plate",
    "show_status",
    "stop",
    "view_plate",
    "view_results",
    "watch",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with uninterrupted():
        value: object = getattr(importlib.import_module(_HOMES[name]), name)
    return value

"""Kinds of errors that only commands about plates have, besides those of every command line."""

import enum

from openhcs_runtime.exceptions import DiskFullError, OutputError
from zmqruntime.execution.cli.failures import CommandError, ExitCode

__all__ = ["PlateErrorKind", "unwritten"]


class PlateErrorKind(enum.StrEnum):
    """``error.kind`` of a JSON document."""

    PLATE = "plate"
    PIPELINE = "pipeline"
    COMPILE = "compile"
    OUTPUT = "output"
    DISK_FULL = "disk_full"
    TASK = "task"
    """The run ended in a way that no input is to blame for; the message says how."""
    WORKERS = "workers"
    VIEWER = "viewer"
    OMERO = "omero"
    WELLS_FAILED = "wells_failed"
    CANCELLED = "cancelled"


def unwritten(error: OutputError) -> CommandError:
    """Ends a command that could not write its output: a bad folder is a usage error, a full disk is not."""
    if isinstance(error, DiskFullError):
        return CommandError(PlateErrorKind.DISK_FULL, str(error), ExitCode.FAILED)
    return CommandError(PlateErrorKind.OUTPUT, str(error))

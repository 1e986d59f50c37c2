"""Exceptions raised by this package.

The hierarchy:

    GuiServicesError
    ├── LayoutError          an edit of a plate map is not possible, or the map can't be saved (also a ``ValueError``)
    ├── NoticeError          a notice about the end of a batch could not be sent
    ├── PipelineTextError    the requested change to the text of a pipeline is not possible (also a ``ValueError``)
    ├── ReportFailedError    the report of a run could not be written
    ├── ServerProcessError   the process of a server could not be killed
    │   ├── NotOurServerError    no proof that it is a server of this user on this machine (also a ``PermissionError``)
    │   └── ServerStaysError     it was killed but did not exit in time (also a ``TimeoutError``)
    └── SourceFileError      a pipeline file can't be read or written

Problems of servers and plates are reported as states and status messages, or raised as exceptions of ``zmqruntime`` and
``openhcs_runtime``.
"""

__all__ = [
    "GuiServicesError",
    "LayoutError",
    "NotOurServerError",
    "NoticeError",
    "PipelineTextError",
    "ReportFailedError",
    "ServerProcessError",
    "ServerStaysError",
    "SourceFileError",
]


class GuiServicesError(Exception):
    """Base class; the message is a single line for users."""


class LayoutError(GuiServicesError, ValueError):
    """An edit of a plate map is not possible, or the map can't be saved; the message says what to do."""


class NoticeError(GuiServicesError):
    """A notice about the end of a batch could not be sent; the message says what to do."""


class PipelineTextError(GuiServicesError, ValueError):
    """The text of a pipeline can't be changed: it has a syntax error, or its steps are not written as a list."""


class ReportFailedError(GuiServicesError):
    """The report of a run could not be written; the message says why."""


class ServerProcessError(GuiServicesError):
    """The process of a server could not be killed."""


class NotOurServerError(ServerProcessError, PermissionError):
    """A process could not be proven to be a server of this user on this machine, so it was left alone."""


class ServerStaysError(ServerProcessError, TimeoutError):
    """The process was killed but did not exit in time."""


class SourceFileError(GuiServicesError):
    """A pipeline file can't be read or written; the message names the file and the reason."""

"""Everything that this package raises on purpose.

The tree, each line with what went wrong:

    GuiServicesError
    ├── PipelineTextError    the text of a pipeline can't be changed as asked for (also a ``ValueError``)
    ├── ServerProcessError   a server's process could not be ended
    │   ├── NotOurServerError    it can't be proven to be a server of this user here (also a ``PermissionError``)
    │   └── ServerStaysError     it was killed, and has not ended in time (also a ``TimeoutError``)
    └── SourceFileError      a pipeline file can't be read or written

What goes wrong with servers and plates is told in states and status messages, or raised as ``zmqruntime`` and
``openhcs_runtime`` raise it.
"""

__all__ = [
    "GuiServicesError",
    "NotOurServerError",
    "PipelineTextError",
    "ServerProcessError",
    "ServerStaysError",
    "SourceFileError",
]


class GuiServicesError(Exception):
    """Base class; its text is one clear line for a user."""


class PipelineTextError(GuiServicesError, ValueError):
    """The text of a pipeline can't be changed as asked for: it has a syntax error, or is written in another way."""


class ServerProcessError(GuiServicesError):
    """The process of a server could not be ended."""


class NotOurServerError(ServerProcessError, PermissionError):
    """There is no proof that a process is a server of this user on this machine, so it was left alone."""


class ServerStaysError(ServerProcessError, TimeoutError):
    """The process was killed, but has not ended in time."""


class SourceFileError(GuiServicesError):
    """A pipeline file can't be read or written; the text names it and says why."""

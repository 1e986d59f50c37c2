"""The exceptions of this package.

OpenHCSError
├── PlateError            the plate folder: missing, empty, without images
├── PlateMapError         the plate map, or an expression that chooses wells by it
├── ImageError            one image: missing, truncated, unreadable, wrong shape
├── PipelineError         the pipeline as written; lists all problems
│   └── CompileError      the pipeline on this plate; lists all problems with step and well
├── StepError             the function of a step failed, or returned something it does not declare
├── OutputError           a result could not be written
│   ├── DiskFullError     the disk, or the quota of the user, is full
│   └── DamagedResultError  an existing result can't be read
├── RoiError              a region of interest is not valid, or a format can't store it
├── WorkerError           worker processes could not be started
├── OmeroError            the containers of an OMERO server can't be started, reached or stopped
├── ViewerError           a viewer is unknown, or can't be started or reached
└── LifecycleError        the state of the object does not allow the call
"""

import re
from collections.abc import Iterable, Sequence

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that a terminal obeys, or that end a line."""


def storable(text: str) -> str:
    r"""Return a text that can be encoded; bytes that are not UTF-8 become ``\xe4``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text


def printable(text: str) -> str:
    r"""Return a text as one line that a terminal shows as it is: control characters become ``\x1b``."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), storable(text))


class OpenHCSError(Exception):
    """Base class of all exceptions of this package; the message is one line for users."""


class PlateError(OpenHCSError):
    """The plate can't be opened."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class PlateMapError(OpenHCSError):
    """The plate map can't be used, or the expression that chooses wells by it."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class ImageError(OpenHCSError):
    """An image can't be used; ``path`` is its file, empty if there is none."""

    def __init__(self, message: str, path: str = "") -> None:
        self.message = printable(message)
        self.path = storable(path)
        super().__init__(self.message, self.path)

    def __str__(self) -> str:
        return self.message


class PipelineError(OpenHCSError):
    """The pipeline can't be used; ``problems`` has one line per problem."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: Sequence[str] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "; ".join(self.problems)


class CompileError(PipelineError):
    """The pipeline does not fit the plate or the configuration; found before any image is read."""


class StepError(OpenHCSError):
    """A step failed in a well."""


class OutputError(OpenHCSError):
    """A result could not be written; the message names the folder and a remedy."""


class DiskFullError(OutputError):
    """There is no space left for a result; the request itself was valid."""


class DamagedResultError(OutputError):
    """A result file exists but can't be read; the message names it and a remedy."""


class RoiError(OpenHCSError):
    """A region of interest is not valid, or the requested format can't store it."""


class WorkerError(OpenHCSError):
    """The worker processes of a run could not be started."""


class OmeroError(OpenHCSError):
    """The containers of an OMERO server can't be used: no Docker, a port in use, no reply in time."""


class ChangedRunError(OutputError):
    """A run can't be continued because it was begun with something else that its results depend on."""


class ViewerError(OpenHCSError):
    """A viewer is unknown, or can't be started or reached; ``log`` is the end of its log, empty if there is none."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class LifecycleError(OpenHCSError):
    """The state of the object does not allow the call."""

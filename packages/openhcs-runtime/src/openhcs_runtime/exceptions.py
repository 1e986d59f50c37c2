"""Everything that this package raises on purpose.

The tree, each line with what went wrong:

    OpenHCSError
    ├── PlateError            the plate folder itself: missing, empty, no images in it
    ├── ImageError            one image: missing, cut short, unreadable, of the wrong shape
    ├── PipelineError         the pipeline as written; lists all problems
    │   └── CompileError      the pipeline on this plate; lists all problems with step and well
    ├── StepError             a step's function failed or gave something else than it declares
    ├── OutputError           a result could not be written
    │   ├── DiskFullError     since the disk, or the user's share of it, is full
    │   └── DamagedResultError  one that is there can't be read
    ├── RoiError              a region of interest makes no sense, or a format can't hold it
    ├── WorkerError           worker processes could not be started
    ├── OmeroError            the containers of an OMERO server can't be started, reached or ended
    ├── ViewerError           a viewer can't be named, started or reached
    └── LifecycleError        a call that the state of the object does not allow
"""

from collections.abc import Iterable, Sequence


def printable(text: str) -> str:
    """A text that any file, screen and message can hold: bytes of file names that are not UTF-8 become `\\xe4`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text


class OpenHCSError(Exception):
    """Base class; its text is one clear line for a user."""


class PlateError(OpenHCSError):
    """The plate can't be opened."""


class ImageError(OpenHCSError):
    """An image can't be used; `path` is its file (empty when there is none)."""

    def __init__(self, message: str, path: str = "") -> None:
        self.message = printable(message)
        self.path = printable(path)
        super().__init__(self.message, self.path)

    def __str__(self) -> str:
        return self.message


class PipelineError(OpenHCSError):
    """The pipeline can't be used; `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: Sequence[str] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "; ".join(self.problems)


class CompileError(PipelineError):
    """The pipeline does not fit this plate or configuration; found before any image is read."""


class StepError(OpenHCSError):
    """A step failed in a well."""


class OutputError(OpenHCSError):
    """A result could not be written; names the folder and the remedy."""


class DiskFullError(OutputError):
    """There is no room for a result; what was asked for was right."""


class DamagedResultError(OutputError):
    """A file of a run's results is there and can't be read; names it and the remedy."""


class RoiError(OpenHCSError):
    """A region of interest makes no sense, or the format asked for can't hold it."""


class WorkerError(OpenHCSError):
    """The worker processes of a run could not be started."""


class OmeroError(OpenHCSError):
    """The containers of an OMERO server: no Docker, a port that is taken, no answer in time."""


class ViewerError(OpenHCSError):
    """A viewer can't be named, started or reached; `log` is the end of its log, empty when there is none."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class LifecycleError(OpenHCSError):
    """The object is in a state that does not allow this call."""

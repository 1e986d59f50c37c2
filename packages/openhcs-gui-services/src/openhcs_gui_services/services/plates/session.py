"""What a window remembers from one time to the next: its plates, their pipelines, and which executions are its own.

Each window that is open at the same time has a file of its own; who opens a window again gets the file that was closed.
"""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from openhcs_runtime.atomic import atomic_file
from zmqruntime.lock import FileLock

__all__ = ["CompiledArtifact", "RememberedPlate", "SessionStore"]

_log = logging.getLogger(__name__)

_VERSION = 1


class CompiledArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """A compilation that a run can be submitted by; see :class:`openhcs_runtime.tasks.CompileReport`."""

    artifact_id: str
    signature: str


class RememberedPlate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One plate. ``execution_id`` is of its latest run, which may go on."""

    path: str
    pipeline: str = ""
    pipeline_file: str = ""
    execution_id: str | None = None
    artifact: CompiledArtifact | None = None
    output: str | None = None
    well_count: int | None = None


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The file. Plates with the same pipeline have its text once: ``pipelines[i]`` is that of ``plates[i]``."""

    version: int = _VERSION
    sources: list[str] = []
    pipelines: list[int] = []
    plates: list[RememberedPlate] = []


class SessionStore:
    """The file of one window in ``folder``, claimed from when it is made until :meth:`close`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            lock = FileLock(folder / f"window-{number}.lock")
            if lock.acquire(timeout=0):
                break
        self._lock = lock
        self.file = folder / f"window-{number}.json"

    def load(self) -> list[RememberedPlate]:
        """The plates of the window that had the file before, in their order; none when there was none.

        A file that makes no sense is put aside as ``.broken``.
        """
        try:
            document = msgspec.json.decode(self.file.read_bytes(), type=_Document)
            if document.version != _VERSION:
                raise ValueError(f"it is of version {document.version}, and this program writes {_VERSION}")
            sources = [document.sources[place] for place in document.pipelines]
            return [
                msgspec.structs.replace(plate, pipeline=source)
                for plate, source in zip(document.plates, sources, strict=True)
            ]
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, IndexError, ValueError) as error:
            aside = self.file.with_suffix(".broken")
            _log.warning("%s can't be read (%s); it is now %s", self.file, error, aside.name)
            self.file.replace(aside)
            return []

    def save(self, plates: Sequence[RememberedPlate]) -> None:
        """Remember these plates; the file is there whole, old or new, whatever happens. From any thread.

        Raises:
            OutputError: it can't be written.
        """
        places: dict[str, int] = {}
        document = _Document(
            pipelines=[places.setdefault(plate.pipeline, len(places)) for plate in plates],
            plates=[msgspec.structs.replace(plate, pipeline="") for plate in plates],
            sources=list(places),
        )
        with atomic_file(self.file) as file:
            file.write(msgspec.json.encode(document))

    def close(self) -> None:
        """Let the next window have the file. May be called twice."""
        self._lock.release()

"""The session of a window, saved on disk: its plates, their pipelines and its executions.

Windows that are open at the same time use separate files. A new window takes over the file with plates that was closed
last; those of other closed windows are left for further ones.
"""

import contextlib
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
    """A compilation that a run can be submitted with; see :class:`openhcs_runtime.tasks.CompileReport`."""

    artifact_id: str
    signature: str


class RememberedPlate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One plate. ``execution_id`` is that of its latest run, which may still be running.

    ``is_pipeline_modified`` says that the pipeline has edits that are in no file, and ``pipeline_basis`` is the digest
    of the text of the file that it was made from. ``wells`` are the names of its wells,
    and ``steps`` those of the steps of its latest run.
    """

    path: str
    pipeline: str = ""
    pipeline_file: str = ""
    pipeline_name: str = ""
    is_pipeline_modified: bool = False
    pipeline_basis: str = ""
    wells: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    execution_id: str | None = None
    artifact: CompiledArtifact | None = None
    output: str | None = None
    well_count: int | None = None


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The file. Equal pipelines are stored once: ``sources[pipelines[i]]`` is the pipeline of ``plates[i]``."""

    version: int = _VERSION
    sources: list[str] = []
    pipelines: list[int] = []
    plates: list[RememberedPlate] = []


class SessionStore:
    """The session file of one window in ``folder``, claimed until :meth:`close`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in itertools.chain(_names_by_use(folder), (f"window-{number}" for number in itertools.count(1))):
            lock = FileLock(folder / f"{name}.lock")
            if lock.acquire(timeout=0):
                break
        self._lock = lock
        self.file = folder / f"{name}.json"

    def load(self) -> list[RememberedPlate]:
        """Return the plates of the file's previous window, in order; empty if there was no such window.

        An invalid file is renamed to ``.broken``.
        """
        try:
            document = _read(self.file)
            sources = [document.sources[place] for place in document.pipelines]
            return [
                msgspec.structs.replace(plate, pipeline=source)
                for plate, source in zip(document.plates, sources, strict=True)
            ]
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, IndexError, ValueError) as error:
            aside = self.file.with_suffix(".broken")
            _log.warning("%s can't be read (%s); renamed to %s", self.file, error, aside.name)
            self.file.replace(aside)
            return []

    def save(self, plates: Sequence[RememberedPlate]) -> None:
        """Save these plates. The file is replaced atomically. May be called from any thread.

        Raises:
            OutputError: the file can't be written.
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
        """Release the file for the next window. May be called twice."""
        self._lock.release()


def _read(file: Path) -> _Document:
    """Return the document of a file.

    Raises:
        OSError: the file can't be read.
        MsgspecError, ValueError: it is damaged, or of another version.
    """
    document = msgspec.json.decode(file.read_bytes(), type=_Document)
    if document.version != _VERSION:
        raise ValueError(f"its version is {document.version}, expected {_VERSION}")
    return document


def _names_by_use(folder: Path) -> list[str]:
    """Return the names of the files to take over, the best first: with plates, the newest first, then damaged ones."""
    found = []
    for file in folder.glob("window-*.json"):
        try:
            if not _read(file).plates:
                continue
            is_damaged = False
        except OSError:  # it was put aside by another window just now, or can't be used
            continue
        except (msgspec.MsgspecError, ValueError):
            is_damaged = True
        with contextlib.suppress(OSError):
            found.append((is_damaged, -file.stat().st_mtime_ns, file.stem))
    return [name for _, _, name in sorted(found)]

"""Recording of what pipeline code reads in addition to the plate's images, by Python audit events.

A later run may reuse the results of a well only if everything they were made from is unchanged. The source code does
not tell which files a function opens, so they are recorded as they are opened: files, listed folders and loaded
modules. Files opened by C libraries themselves are not seen; the results of a well whose code started a process or
opened a connection are never reused.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import stat
import sys
import threading
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from openhcs_runtime.pipeline.local_imports import MODULE_PREFIX, OWN_PACKAGES, is_installed

_OUTSIDE = frozenset(
    {"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty", "socket.connect"}
)
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_MOST_FILES = 2_000
_MOST_NOTED = 50_000
_SMALL_BYTES = 1 << 20
_IMPORTING = "<frozen importlib"


class UsedFile(msgspec.Struct, frozen=True):
    """A file or folder that was read, or not found, and its stamp at that time (see :func:`stamp_of`)."""

    path: str
    stamp: str


class UsedFiles(msgspec.Struct, frozen=True):
    """Everything that a well has read in addition to its images; ``is_all`` is False if there may be other inputs."""

    files: list[UsedFile] = []
    is_all: bool = True

    def joined(self, other: "UsedFiles") -> "UsedFiles":
        """Return everything that both have."""
        known = {file.path: file for file in (*self.files, *other.files)}
        return UsedFiles(list(known.values()), is_all=self.is_all and other.is_all)

    def changed(self) -> str:
        """Return the first file or folder that has changed; empty if none has."""
        return next((file.path for file in self.files if stamp_of(file.path) != file.stamp), "")


def stamp_of(path: str) -> str:
    """Return a text that identifies the current state of a file or folder; empty if it does not exist.

    It is made from the contents of a small file, the names in a folder, or the size and times of a large file, which
    any write changes.
    """
    try:
        known = os.stat(path)
        if stat.S_ISDIR(known.st_mode):
            return hashlib.sha256("\0".join(sorted(os.listdir(path))).encode("utf-8", "surrogateescape")).hexdigest()
        if known.st_size <= _SMALL_BYTES:
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""
    return f"{known.st_size} {known.st_mtime_ns} {known.st_ctime_ns}"


class ReadRecorder:
    """Recorder of what this process opens for reading while :meth:`active`; cleared by :meth:`clear`."""

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}
        self._has_gaps = False
        self._active = 0
        self._lock = threading.Lock()
        self._here = threading.local()
        sys.addaudithook(self._on_event)  # can't be removed again

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Record reads within the block, including those of other threads."""
        with self._lock:
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Don't record what this thread opens within the block."""
        self._here.is_paused = True
        try:
            yield
        finally:
            self._here.is_paused = False

    def note(self, path: Path) -> None:
        """Record a file that results depend on, whether it exists or not."""
        self._note(path)

    def pause_here(self) -> None:
        """Never record what this thread does, because it runs no functions of a pipeline."""
        self._here.is_paused = True

    def clear(self) -> None:
        """Discard the record before another job."""
        self._paths, self._has_gaps = {}, False

    def drop_below(self, folder: str) -> None:
        """Discard what was read in a folder."""
        self._paths = {path: None for path in self._paths if not _is_below(path, (folder,))}

    @property
    def has_inputs(self) -> bool:
        """Whether the code has read anything that is not part of an installed package."""
        return self._has_gaps or any(_kept(self._paths, ()))

    def used(self, ignored: Collection[str]) -> UsedFiles:
        """Return what was recorded, and the user's modules that are loaded, in their current state.

        Args:
            ignored: Files and folders that are accounted for elsewhere: the images and the results folder.
        """
        kept = list(_kept(dict.fromkeys([*self._paths, *_module_files()]), ignored))
        if len(kept) > _MOST_FILES:
            return UsedFiles(is_all=False)
        named = [path for path in kept if _is_text(path)]
        return UsedFiles(
            [UsedFile(path, stamp_of(path)) for path in named], is_all=len(named) == len(kept) and not self._has_gaps
        )

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active or getattr(self._here, "is_paused", False):
            return
        if event == "open":
            path, mode, flags = arguments
            if _is_read(mode, flags):
                self._note(path)
        elif event in ("os.listdir", "os.scandir"):
            if not sys._getframe(1).f_code.co_filename.startswith(_IMPORTING):
                self._note("." if arguments[0] is None else arguments[0])
        elif event in _OUTSIDE:
            self._has_gaps = True

    def _note(self, path: object) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            name = os.path.abspath(os.fsdecode(path))
            if name.startswith(_SYSTEM):
                return
            if len(self._paths) < _MOST_NOTED:
                self._paths[_source_of(name)] = None
            else:
                self._has_gaps = True


@functools.cache
def read_recorder() -> ReadRecorder:
    """Return the recorder of this process."""
    return ReadRecorder()


def local_module_files() -> list[str]:
    """Return the files of the loaded modules that are neither installed nor part of this project."""
    return list(dict.fromkeys(_kept(_module_files(), ())))


def _is_read(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return "r" in mode or "+" in mode
    return not isinstance(flags, int) or flags & (os.O_WRONLY | os.O_RDWR) != os.O_WRONLY


def _source_of(path: str) -> str:
    """Return the source file of compiled code, which is the one that users edit."""
    if path.endswith(".pyc"):
        with contextlib.suppress(ValueError):
            return importlib.util.source_from_cache(path)
    return path


def _module_files() -> Iterable[str]:
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        is_own = name.partition(".")[0] in OWN_PACKAGES or name.startswith(MODULE_PREFIX)
        if isinstance(path, str) and not is_own:
            yield os.path.abspath(path)


def _kept(paths: Iterable[str], ignored: Iterable[str]) -> Iterator[str]:
    """Yield the paths that are neither ignored nor part of installed packages or of this project."""
    own = tuple(str(Path(sys.modules[name].__path__[0])) for name in OWN_PACKAGES if name in sys.modules)
    outside = (*ignored, *own)
    return (path for path in paths if not is_installed(path) and not _is_below(path, outside))


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True

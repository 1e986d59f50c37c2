"""Pipeline files on the disk: read, written whole or not at all, and known again when changed elsewhere."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from openhcs_gui_services.exceptions import SourceFileError
from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import OutputError

__all__ = ["FileStamp", "SourceFileError", "load_source", "read_templates", "save_source", "stamp_of"]


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What changes when another program writes a file: modification time in ns, and size in bytes."""

    modified_ns: int
    size: int


def load_source(path: Path) -> str:
    """The text of a file, with plain line ends.

    Raises:
        SourceFileError: it cannot be read, or is no text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceFileError(f"{path} is no text in UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise SourceFileError(f"{path} cannot be read: {error.strerror or error}") from error


def save_source(path: Path, text: str) -> FileStamp:
    """Write the text, with a line end at its end, in place of the file; where a link leads, if it is one.

    Raises:
        SourceFileError: it cannot be written; the old file is still there.
    """
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        with atomic_file(target) as file:
            file.write((text if text.endswith("\n") or not text else f"{text}\n").encode())
        if mode is not None:
            target.chmod(mode)
    except (OutputError, OSError) as error:
        raise SourceFileError(str(error)) from error
    found = stamp_of(target)
    if found is None:
        raise SourceFileError(f"{path} was written, and has gone since")
    return found


def stamp_of(path: Path) -> FileStamp | None:
    """What the file is like now; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return FileStamp(found.st_mtime_ns, found.st_size)


def read_templates(package: str = "openhcs_runtime.builtin") -> dict[str, str]:
    """The ready-made pipelines of a package, their sources by names for people; nothing of it is imported."""
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.py")) if not file.name.startswith("_")]
    return {file.stem.replace("_", " ").capitalize(): load_source(file) for file in files}

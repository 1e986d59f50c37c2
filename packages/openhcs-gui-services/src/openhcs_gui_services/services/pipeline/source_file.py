"""Reads and writes pipeline files, atomically, and detects changes by other programs."""

import hashlib
import importlib.util
from pathlib import Path

from openhcs_gui_services.exceptions import SourceFileError
from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import OutputError

__all__ = ["SourceFileError", "file_digest", "load_source", "read_templates", "save_source", "text_digest", "title_of"]


def load_source(path: Path) -> str:
    """Return the text of a file, with line feeds as line ends.

    Raises:
        SourceFileError: the file can't be read or is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceFileError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise SourceFileError(f"cannot read {path}: {error.strerror or error}") from error


def save_source(path: Path, text: str) -> None:
    """Replace a file with ``text``, adding a final line end; a symbolic link is followed.

    Args:
        path: the file; its permissions are kept.
        text: the new text.

    Raises:
        SourceFileError: the file can't be written; the old file is unchanged.
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


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal digits; line ends at its end make no difference."""
    return hashlib.sha256(text.rstrip("\n").encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the digest of the text that a file has now; "" if it has none that can be read."""
    try:
        return text_digest(load_source(path))
    except SourceFileError:
        return ""


def read_templates(package: str = "openhcs_runtime.builtin") -> dict[str, str]:
    """Return the sources of a package's ready-made pipelines by title, the shortest first, without importing it.

    The title is what the docstring of a pipeline begins with, up to a colon, or else the name of its file.
    """
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.py")) if not file.name.startswith("_")]
    return {_title(text, file): text for text, file in sorted(((load_source(file), file) for file in files), key=_size)}


def _size(pair: tuple[str, Path]) -> int:
    return len(pair[0])


def title_of(text: str) -> str:
    """Return what the docstring of a pipeline begins with, up to a colon in its first line; "" if it has no such."""
    title, colon, _ = text.partition("\n")[0].removeprefix('"""').partition(":")
    return title if colon and text.startswith('"""') else ""


def _title(text: str, file: Path) -> str:
    return title_of(text) or file.stem.replace("_", " ").capitalize()

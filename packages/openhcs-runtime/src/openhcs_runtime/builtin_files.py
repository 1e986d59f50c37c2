"""Finds built-in pipelines by the names that commands accept, without loading image libraries."""

from importlib import resources
from pathlib import Path

__all__ = ["builtin_names", "builtin_text"]


def builtin_names() -> tuple[str, ...]:
    """Return the names of the built-in pipelines."""
    files = resources.files("openhcs_runtime").joinpath("builtin").iterdir()
    return tuple(sorted(each.name[:-3] for each in files if each.name.endswith(".py") and each.name[0] != "_"))


def builtin_text(path: Path) -> str | None:
    """Return the text of the built-in pipeline with this name; None if there is none, or if a file has this name."""
    name = str(path)
    if not name.isidentifier() or name.startswith("_") or path.exists():
        return None
    found = resources.files("openhcs_runtime").joinpath("builtin", f"{name}.py")
    return found.read_text(encoding="utf-8") if found.is_file() else None

"""What PyInstaller has to know of these packages: it finds the hooks in this folder by itself."""

from pathlib import Path

__all__ = ["hook_dirs"]


def hook_dirs() -> list[str]:
    """Return the folder of the hooks, for PyInstaller's entry point ``hook-dirs``."""
    return [str(Path(__file__).parent)]

"""Whether anything has changed in the folder of a plate's runs, without reading the runs; for a worker thread."""

import os
from pathlib import Path

from openhcs_runtime.outputs.runs import PROVENANCE_NAME

__all__ = ["DiskStamp", "stamp_of"]

DiskStamp = tuple[int, ...]
"""When the folder of the runs, and the parts of the run that was changed last, were changed; empty if there is none."""

_PARTS = ("", PROVENANCE_NAME, "wells")


def stamp_of(root: Path) -> DiskStamp:
    """Return a value that changes when a run begins, finishes a well, or ends."""
    try:
        with os.scandir(root) as entries:
            runs = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        newest = max(runs, default=(0, ""))[1]
        return (
            root.stat().st_mtime_ns,
            len(runs),
            *((_changed(Path(newest, part)) for part in _PARTS) if newest else ()),
        )
    except OSError:
        return ()


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0

"""The folder in which the thumbnails of plates are kept, of a bounded size."""

import contextlib
import hashlib
import os
from pathlib import Path

from openhcs_gui_services.services.images.source import PlateSource

__all__ = ["LIMIT_BYTES", "ThumbnailCache"]

LIMIT_BYTES = 512 * 1024**2
_SUFFIX = ".thumbnails"


class ThumbnailCache:
    """Files of thumbnails, one for each plate; those that were used least recently are removed.

    Args:
        folder: where they are.
        limit_bytes: the most bytes to keep.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder, self._limit = folder, limit_bytes

    def path_for(self, source: PlateSource) -> Path:
        """Return the file of a plate."""
        said = repr((source.path, source.pattern, source.plate_format, source.pages))
        digest = hashlib.blake2b(said.encode(errors="surrogateescape"), digest_size=16)
        return self._folder / f"{digest.hexdigest()}{_SUFFIX}"

    def use(self, path: Path) -> None:
        """Note that a file is used now."""
        with contextlib.suppress(OSError):  # it may not exist yet
            os.utime(path)

    def prune(self, keep: Path) -> None:
        """Remove files until the rest is within the limit; ``keep`` stays."""
        known = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):  # another window may remove it
                state = path.stat()
                known.append((path == keep, state.st_mtime_ns, path, state.st_size))
        total = 0
        for is_kept, _, path, size in sorted(known, reverse=True):
            total += size
            if total > self._limit and not is_kept:
                with contextlib.suppress(OSError):
                    path.unlink()

"""Opening of files of a plate, in a folder or in another store."""

import io
from typing import BinaryIO

from openhcs_runtime.stores.path import AnyPath, StorePath

__all__ = ["open_file"]


def open_file(path: AnyPath) -> BinaryIO:
    """Open a file; one that is not in a folder is read as a whole.

    Raises:
        OSError: If it can't be read.
    """
    return io.BytesIO(path.read_bytes()) if isinstance(path, StorePath) else path.open("rb")

"""Sizes and times of the chunks of an array, which tell whether they exist and whether they have changed."""

import os
from collections.abc import Callable

from openhcs_runtime.stores.entry import StoreEntry
from openhcs_runtime.stores.path import AnyPath, StorePath

__all__ = ["chunk_stats"]


def chunk_stats(path: AnyPath) -> Callable[[str], "os.stat_result | StoreEntry | None"]:
    """Return a function for the size and time of a chunk of an array; None for a chunk that is absent.

    A server that does not list folders is not asked: a chunk that it lacks is noticed when it is read.
    """
    if isinstance(path, StorePath):
        if path.lists_folders:
            return path.files_below().get
        return lambda chunk: StoreEntry(chunk, chunk)
    folder = str(path)

    def on_disk(chunk: str) -> os.stat_result | None:
        try:
            return os.stat(f"{folder}/{chunk}")
        except (FileNotFoundError, NotADirectoryError):
            return None

    return on_disk

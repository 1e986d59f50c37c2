"""A file or folder in a listing of a server."""

from dataclasses import dataclass

__all__ = ["StoreEntry"]


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """A file or folder on the net, with what ``os.DirEntry`` has.

    Attributes:
        name: Its name.
        path: Its URL.
        st_size: Size in bytes; 0 if unknown, and for folders.
        st_mtime_ns: Modification time in nanoseconds; 0 if unknown.
        folder: Whether it is a folder.
    """

    name: str
    path: str
    st_size: int = 0
    st_mtime_ns: int = 0
    folder: bool = False

    def is_file(self) -> bool:
        """Return whether it is a file."""
        return not self.folder

    def is_dir(self) -> bool:
        """Return whether it is a folder."""
        return self.folder

    def is_symlink(self) -> bool:
        """Return that it is not a link."""
        return False

    def stat(self) -> "StoreEntry":
        """Return itself: it has the size and time that a listing states."""
        return self

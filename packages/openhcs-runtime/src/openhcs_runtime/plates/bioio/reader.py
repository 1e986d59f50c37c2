"""Access to bioio, which is an extra: opening files, and the parts of its images that are used here."""

import functools
import importlib
import logging
import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError, PlateError

__all__ = ["SUFFIXES", "BioImage", "is_read_by_bioio", "open_image", "require_bioio"]

SUFFIXES = (".czi", ".nd2", ".lif")
"""Files of these names are plates of bioio without being asked for."""
_NOISY = "bioio_czi"
"""It logs an error with a traceback for each scene whose name is not a plate's."""


class _Dimensions(Protocol):
    order: str
    T: int
    C: int
    Z: int
    Y: int
    X: int


class _Sizes(Protocol):
    Z: float | None
    Y: float | None
    X: float | None


class _Lazy(Protocol):
    def compute(self, *, scheduler: str) -> NDArray[np.generic]: ...


class BioImage(Protocol):
    """What is used of ``bioio.BioImage``."""

    scenes: Sequence[str]
    dims: _Dimensions
    dtype: np.dtype[np.generic]
    channel_names: Sequence[str] | None
    physical_pixel_sizes: _Sizes
    standard_metadata: Any
    ome_metadata: Any

    def set_scene(self, scene_id: int) -> None:
        """Make a scene the current one."""

    def get_image_dask_data(self, order: str, **places: int) -> _Lazy:
        """Return an array with the axes of ``order``, at places along the others."""


def is_read_by_bioio(name: str) -> bool:
    """Return whether a file is one for bioio by its name."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def require_bioio(what: str) -> None:
    """Load bioio.

    Raises:
        PlateError: If it is not installed; the error names ``what`` and the remedy.
    """
    try:
        importlib.import_module("bioio")
    except ImportError as error:
        raise PlateError(
            f"{what} is read by bioio, which is not installed: pip install 'openhcs-runtime[bioio]' ({error})"
        ) from error


def open_image(path: str) -> BioImage:
    """Open a file; while it does not change, it is opened once.

    Raises:
        ImageError: If bioio can't read it.
        PlateError: If bioio is not installed.
    """
    require_bioio(path)
    try:
        stat = os.stat(path)
        return _opened(path, stat.st_mtime_ns, stat.st_size)
    except Exception as error:  # bioio's readers raise all kinds of errors
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ImageError(f"image {path} can't be opened by bioio: {first}") from error


@functools.lru_cache(maxsize=4)
def _opened(path: str, mtime_ns: int, size: int) -> BioImage:
    logging.getLogger(_NOISY).setLevel(logging.CRITICAL)
    image: BioImage = importlib.import_module("bioio").BioImage(path)
    return image

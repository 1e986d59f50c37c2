"""The libraries that the kernels use: those that are installed, or fewer if asked for."""

import contextlib
import functools
import importlib.util
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["PLAIN", "Backend", "backend", "installed", "using"]


@dataclass(frozen=True, slots=True)
class Backend:
    """The optional libraries that the kernels use; all give the same results.

    Attributes:
        opencv: Whether OpenCV is used, for filters, morphology and connected components.
        edt: Whether edt is used, for distances.
    """

    opencv: bool = False
    edt: bool = False


PLAIN = Backend()
"""NumPy and SciPy alone."""

_ASKED: ContextVar[Backend | None] = ContextVar("kernel_backend", default=None)


@functools.cache
def installed() -> Backend:
    """Return the backend with all optional libraries that are installed, without importing them."""
    return Backend(opencv=_is_there("cv2"), edt=_is_there("edt"))


def backend() -> Backend:
    """Return the backend to use now: the one of the innermost ``using``, otherwise ``installed()``."""
    asked = _ASKED.get()
    return installed() if asked is None else asked


@contextlib.contextmanager
def using(wanted: Backend) -> Iterator[None]:
    """Let the kernels use this backend in the block, in this thread; for comparisons and tests.

    Raises:
        ImportError: In the block, when a kernel needs a library that is not installed.
    """
    token = _ASKED.set(wanted)
    try:
        yield
    finally:
        _ASKED.reset(token)


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None

"""Reads the GPUs of this machine through NVML, NVIDIA's management library (``nvidia-ml-py``, the extra ``gpu``)."""

import contextlib
import importlib
import logging
from collections.abc import Iterator
from typing import Protocol, cast

from openhcs_runtime.pipeline.place import Gpu

__all__ = ["Nvml", "NvmlMissingError", "installed_devices", "load_nvml"]

_LOG = logging.getLogger(__name__)


class NvmlMissingError(Exception):
    """The package ``nvidia-ml-py`` is not installed, so that nothing is known of the GPUs of this machine."""


class _Memory(Protocol):
    @property
    def total(self) -> int:
        """All bytes."""

    @property
    def free(self) -> int:
        """The bytes that are not in use."""


class Nvml(Protocol):
    """What is used of the module ``pynvml``."""

    @property
    def NVMLError(self) -> type[Exception]:
        """The base class of its exceptions."""

    def nvmlInit(self) -> object:
        """Begin to use the library."""

    def nvmlShutdown(self) -> object:
        """End its use."""

    def nvmlDeviceGetCount(self) -> int:
        """Return the number of GPUs."""

    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> object:
        """Return the handle of a GPU."""

    def nvmlDeviceGetUUID(self, handle: object, /) -> str | bytes:
        """Return its UUID."""

    def nvmlDeviceGetName(self, handle: object, /) -> str | bytes:
        """Return the name of its model."""

    def nvmlDeviceGetMemoryInfo(self, handle: object, /) -> _Memory:
        """Return how much memory it has."""


def load_nvml() -> Nvml:
    """Return the module ``pynvml``.

    Raises:
        NvmlMissingError: it is not installed.
    """
    try:
        return cast("Nvml", importlib.import_module("pynvml"))
    except ImportError as error:
        raise NvmlMissingError(str(error)) from error


def installed_devices(nvml: Nvml) -> tuple[Gpu, ...]:
    """Return the GPUs of this machine in the order of the PCI bus; empty without a driver."""
    try:
        with _started(nvml):
            return tuple(_device(nvml, number) for number in range(nvml.nvmlDeviceGetCount()))
    except (nvml.NVMLError, OSError) as error:
        _LOG.debug("no GPU was found through NVML: %s", error)
        return ()


@contextlib.contextmanager
def _started(nvml: Nvml) -> Iterator[None]:
    nvml.nvmlInit()
    try:
        yield
    finally:
        nvml.nvmlShutdown()


def _device(nvml: Nvml, number: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        key=_text(nvml.nvmlDeviceGetUUID(handle)),
        number=number,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=int(memory.total),
        free_bytes=int(memory.free),
    )


def _text(value: str | bytes) -> str:
    """Return a text; older releases of ``nvidia-ml-py`` give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value

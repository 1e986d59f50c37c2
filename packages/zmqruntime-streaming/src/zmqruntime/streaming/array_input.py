"""Takes arrays of any library: NumPy's as they are, others through DLPack or NumPy's array interface."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from zmqruntime.streaming.exceptions import UnsupportedArrayError

__all__ = ["as_array"]

# DLDeviceType of the DLPack specification, version 1.0. NumPy reads the memory of the first four.
_READABLE: Final = frozenset((1, 3, 11, 13))  # CPU, pinned memory of CUDA and ROCm, managed memory of CUDA
_DEVICES: Final = {2: "a CUDA GPU", 4: "an OpenCL device", 7: "a Vulkan device", 8: "a Metal GPU", 10: "a ROCm GPU"}
# What exporters and NumPy raise for memory that cannot be passed on.
_REFUSALS: Final = (BufferError, RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError)


def as_array(value: object) -> npt.NDArray[Any]:
    """Return ``value`` as a NumPy array with the same elements, shape and dtype; its memory is not copied if possible.

    Args:
        value: a NumPy array or scalar, an object with ``__dlpack__`` such as an array of PyTorch, CuPy or JAX, or one
            with ``__array__`` or ``__array_interface__`` such as an image of Pillow.

    Raises:
        UnsupportedArrayError: it is not an array, or its library cannot pass it on.
    """
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        return _from_dlpack(value)
    if isinstance(value, np.generic) or hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return np.asarray(value)
    raise UnsupportedArrayError(
        f"{_name_of(value)} is not an array; send a NumPy array, for example numpy.asarray(value, dtype)"
    )


def _from_dlpack(value: Any) -> npt.NDArray[Any]:
    kind = None
    try:
        kind = int(value.__dlpack_device__()[0])
        resolved = _resolved(value)
        return np.from_dlpack(resolved) if kind in _READABLE else np.from_dlpack(resolved, device="cpu")
    except _REFUSALS as error:
        if kind is None or kind in _READABLE:
            remedy = "convert it to an array that has a dtype of NumPy and nothing but elements"
            raise UnsupportedArrayError(f"{_name_of(value)} cannot be passed to NumPy: {error}; {remedy}") from error
        where = _DEVICES.get(kind, f"a device of kind {kind}")
        remedy = "copy it to main memory first, for example array.cpu() in PyTorch or array.get() in CuPy"
        raise UnsupportedArrayError(f"the array of type {_name_of(value)} is on {where}; {remedy}") from error


def _resolved(value: Any) -> Any:
    """Return a tensor of PyTorch whose pending conjugation or negation, which DLPack cannot express, is carried out."""
    for name in ("resolve_conj", "resolve_neg"):
        resolve = getattr(value, name, None)
        value = value if resolve is None else resolve()
    return value


def _name_of(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")

"""Recognises that a library has run out of memory on a GPU, and frees what an attempt has left behind."""

import gc
import sys
import traceback

from openhcs_runtime.pipeline.models import drop_models

__all__ = ["free_device_memory", "is_out_of_memory"]

_TYPES = frozenset({"OutOfMemoryError", "MemoryError", "ResourceExhaustedError"})
"""Names of the exceptions of PyTorch and CuPy, of Python, and of TensorFlow."""
_TEXTS = (
    "out of memory",  # CUDA itself, and most libraries that pass its error on as a RuntimeError
    "failed to allocate memory",  # onnxruntime's arena
    "cuda_error_out_of_memory",
    "alloc_failed",  # cuBLAS and cuDNN
    "hiperroroutofmemory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception, or one that caused it, says that memory could not be allocated."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if any(kind.__name__ in _TYPES for kind in type(cause).__mro__):
            return True
        if isinstance(cause, RuntimeError) or "onnxruntime" in type(cause).__module__:
            text = str(cause).lower()
            if any(known in text for known in _TEXTS):
                return True
        cause = cause.__cause__ or cause.__context__
    return False


def free_device_memory(error: BaseException) -> None:
    """Drop what the frames of a failed attempt refer to, and give back what the libraries keep for later."""
    cause: BaseException | None = error
    while cause is not None:
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__
    drop_models("gpu")
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    cupy = sys.modules.get("cupy")
    if cupy is not None:
        cupy.get_default_memory_pool().free_all_blocks()

"""PyTorch on the device of the current step."""

from typing import TYPE_CHECKING

from openhcs_runtime.pipeline.place import current_place

if TYPE_CHECKING:
    import torch

__all__ = ["torch_device"]


def torch_device() -> "torch.device":
    """Return the device that the step has; on the CPU, PyTorch uses as many threads as the step asks for, or one."""
    import torch  # noqa: PLC0415  an extra, and slow to import

    place = current_place()
    if place.device is not None and torch.cuda.is_available():
        return torch.device(place.torch_device)
    if place.device is not None:
        place.use_cpu("PyTorch sees no GPU: install a build of PyTorch for it")
    torch.set_num_threads(place.resources.threads or 1)
    return torch.device("cpu")

"""The environment in which a worker process sees only its own GPU."""

from openhcs_runtime.pipeline.place import Gpu

__all__ = ["device_environment"]

_HIDDEN = "-1"
"""A number that no device has: an empty value counts as one that is not set on some systems."""


def device_environment(device: Gpu | None) -> dict[str, str]:
    """Return the variables that make a GPU the only visible one; for None, those that hide all GPUs.

    ``HIP_VISIBLE_DEVICES`` takes only numbers, and a GPU with a UUID was found through NVML, so it is not AMD's.
    ``ROCR_VISIBLE_DEVICES`` is left as it is, because HIP counts within what that leaves visible.
    """
    key = _HIDDEN if device is None else device.key
    variables = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": key}
    return {**variables, "HIP_VISIBLE_DEVICES": key} if key.lstrip("-").isdigit() else variables

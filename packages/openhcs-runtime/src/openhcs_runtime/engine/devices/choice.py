"""The GPUs that a run uses: those found on the machine, or those that were named."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from openhcs_runtime.config import NO_GPUS, named_gpus
from openhcs_runtime.engine.devices.nvml import Nvml, NvmlMissingError, installed_devices, load_nvml
from openhcs_runtime.engine.memory import in_gigabytes
from openhcs_runtime.exceptions import WorkerError
from openhcs_runtime.pipeline.place import Gpu
from openhcs_runtime.pipeline.plate_step import Step

__all__ = ["NO_DEVICE", "RunDevices", "devices_for", "find_devices", "gpu_problems"]

NO_DEVICE = "no GPU was found"
_LOG = logging.getLogger(__name__)
_INSTALL = "pip install 'openhcs-runtime[gpu]', or name the GPUs, as in --gpus 0"


@dataclass(frozen=True, slots=True)
class RunDevices:
    """The GPUs of a run.

    Attributes:
        devices: The GPUs that wells can get.
        why_none: Why there are none; empty if there are some.
        hides_others: Whether worker processes see no GPU but the one they are given, because a step asks for a GPU.
        visible: The devices that the environment of this process leaves visible, in their order; None for all.
        setting: The setting by which workers on other machines find their own; empty if the devices are those here.
    """

    devices: tuple[Gpu, ...] = ()
    why_none: str = ""
    hides_others: bool = False
    visible: tuple[str, ...] | None = None
    setting: str = ""

    def ordinal(self, device: Gpu | None) -> int:
        """Return the number by which the libraries in this process know a GPU."""
        if device is None:
            return 0
        if self.visible is None:
            return device.number
        return next((index for index, text in enumerate(self.visible) if _is_meant(text, device)), 0)


def devices_for(steps: Iterable[Step], gpus: str, *, is_remote: bool = False) -> RunDevices:
    """Return the GPUs for a pipeline; if no step asks for one, none are looked for and nothing is hidden.

    Args:
        steps: the steps of the pipeline.
        gpus: as in ``GlobalConfig``.
        is_remote: whether the workers are on other machines, where each finds its own.

    Raises:
        WorkerError: a GPU that was named does not exist.
    """
    if not any(step.resources.gpu for step in steps):
        return RunDevices()
    return RunDevices(hides_others=True, setting=gpus) if is_remote else find_devices(gpus)


def find_devices(gpus: str, nvml: Nvml | None = None, environment: Mapping[str, str] = os.environ) -> RunDevices:
    """Return the GPUs that a setting chooses.

    Args:
        gpus: as in ``GlobalConfig``.
        nvml: the module ``pynvml`` [default: the installed one].
        environment: environment variables; with "auto", those that choose devices are respected.

    Raises:
        WorkerError: a GPU that was named does not exist.
    """
    if gpus == NO_GPUS:
        return RunDevices((), "gpus is 'none'", hides_others=True)
    visible = _visible(environment)
    devices, why_none = _chosen(named_gpus(gpus), visible, nvml)
    return RunDevices(devices, why_none, hides_others=True, visible=visible)


def _chosen(named: Sequence[str], visible: tuple[str, ...] | None, nvml: Nvml | None) -> tuple[tuple[Gpu, ...], str]:
    """Return the devices that are named, or else visible; and why there are none."""
    try:
        installed = installed_devices(nvml or load_nvml())
    except NvmlMissingError as error:
        _LOG.debug("GPUs are not looked for: %s", error)
        taken = tuple(map(_unknown, enumerate(named or visible or ())))
        return taken, "" if taken else f"nvidia-ml-py is not installed: {_INSTALL}"
    if named:
        return (_named(named, installed) if installed else tuple(map(_unknown, enumerate(named)))), ""
    if visible is None:
        return installed, "" if installed else NO_DEVICE
    devices = tuple(device for device in installed if any(_is_meant(text, device) for text in visible))
    return devices, "" if devices else f"{NO_DEVICE} among those that CUDA_VISIBLE_DEVICES leaves visible"


def gpu_problems(numbered: Sequence[tuple[int, Step]], gpus: str) -> Iterator[str]:
    """Yield what is wrong with the GPUs that the steps ask for: one that does not exist, or has too little memory."""
    try:
        devices = devices_for((step for _, step in numbered), gpus).devices
    except WorkerError as error:
        yield str(error)
        return
    largest = max((device.memory_bytes for device in devices), default=0)
    for number, step in numbered:
        needed = step.resources.memory_bytes if step.resources.gpu else 0
        if largest and needed > largest:
            yield (
                f"step {number} {step.name!r}: needs {in_gigabytes(needed)} of GPU memory, and the largest GPU has "
                f"{in_gigabytes(largest)}: use smaller stacks or tiles, or a GPU with more memory"
            )


def _visible(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the devices that the environment chooses, as users and batch systems do; None if it does not."""
    text = environment.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        text = environment.get("HIP_VISIBLE_DEVICES")
    if text is None:
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip() not in ("", "-1"))


def _named(chosen: Sequence[str], installed: Sequence[Gpu]) -> tuple[Gpu, ...]:
    found = []
    for text in chosen:
        device = next((device for device in installed if _is_meant(text, device)), None)
        if device is None:
            known = ", ".join(f"{device.number} ({device.name})" for device in installed)
            raise WorkerError(f"there is no GPU {text} on this machine: choose among {known}")
        found.append(device)
    return tuple(found)


def _is_meant(text: str, device: Gpu) -> bool:
    """Return whether a number or the beginning of a UUID means this device."""
    return text == str(device.number) or (not text.isdigit() and device.key.startswith(text))


def _unknown(place: tuple[int, str]) -> Gpu:
    """Return a device of which only its number or UUID is known."""
    index, text = place
    return Gpu(text, int(text) if text.isdigit() else index)

"""Segmentation with Cellpose 4 (the extra ``cellpose``)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs_runtime.functions.models.requirements import missing_library, missing_weights
from openhcs_runtime.functions.models.torch_device import torch_device
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)
from openhcs_runtime.pipeline.models import model

if TYPE_CHECKING:
    import torch
    from cellpose.models import CellposeModel

__all__ = ["segment_cellpose"]

_MOST_CHANNELS = 3


def _problems(weights: str | os.PathLike[str] = "cpsam_v2", **arguments: Any) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    yield from missing_library("cellpose", "Cellpose", "cellpose")
    fetch = f"python -c \"from cellpose.models import cache_model_path; cache_model_path('{weights}')\""
    yield from missing_weights(str(weights), _file_of(weights), _places(weights), fetch)
    if arguments.get("diameter_px") is not None and arguments.get("diameter_um") is not None:
        yield "diameter_px and diameter_um exclude each other: give one of them"


@special_inputs(InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.LABELS, finds="cells")
@checked_by(_problems)
def segment_cellpose(
    stack: Stack,
    *,
    weights: str = "cpsam_v2",
    diameter_px: float | None = None,
    diameter_um: float | None = None,
    flow_threshold: float = 0.4,
    cellprob_threshold: float = 0.0,
    min_size_px: int = 15,
    batch_size: int = 8,
    planes_are_channels: bool = False,
    pixel_size_um: float | None = None,
) -> tuple[Stack, Stack]:
    """Label cells or nuclei with Cellpose; the stack is passed on.

    Weights are never downloaded by a run: they are a file, or the name of a model that Cellpose has stored before.

    Args:
        stack: The images (n, Y, X).
        weights: File of a model, or the name of one in the folder of Cellpose (``CELLPOSE_LOCAL_MODELS_PATH``, or
            ``~/.cellpose/models``).
        diameter_px: Typical diameter in pixels; images are scaled so that it becomes 30 [default: not scaled].
        diameter_um: The same in micrometres; needs the pixel size of the plate.
        flow_threshold: Objects whose flows have a larger error are dropped; 0 keeps all.
        cellprob_threshold: Lower values find more and larger objects.
        min_size_px: Smaller objects are dropped.
        batch_size: Number of tiles of 256 x 256 pixels at a time; fewer need less memory.
        planes_are_channels: Take the planes of the stack as the channels of one image, up to three, such as cytoplasm
            and nuclei; all of them get the same labels.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine.

    Returns:
        The stack, and labels int32 (n, Y, X).

    Raises:
        ValueError: If the pixel size is needed but unknown, or there are more than three channels.
        FileNotFoundError: If the weights are not there.
    """
    device = torch_device()
    file = _file_of(weights)
    if file is None:
        raise FileNotFoundError(f"Cellpose has no weights {weights!r}")
    loaded = _on_cpu(str(file)) if device.type == "cpu" else _on_gpu(str(file), str(device))
    options = {
        "diameter": _diameter(diameter_px, diameter_um, pixel_size_um),
        "flow_threshold": flow_threshold,
        "cellprob_threshold": cellprob_threshold,
        "min_size": min_size_px,
        "batch_size": batch_size,
    }
    if not planes_are_channels:
        return stack, np.stack([loaded.eval(plane, **options)[0] for plane in stack]).astype(np.int32)
    if len(stack) > _MOST_CHANNELS:
        raise ValueError(f"Cellpose takes up to {_MOST_CHANNELS} channels and the stack has {len(stack)} planes")
    labels = loaded.eval(stack, channel_axis=0, **options)[0].astype(np.int32)
    return stack, np.stack([labels] * len(stack))


def _diameter(diameter_px: float | None, diameter_um: float | None, pixel_size_um: float | None) -> float | None:
    if diameter_um is None:
        return diameter_px
    if pixel_size_um is None:
        raise ValueError("diameter_um needs the pixel size, which the plate does not have: give diameter_px")
    return diameter_um / pixel_size_um


@model()
def _on_cpu(file: str) -> "CellposeModel":
    import torch  # noqa: PLC0415  an extra, and slow to import

    return _loaded(file, torch.device("cpu"))


@model(device="gpu")
def _on_gpu(file: str, device: str) -> "CellposeModel":
    import torch  # noqa: PLC0415  an extra, and slow to import

    return _loaded(file, torch.device(device))


def _loaded(file: str, device: "torch.device") -> "CellposeModel":
    from cellpose.models import CellposeModel  # noqa: PLC0415  an extra, and slow to import

    return CellposeModel(pretrained_model=file, device=device, use_bfloat16=device.type != "cpu")


def _file_of(weights: str | os.PathLike[str]) -> Path | None:
    """Return the file of the weights; None if it does not exist. Cellpose itself would then download other ones."""
    return next((path for path in _places(weights) if path.is_file()), None)


def _places(weights: str | os.PathLike[str]) -> list[Path]:
    given = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    folder = Path(given) if given else Path.home() / ".cellpose" / "models"
    return [Path(weights).expanduser(), folder / weights]

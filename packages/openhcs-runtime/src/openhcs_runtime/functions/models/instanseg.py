"""Segmentation with InstanSeg (the extra ``instanseg``)."""

import importlib.util
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
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
    from instanseg import InstanSeg

__all__ = ["InstanSegObjects", "segment_instanseg"]

_FILE = "instanseg.pt"


class InstanSegObjects(StrEnum):
    """What a model labels that knows both."""

    NUCLEI = "nuclei"
    CELLS = "cells"


def _problems(
    weights: str | os.PathLike[str] = "fluorescence_nuclei_and_cells", objects: str = "nuclei", **_arguments: Any
) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    yield from missing_library("instanseg", "InstanSeg", "instanseg")
    fetch = f"python -c \"from instanseg import InstanSeg; InstanSeg('{weights}')\""
    yield from missing_weights(str(weights), _file_of(weights), _places(weights), fetch)
    try:
        choose(InstanSegObjects, objects, "objects")
    except ValueError as error:
        yield str(error)


@special_inputs(InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.LABELS, finds="objects")
@checked_by(_problems)
def segment_instanseg(
    stack: Stack,
    *,
    weights: str = "fluorescence_nuclei_and_cells",
    objects: InstanSegObjects = InstanSegObjects.NUCLEI,
    planes_are_channels: bool = False,
    tile_px: int = 1024,
    pixel_size_um: float | None = None,
) -> tuple[Stack, Stack]:
    """Label nuclei or cells with InstanSeg; the stack is passed on.

    If the plate has a pixel size, images are scaled to that of the model, and the labels back. Weights are never
    downloaded by a run: they are a file, or the name of a model that InstanSeg has stored before.

    Args:
        stack: The images (n, Y, X).
        weights: File of a model (TorchScript), or the name of one that InstanSeg has stored in its folder
            (``INSTANSEG_BIOIMAGEIO_PATH``, or the folder of the package).
        objects: What to label, if the model knows both.
        planes_are_channels: Take the planes of the stack as the channels of one image; all of them get the same labels.
        tile_px: Larger images are processed in tiles of this size.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine.

    Returns:
        The stack, and labels int32 (n, Y, X).

    Raises:
        FileNotFoundError: If the weights are not there.
    """
    device = torch_device()
    file = _file_of(weights)
    if file is None:
        raise FileNotFoundError(f"InstanSeg has no weights {weights!r}")
    loaded = _on_cpu(str(file)) if device.type == "cpu" else _on_gpu(str(file), str(device))
    target = choose(InstanSegObjects, objects, "objects")
    images = [stack] if planes_are_channels else [plane[np.newaxis] for plane in stack]
    labels = [_labels(loaded, image, target, tile_px, pixel_size_um) for image in images]
    return stack, np.stack(labels * len(stack) if planes_are_channels else labels)


def _labels(
    loaded: "InstanSeg", image: Stack, target: InstanSegObjects, tile_px: int, pixel_size_um: float | None
) -> NDArray[np.int32]:
    """Return the labels (Y, X) of an image (C, Y, X)."""
    given = image.astype(np.float32)
    options = {"pixel_size": pixel_size_um, "target": target.value, "return_image_tensor": False}
    if max(image.shape[1:]) > tile_px:
        found = loaded.eval_medium_image(given, tile_size=tile_px, **options)
    else:
        found = loaded.eval_small_image(given, **options)
    labels: NDArray[np.int32] = found.cpu().numpy().reshape(-1, *image.shape[1:])[0].astype(np.int32)
    return labels


@model()
def _on_cpu(file: str) -> "InstanSeg":
    return _loaded(file, "cpu")


@model(device="gpu")
def _on_gpu(file: str, device: str) -> "InstanSeg":
    return _loaded(file, device)


def _loaded(file: str, device: str) -> "InstanSeg":
    import torch  # noqa: PLC0415  an extra, and slow to import
    from instanseg import InstanSeg  # noqa: PLC0415  an extra, and slow to import

    with open(file, "rb"):  # PyTorch's own reading is not seen, and the results depend on the file
        return InstanSeg(torch.jit.load(file, map_location=device), device=device, verbosity=0)


def _file_of(weights: str | os.PathLike[str]) -> Path | None:
    """Return the file of a model; of several versions, the last one."""
    for place in _places(weights):
        found = [place] if place.is_file() else [*sorted(place.glob(f"*/{_FILE}")), *place.glob(_FILE)]
        if found:
            return found[-1]
    return None


def _places(weights: str | os.PathLike[str]) -> list[Path]:
    places = [Path(weights).expanduser()]
    given = os.environ.get("INSTANSEG_BIOIMAGEIO_PATH")
    package = importlib.util.find_spec("instanseg")
    if given:
        places.append(Path(given) / weights)
    elif package is not None and package.submodule_search_locations:
        places.append(Path(package.submodule_search_locations[0]) / "bioimageio_models" / weights)
    return places

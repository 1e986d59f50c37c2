"""Segmentation with StarDist (the extra ``stardist``)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs_runtime.functions.models.requirements import missing_library, missing_weights
from openhcs_runtime.pipeline.decorators import OutputKind, Stack, checked_by, special_outputs
from openhcs_runtime.pipeline.models import model
from openhcs_runtime.pipeline.place import current_place

if TYPE_CHECKING:
    from stardist.models import StarDist2D

__all__ = ["segment_stardist"]

_CONFIG = "config.json"
_LOW, _HIGH = 1.0, 99.8


def _problems(weights: str | os.PathLike[str] = "2D_versatile_fluo", **_arguments: Any) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    yield from missing_library("stardist", "StarDist", "stardist")
    yield from missing_library("tensorflow", "TensorFlow", "stardist")
    fetch = f"python -c \"from stardist.models import StarDist2D; StarDist2D.from_pretrained('{weights}')\""
    yield from missing_weights(str(weights), _folder_of(weights), _places(weights), fetch)


@special_outputs(OutputKind.LABELS, finds="nuclei")
@checked_by(_problems)
def segment_stardist(
    stack: Stack,
    *,
    weights: str = "2D_versatile_fluo",
    prob_threshold: float | None = None,
    overlap_threshold: float | None = None,
    scale: float | None = None,
    tile_px: int = 2048,
) -> tuple[Stack, Stack]:
    """Label nuclei, or other objects of a convex shape, in each plane with StarDist; the stack is passed on.

    Pixels are scaled so that the 1st percentile of a plane becomes 0 and the 99.8th becomes 1. Weights are never
    downloaded by a run: they are a folder, or the name of a model that StarDist has stored before.

    Args:
        stack: The images (n, Y, X).
        weights: Folder of a model with its ``config.json``, or the name of one that StarDist has stored in
            ``~/.keras`` (or ``KERAS_HOME``).
        prob_threshold: Objects are dropped below this probability [default: that of the model].
        overlap_threshold: Of two objects that overlap by more, one is dropped [default: that of the model].
        scale: Factor by which images are scaled for the model [default: not scaled].
        tile_px: Larger images are processed in tiles of about this size.

    Returns:
        The stack, and labels int32 (n, Y, X).

    Raises:
        FileNotFoundError: If the weights are not there.
    """
    folder = _folder_of(weights)
    if folder is None:
        raise FileNotFoundError(f"StarDist has no weights {weights!r}")
    device = _device()
    options = {"prob_thresh": prob_threshold, "nms_thresh": overlap_threshold, "scale": scale}
    tiles = tuple(-(-size // tile_px) for size in stack.shape[1:])
    import tensorflow  # noqa: PLC0415  an extra, and slow to import

    with tensorflow.device(device):
        loaded = _on_cpu(str(folder)) if "CPU" in device else _on_gpu(str(folder), device)
        labels = [
            loaded.predict_instances(_scaled(plane), n_tiles=tiles, show_tile_progress=False, **options)[0]
            for plane in stack
        ]
    return stack, np.stack(labels).astype(np.int32)


def _scaled(plane: Stack) -> Stack:
    """Return a plane as floats from about 0 to 1, as the models were trained."""
    low, high = np.percentile(plane, (_LOW, _HIGH))
    scaled: Stack = ((plane.astype(np.float32) - low) / max(high - low, 1e-20)).astype(np.float32)
    return scaled


def _device() -> str:
    """Return the device of the step as TensorFlow names it."""
    import tensorflow  # noqa: PLC0415  an extra, and slow to import

    place = current_place()
    if place.device is None:
        return "/CPU:0"
    if tensorflow.config.list_physical_devices("GPU"):
        return f"/GPU:{place.ordinal}"
    place.use_cpu("TensorFlow sees no GPU: pip install 'tensorflow[and-cuda]'")
    return "/CPU:0"


@model()
def _on_cpu(folder: str) -> "StarDist2D":
    return _loaded(folder)


@model(device="gpu")
def _on_gpu(folder: str, device: str) -> "StarDist2D":
    return _loaded(folder)


def _loaded(folder: str) -> "StarDist2D":
    from stardist.models import StarDist2D  # noqa: PLC0415  an extra, and slow to import

    path = Path(folder)
    return StarDist2D(None, name=path.name, basedir=str(path.parent))


def _folder_of(weights: str | os.PathLike[str]) -> Path | None:
    """Return the folder with the configuration of a model; Keras has it in one of its own inside the stored one."""
    for place in _places(weights):
        found = sorted(place.glob(_CONFIG)) or sorted(place.glob(f"*/{_CONFIG}"))
        if found:
            return found[0].parent
    return None


def _places(weights: str | os.PathLike[str]) -> list[Path]:
    given = os.environ.get("KERAS_HOME")
    stored = (Path(given) if given else Path.home() / ".keras") / "models" / "StarDist2D"
    return [Path(weights).expanduser(), stored / weights, stored / f"{weights}_extracted"]

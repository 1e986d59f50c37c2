"""Segmentation with any ONNX model, through ``onnxruntime`` (the extra ``onnx``)."""

import functools
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.functions.models.from_maps import MapRule, labels_from_maps
from openhcs_runtime.functions.models.onnx_arguments import number_problems
from openhcs_runtime.functions.models.onnx_file import external_files, file_problems
from openhcs_runtime.functions.models.requirements import missing_library
from openhcs_runtime.functions.models.tiles import Tiling, in_tiles
from openhcs_runtime.pipeline.decorators import OutputKind, Stack, checked_by, special_outputs
from openhcs_runtime.pipeline.models import model as keeps_model
from openhcs_runtime.pipeline.place import current_place
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.rois.label_numbers import consecutive

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["ModelInput", "ModelOutput", "segment_onnx"]

Image = NDArray[np.float32]
_GPU_PROVIDERS = ("CUDAExecutionProvider", "ROCMExecutionProvider", "MIGraphXExecutionProvider", "DmlExecutionProvider")
_CPU_PROVIDER = "CPUExecutionProvider"
_LOW, _HIGH = 1.0, 99.8
_DIMENSIONS = 4
_MOST_LAST, _MOST_CHANNELS = 4, 16
"""A last dimension up to the first, after a second one above the other, is taken for the channels."""
_MOST_SAID = 200


class ModelInput(StrEnum):
    """How the pixels of a plane are scaled for a model."""

    PERCENTILE = "percentile"
    """The 1st percentile of the plane becomes 0, and the 99.8th becomes 1."""
    ZSCORE = "zscore"
    """Mean 0, standard deviation 1."""
    RANGE = "range"
    """Integers are divided by the largest number of their type; other values stay."""
    NONE = "none"
    """As they are."""


class ModelOutput(StrEnum):
    """What the channels of the output of a model are."""

    PROBABILITY = "probability"
    """Probabilities or distances, used as they are."""
    LOGITS = "logits"
    """Logits; a sigmoid makes a probability of each channel."""
    CLASSES = "classes"
    """Logits of classes that exclude each other; a softmax over the channels makes probabilities."""
    LABELS = "labels"
    """Labels: each object has its number."""


def _problems(model: object = None, **arguments: Any) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    yield from missing_library("onnxruntime", "onnxruntime", "onnx")
    for name, kind in (("normalize", ModelInput), ("output", ModelOutput)):
        try:
            choose(kind, arguments.get(name, next(iter(kind))), name)
        except ValueError as error:
            yield str(error)
    yield from number_problems(arguments)
    if not isinstance(model, str | Path):
        return
    file = Path(model).expanduser()
    if file.suffix.lower() not in (".onnx", ".ort"):
        yield f"model {str(model)!r} is not an ONNX file: give a file that ends in .onnx"
    elif file.exists():
        yield from file_problems(file)


@special_outputs(OutputKind.LABELS, finds="objects")
@checked_by(_problems)
def segment_onnx(
    stack: Stack,
    *,
    model: Path,
    normalize: ModelInput = ModelInput.PERCENTILE,
    output: ModelOutput = ModelOutput.PROBABILITY,
    threshold: float = 0.5,
    foreground: int = 0,
    boundary: int | None = None,
    distance: int | None = None,
    min_area_px: float = 0,
    tile_px: int | None = None,
    overlap_px: int = 64,
    multiple_px: int = 32,
) -> tuple[Stack, Stack]:
    """Label the objects that an ONNX model finds; the stack is passed on.

    The model has one input (N, C, Y, X) of floats, and its first output is (N, K, Y, X) or (N, Y, X), of the same
    height and width; a model whose channels come last has to be exported with channels first. If C is 1, it gets each
    plane by itself; otherwise the planes of the stack are its channels
    (``variable_components=(Component.CHANNEL,)``), and all of them get the same labels.

    With ``gpu=`` in the step, the model runs on the GPU of the well, if the installed onnxruntime can
    (``pip install onnxruntime-gpu``); otherwise it runs on the CPU, and the run ends with a warning.

    Args:
        stack: The images (n, Y, X).
        model: The file of the model.
        normalize: How pixels are scaled.
        output: What the channels of the output are.
        threshold: Pixels are foreground, boundary or far from the edge above it.
        foreground: Channel of the foreground, from 0; with labels, the channel of the labels.
        boundary: Channel of the boundaries that separate touching objects [default: there is none].
        distance: Channel of the distance to the edge, whose high parts are one object each [default: there is none].
        min_area_px: Smaller objects are dropped.
        tile_px: Height and width of the tiles in which larger images are processed [default: the size that the model
            is fixed to, or the whole image].
        overlap_px: Number of pixels by which tiles overlap.
        multiple_px: Images are extended to a multiple of this size, as most networks halve them several times.

    Returns:
        The stack, and labels int32 (n, Y, X).

    Raises:
        ValueError: If the model can't be loaded or does not take such a stack, its output has another size or lacks a
            channel, or the stack or the output has values that are not numbers.
    """
    if not np.isfinite(stack).all():
        raise ValueError("the stack has pixels that are NaN or infinite: replace them in an earlier step")
    session = _session(model)
    rule = MapRule(threshold, foreground, boundary, distance, min_area_px)
    scaled = np.stack([_scaled(plane, choose(ModelInput, normalize, "normalize")) for plane in stack])
    kind = choose(ModelOutput, output, "output")
    channels, height, width = _input_shape(session)
    labels = []
    for image in _images(scaled, channels):
        size_y, size_x = (
            height or min(tile_px or image.shape[1], image.shape[1]),
            width or min(tile_px or image.shape[2], image.shape[2]),
        )
        multiple = 1 if height or width else multiple_px
        if kind is ModelOutput.LABELS and (size_y < image.shape[1] or size_x < image.shape[2]):
            raise ValueError("labels of tiles can't be joined: use a model whose output are probabilities, or no tiles")
        maps = in_tiles(image, Tiling(size_y, size_x, overlap_px, multiple), functools.partial(_predict, session))
        labels.append(_labels(maps, kind, rule))
    return stack, np.stack(labels if len(labels) == len(stack) else labels * len(stack))


def _labels(maps: Image, kind: ModelOutput, rule: MapRule) -> NDArray[np.int32]:
    lacking = [one for one in (rule.foreground, rule.boundary, rule.distance) if one is not None and one >= len(maps)]
    if lacking:
        raise ValueError(f"the output of the model has {len(maps)} channels, so there is no channel {lacking[0]}")
    match kind:
        case ModelOutput.LABELS:
            _check_numbers(maps)
            return consecutive(maps[rule.foreground].astype(np.int32))[1]
        case ModelOutput.LOGITS:
            maps = (1 / (1 + np.exp(-maps))).astype(np.float32)
        case ModelOutput.CLASSES:
            maps = np.exp(maps - maps.max(axis=0))
            maps /= maps.sum(axis=0)
        case ModelOutput.PROBABILITY:
            pass
    _check_numbers(maps)
    return labels_from_maps(maps, rule)


def _check_numbers(maps: Image) -> None:
    if not np.isfinite(maps).all():
        raise ValueError(
            "the output of the model has values that are NaN or infinite: check normalize and output of the step, and "
            "how the model was exported"
        )


def _images(stack: Image, channels: int) -> Iterator[Image]:
    """Yield what the model gets at a time (C, Y, X)."""
    if channels == 1:
        yield from (plane[np.newaxis] for plane in stack)
    elif channels == len(stack):
        yield stack
    else:
        raise ValueError(
            f"the model takes {channels} channels and the stack has {len(stack)} planes: set variable_components so "
            "that the stack has as many"
        )


def _scaled(plane: NDArray[Any], kind: ModelInput) -> Image:
    """Return a plane as floats, scaled."""
    if kind is ModelInput.RANGE and plane.dtype.kind in "iu":
        return plane.astype(np.float32) / np.float32(np.iinfo(plane.dtype).max)
    image = plane.astype(np.float32)
    if kind is ModelInput.PERCENTILE:
        low, high = np.percentile(image, (_LOW, _HIGH))
    elif kind is ModelInput.ZSCORE:
        low, high = image.mean(), image.mean() + image.std()
    else:
        return image
    scaled: Image = ((image - low) / max(high - low, 1e-6)).astype(np.float32)
    return scaled


def _predict(session: "InferenceSession", tile: Image) -> Image:
    """Return the maps (K, y, x) for a tile (C, y, x)."""
    given = session.get_inputs()[0]
    batch = np.ascontiguousarray(tile[np.newaxis], dtype=np.float16 if "16" in given.type else np.float32)
    try:
        (result, *_) = session.run(None, {given.name: batch})
    except MemoryError:
        raise
    except Exception as error:  # those of onnxruntime have nothing in common
        raise ValueError(f"the model can't process an input of shape {batch.shape}: {_short(error)}") from error
    maps = np.asarray(result, dtype=np.float32)
    maps = maps[0] if maps.ndim == _DIMENSIONS else maps[:1] if maps.ndim == _DIMENSIONS - 1 else maps
    if maps.ndim != _DIMENSIONS - 1 or maps.shape[1:] != tile.shape[1:]:
        raise ValueError(
            f"the output of the model has shape {np.shape(result)} for an input of shape {batch.shape}: it has to be "
            "(N, K, Y, X) or (N, Y, X) with the same Y and X"
        )
    return maps


def _input_shape(session: "InferenceSession") -> tuple[int, int, int]:
    """Return the channels, height and width that the model takes; a size that it leaves open is 0, channels are 1."""
    given = session.get_inputs()[0]
    if len(given.shape) != _DIMENSIONS or "float" not in given.type:
        raise ValueError(f"the input of the model is {given.type} {given.shape}: it has to be float (N, C, Y, X)")
    *_, rows, _, last = given.shape
    if isinstance(last, int) and 1 <= last <= _MOST_LAST and not (isinstance(rows, int) and rows <= _MOST_CHANNELS):
        raise ValueError(
            f"the input of the model is {given.shape}, which looks like (N, Y, X, C): export it with channels first, "
            "(N, C, Y, X), for example with the option --inputs-as-nchw of tf2onnx"
        )
    _, channels, height, width = (size if isinstance(size, int) else 0 for size in given.shape)
    return channels or 1, height, width


def _session(model: Path) -> "InferenceSession":
    """Return the loaded model, on the GPU of the step if it has one."""
    import onnxruntime  # noqa: PLC0415  an extra

    place = current_place()
    threads = place.resources.threads or 1
    path = Path(model).expanduser()
    weights = external_files(path)
    for used in (path, *weights):  # those of a model that is loaded already are not opened again
        read_recorder().note(used)
    file, data = str(path), tuple(map(str, weights))
    if place.device is None:
        return _on_cpu(file, data, threads)
    provider = next((known for known in _GPU_PROVIDERS if known in onnxruntime.get_available_providers()), None)
    if provider is None:
        place.use_cpu("onnxruntime has no provider for GPUs: pip install onnxruntime-gpu")
        return _on_cpu(file, data, threads)
    session = _on_gpu(file, data, threads, provider, place.ordinal)
    if provider not in session.get_providers():
        place.use_cpu(f"{provider} of onnxruntime does not work here, as its own log says")
    return session


@keeps_model()
def _on_cpu(file: str, _data: tuple[str, ...], threads: int) -> "InferenceSession":
    return _loaded(file, threads, [_CPU_PROVIDER])


@keeps_model(device="gpu")
def _on_gpu(file: str, _data: tuple[str, ...], threads: int, provider: str, ordinal: int) -> "InferenceSession":
    return _loaded(file, threads, [(provider, {"device_id": str(ordinal)}), _CPU_PROVIDER])


def _loaded(file: str, threads: int, providers: Sequence[Any]) -> "InferenceSession":
    import onnxruntime  # noqa: PLC0415  an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        with open(file, "rb"):  # onnxruntime's own reading is not seen, and the results depend on the file
            return onnxruntime.InferenceSession(file, options, providers=list(providers))
    except (MemoryError, OSError):
        raise
    except Exception as error:  # those of onnxruntime have nothing in common
        raise ValueError(f"model {file!r} can't be loaded: {_short(error)}") from error


def _short(error: Exception) -> str:
    """Return what onnxruntime says as one line, without its codes and places in C++."""
    text = " ".join(str(error).split()).rpartition("[ONNXRuntimeError] : ")[2]
    said = re.sub(r"^\d+ : \w+ : |\S+\.(cc|h):\d+ .*?\) ", "", text)
    return said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}..."

"""Measures objects with cp_measure, under its names (the extra ``cellprofiler``)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.measured import largest_value
from openhcs_runtime.functions.features.sites import Site, sites_of
from openhcs_runtime.functions.models.requirements import missing_library
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)
from openhcs_runtime.rois.label_numbers import consecutive

_SEPARATOR = "__"
"""What cp_measure puts between the name of a feature and its channels."""
_FINE_GRID = 65535
_COARSEST_GRID = 255
_CORRELATIONS = ("pearson", "costes", "manders_fold", "rwc")
_WRONG = ("FirstClosestObjectNumber", "SecondClosestObjectNumber")
"""cp_measure gives the object itself as the closest."""
_OF_SECOND = ("SecondClosestDistance", "AngleBetweenNeighbors")

_Columns = dict[str, NDArray[np.float64]]


def _problems(**_arguments: Any) -> Iterator[str]:
    """Yield what is missing for a step."""
    yield from missing_library("cp_measure", "cp_measure", "cellprofiler")


@special_inputs(InputKind.SHARED_LABELS, InputKind.CHANNELS, InputKind.SET_NAMES, InputKind.OBJECT_SETS)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def measure_cellprofiler(
    stack: Stack,
    *,
    shared_labels: Stack,
    channels: Sequence[str],
    set_names: Sequence[str] = (),
    object_sets: Mapping[str, Stack] = {},
    name: str = "",
    intensity_max: float | None = None,
    texture_scale_px: int = 3,
) -> tuple[Stack, list[Measurements]]:
    """Measure labelled objects with all features of cp_measure, under its names; the stack is passed on.

    For a step with ``variable_components=["channel"]``, whose stack has the channels of one site: with 5 channels about
    1,035 features, such as ``Intensity_MeanIntensity`` of each channel, ``Correlation_Pearson_DAPI_ER`` of pairs, and
    ``Area`` and ``Neighbors_NumberOfNeighbors_Adjacent``, which depend on no channel. They are those of CellProfiler
    (Carpenter et al., Genome Biology 7:R100, 2006). ``measure_features`` measures most of them several times faster.

    Pixels are divided by the largest value that they can have, as CellProfiler does. The numbers of the closest
    objects are left out, since cp_measure gives the object itself; infinite values are missing.

    Args:
        stack: The channels (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        channels: Names of the channels, from the engine.
        set_names: Names of the sets of objects, from the engine.
        object_sets: The labels of each set of objects, from the engine.
        name: Name of the set of objects, and of its table; if channels have labels of different sets, the set to
            measure [default: the name of the labels].
        intensity_max: The largest value that a pixel can have [default: that of unsigned images of 8 or 16 bits].
        texture_scale_px: Distance of the pairs of pixels of the texture.

    Returns:
        The stack, and one ``Measurements`` for each plane; the first also has what does not depend on a channel.

    Raises:
        ValueError: If the channels have different labels and no set is named, ``intensity_max`` is missing or too
            small, or a pixel is not finite.
    """
    sites = sites_of(stack, shared_labels, channels, set_names, name, object_sets)
    return stack, [plane for site in sites for plane in _of_site(site, intensity_max, texture_scale_px, name)]


def _of_site(site: Site, intensity_max: float | None, scale_px: int, name: str) -> Iterator[Measurements]:
    numbers, labels = consecutive(site.labels)
    found: list[_Columns] = [{} for _ in site.planes]
    common: _Columns = {}
    if len(numbers):
        common = _featurized(site, labels, intensity_max, scale_px, found)
        if len(numbers) > 1:
            common |= _neighbours(labels)
    count = f"{site.prefix}_count"
    labels_only = {"label": numbers}
    first, *others = found
    yield Measurements({count: len(numbers)}, labels_only | _finite(common | first), name, (*common, count))
    for columns in others:
        yield Measurements({}, labels_only | _finite(columns), name)


def _featurized(
    site: Site, labels: NDArray[np.int32], intensity_max: float | None, scale_px: int, found: list[_Columns]
) -> _Columns:
    """Add the features of each channel to ``found``, and return those that do not depend on one channel."""
    from cp_measure.featurizer import featurize, make_featurizer_config  # noqa: PLC0415  an extra, and slow to import

    images, grid = _scaled(site, intensity_max)
    places = [str(at) for at in range(len(images))]  # names of channels may have anything in them
    pairs = {f"correlation_{kind}": len(images) > 1 for kind in _CORRELATIONS}
    settings = make_featurizer_config(
        places, correlation_costes_params={"scale_max": grid}, texture_params={"scale": scale_px}, **pairs
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        table, names, _ = featurize(images[np.newaxis], labels[np.newaxis, np.newaxis], settings)
    common: _Columns = {}
    for full, values in zip(names, table.T, strict=True):
        feature, *of = full.split(_SEPARATOR)
        if len(of) == 1:
            found[int(of[0])][feature] = values
        else:
            common["_".join([feature, *(site.channels[int(place)] for place in of)])] = values
    return common


def _scaled(site: Site, intensity_max: float | None) -> tuple[NDArray[np.float64], int]:
    """Return the images from 0 to 1, (n, Y, X), and the number of steps between that Costes' threshold can have."""
    named = list(zip(site.planes, site.channels, strict=True))
    for plane, channel in named:
        if not np.isfinite(plane).all():
            raise ValueError(f"channel {channel} has pixels that are not finite (NaN or infinite): replace them first")
        if plane.min() < 0:
            raise ValueError(f"channel {channel} has pixels below 0, which cp_measure can't measure: raise them to 0")
    scales = [largest_value(plane, channel, intensity_max) for plane, channel in named]
    images = np.stack([plane / scale for plane, scale in zip(site.planes, scales, strict=True)])
    return images, int(max(scales)) if max(scales) >= _COARSEST_GRID else _FINE_GRID


def _neighbours(labels: NDArray[np.int32]) -> _Columns:
    from cp_measure.multimask.measureobjectneighbors import (  # noqa: PLC0415  an extra, and slow to import
        D_ADJACENT,
        measureobjectneighbors,
    )

    with np.errstate(divide="ignore", invalid="ignore"):
        values = measureobjectneighbors(labels, labels, D_ADJACENT)
    known = {name: np.asarray(each, float) for name, each in values.items() if not any(part in name for part in _WRONG)}
    has_second = labels.max() > 2  # else cp_measure gives a distance of 0
    return {
        name: each if has_second or not any(part in name for part in _OF_SECOND) else np.full(len(each), np.nan)
        for name, each in known.items()
    }


def _finite(columns: _Columns) -> dict[str, NDArray[Any]]:
    """Return columns in which infinite values are missing."""
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in columns.items()}

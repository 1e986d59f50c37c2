"""The steps that measure native features of objects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.functions.features.arguments import distances_problems, refuse
from openhcs_runtime.functions.features.catalogue import FeatureGroup
from openhcs_runtime.functions.features.granularity import GranularitySettings
from openhcs_runtime.functions.features.measured import IN_SITES, FeatureSettings, measure_site
from openhcs_runtime.functions.features.sites import Site, planes_of, sites_of
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)

__all__ = [
    "measure_colocalisation",
    "measure_features",
    "measure_granularity",
    "measure_haralick",
    "measure_radial",
    "measure_zernike",
]

_INPUTS = (InputKind.SHARED_LABELS, InputKind.CHANNELS, InputKind.SET_NAMES)


def _problems(
    groups: Iterable[str] = IN_SITES,
    intensity_max: float | None = None,
    distances_px: Sequence[int] = (3,),
    rings: int = 4,
    **_arguments: Any,
) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    try:
        FeatureSettings(_chosen(groups), intensity_max, _fixed(distances_px), rings)
    except ValueError as error:
        yield str(error)


def _granularity_problems(
    steps: int = 16, subsampling: float = 0.25, background_radius_px: int = 10, **_arguments: Any
) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step that measures granularity."""
    try:
        GranularitySettings(subsampling, steps=steps, background_radius_px=background_radius_px)
    except ValueError as error:
        yield str(error)


def _fixed(distances_px: Sequence[int]) -> tuple[int, ...]:
    """Return a copy of the distances.

    Raises:
        ValueError: They are not a list of whole numbers of 1 or more.
    """
    refuse(distances_problems("distances_px", distances_px))
    return tuple(distances_px)


def _chosen(groups: Iterable[str]) -> tuple[FeatureGroup, ...]:
    given = (groups,) if isinstance(groups, str) else tuple(groups)
    chosen = tuple(choose(FeatureGroup, group, "group of features") for group in given)
    apart = [group for group in chosen if group not in IN_SITES]
    if apart:
        raise ValueError(f"{apart[0]} is not measured by measure_features: use the step of its own (docs/features.md)")
    return chosen


@special_inputs(*_INPUTS, InputKind.OBJECT_SETS, InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def measure_features(
    stack: Stack,
    *,
    shared_labels: Stack,
    channels: Sequence[str],
    pixel_size_um: float | None,
    set_names: Sequence[str] = (),
    object_sets: Mapping[str, Stack] = {},
    name: str = "",
    groups: Iterable[str] = IN_SITES,
    intensity_max: float | None = None,
    distances_px: Sequence[int] = (3,),
    rings: int = 4,
) -> tuple[Stack, list[Measurements]]:
    """Measure about 1,000 features of the labelled objects of a site with 5 channels; the stack is passed on.

    For a step with ``variable_components=["channel"]``, whose stack has the channels of one site. In other steps,
    whose images are all of one channel, each image is measured by itself. The names are those of docs/features.md,
    the values those of cp_measure within the tolerances in the modules of ``openhcs_runtime.functions.features``.

    Args:
        stack: The channels (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        channels: Names of the channels, from the engine.
        set_names: Names of the sets of objects, from the engine.
        object_sets: The labels of each set of objects, from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        name: Name of the set of objects, and of its table; if channels have labels of different sets, the set to
            measure [default: the name of the labels].
        groups: Groups of features: shape, zernike, intensity, radial, granularity, texture, colocalisation.
        intensity_max: The largest value that a pixel can have, for texture and Costes' threshold, such as 4095 for a
            camera of 12 bits [default: that of unsigned images of 8 or 16 bits].
        distances_px: Distances of the pairs of pixels of the texture.
        rings: Number of rings of the radial distribution.

    Returns:
        The stack, and one ``Measurements`` for each plane; the first also has what does not depend on a channel.

    Raises:
        ValueError: If the channels have different labels and no set is named, or ``intensity_max`` is missing or too
            small.
    """
    settings = FeatureSettings(_chosen(groups), intensity_max, _fixed(distances_px), rings, pixel_size_um=pixel_size_um)
    return stack, _measured(sites_of(stack, shared_labels, channels, set_names, name, object_sets), settings, name)


@special_inputs(*_INPUTS)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_granularity_problems)
def measure_granularity(
    stack: Stack,
    *,
    shared_labels: Stack,
    channels: Sequence[str],
    set_names: Sequence[str] = (),
    name: str = "",
    steps: int = 16,
    subsampling: float = 0.25,
    background_radius_px: int = 10,
) -> tuple[Stack, list[Measurements]]:
    """Measure the granularity of labelled objects; the stack is passed on.

    Columns of an object: ``label``, ``granularity_<k>_percent``, the brightness lost in step k (Ravkin & Temov, 1988).

    Args:
        stack: The images (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        channels: Names of the channels, from the engine.
        set_names: Names of the sets of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].
        steps: Number of steps, 1 to 256.
        subsampling: Factor by which images are reduced first, above 0 and at most 1.
        background_radius_px: Radius of the disk that the background is opened with, in reduced pixels, 1 to 500.

    Returns:
        The stack, and one ``Measurements`` for each plane.

    Raises:
        ValueError: If an argument is out of range.
    """
    granularity = GranularitySettings(subsampling, steps=steps, background_radius_px=background_radius_px)
    settings = FeatureSettings((FeatureGroup.GRANULARITY,), granularity=granularity)
    return stack, _measured(planes_of(stack, shared_labels, channels, set_names, name), settings, name)


@special_inputs(*_INPUTS)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def measure_radial(
    stack: Stack,
    *,
    shared_labels: Stack,
    channels: Sequence[str],
    set_names: Sequence[str] = (),
    name: str = "",
    rings: int = 4,
) -> tuple[Stack, list[Measurements]]:
    """Measure how brightness is distributed from the centre to the edge of labelled objects; the stack is passed on.

    Columns of an object: ``label``, and for each ring ``radial_fraction_<k>of<rings>``, ``radial_mean_fraction_...``
    and ``radial_cv_...`` (CellProfiler's MeasureObjectIntensityDistribution).

    Args:
        stack: The images (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        channels: Names of the channels, from the engine.
        set_names: Names of the sets of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].
        rings: Number of rings.

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    settings = FeatureSettings((FeatureGroup.RADIAL,), rings=rings)
    return stack, _measured(planes_of(stack, shared_labels, channels, set_names, name), settings, name)


@special_inputs(*_INPUTS)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def measure_haralick(
    stack: Stack,
    *,
    shared_labels: Stack,
    channels: Sequence[str],
    set_names: Sequence[str] = (),
    name: str = "",
    distances_px: Sequence[int] = (3,),
    intensity_max: float | None = None,
) -> tuple[Stack, list[Measurements]]:
    """Measure the thirteen texture features of Haralick in four directions; the stack is passed on.

    Columns of an object: ``label``, ``texture_<feature>_d<distance>_a<angle>`` (Haralick, Shanmugam & Dinstein, 1973).
    ``measure_texture`` measures five of them, as means over the directions.

    Args:
        stack: The images (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        channels: Names of the channels, from the engine.
        set_names: Names of the sets of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].
        distances_px: Distances between the pixels of a pair.
        intensity_max: The largest value that a pixel can have, which is grey level 255 [default: that of unsigned
            images of 8 or 16 bits].

    Returns:
        The stack, and one ``Measurements`` for each plane.

    Raises:
        ValueError: If ``intensity_max`` is missing or too small.
    """
    settings = FeatureSettings((FeatureGroup.TEXTURE,), intensity_max, _fixed(distances_px))
    return stack, _measured(planes_of(stack, shared_labels, channels, set_names, name), settings, name)


@special_inputs(*_INPUTS)
@special_outputs(OutputKind.MEASUREMENTS)
def measure_zernike(
    stack: Stack,
    *,
    shared_labels: Stack,
    channels: Sequence[str],
    set_names: Sequence[str] = (),
    name: str = "",
) -> tuple[Stack, list[Measurements]]:
    """Measure Zernike moments of the shape and the brightness of labelled objects; the stack is passed on.

    Columns of an object: ``label``, ``zernike_<n>_<m>``, ``radial_zernike_magnitude_<n>_<m>`` and
    ``radial_zernike_phase_<n>_<m>_deg``, up to n = 9 (Boland, Markey & Murphy, Cytometry 33, 1998).

    Args:
        stack: The images (n, Y, X).
        shared_labels: Integer labels (n, Y, X), from the engine.
        channels: Names of the channels, from the engine.
        set_names: Names of the sets of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    settings = FeatureSettings((FeatureGroup.ZERNIKE,))
    return stack, _measured(planes_of(stack, shared_labels, channels, set_names, name), settings, name)


@special_inputs(*_INPUTS, InputKind.OBJECT_SETS)
@special_outputs(OutputKind.MEASUREMENTS)
@checked_by(_problems)
def measure_colocalisation(
    stack: Stack,
    *,
    shared_labels: Stack,
    channels: Sequence[str],
    set_names: Sequence[str] = (),
    object_sets: Mapping[str, Stack] = {},
    name: str = "",
    intensity_max: float | None = None,
) -> tuple[Stack, list[Measurements]]:
    """Measure the colocalisation of each pair of channels in labelled objects; the stack is passed on.

    For a step with ``variable_components=["channel"]``. Columns of an object: ``label`` and for each pair ``pearson_``,
    ``slope_``, ``overlap_``, ``overlap_k_``, ``manders_``, ``rwc_`` and ``manders_costes_`` with the names of both
    channels (Manders et al., 1993; Costes et al., 2004; Singan et al., 2011).

    Args:
        stack: The channels (n, Y, X), two or more.
        shared_labels: Integer labels (n, Y, X), from the engine.
        channels: Names of the channels, from the engine.
        set_names: Names of the sets of objects, from the engine.
        object_sets: The labels of each set of objects, from the engine.
        name: Name of the set of objects [default: the name of the labels].
        intensity_max: The largest value that a pixel can have, for Costes' threshold [default: that of unsigned images
            of 8 or 16 bits].

    Returns:
        The stack, and one ``Measurements`` for each plane, the first with all columns.

    Raises:
        ValueError: If the stack has a single channel, or ``intensity_max`` is missing or too small.
    """
    if len(set(channels)) < 2:
        raise ValueError("colocalisation needs two channels in a stack: give the step variable_components=['channel']")
    settings = FeatureSettings((FeatureGroup.COLOCALISATION,), intensity_max)
    return stack, _measured(sites_of(stack, shared_labels, channels, set_names, name, object_sets), settings, name)


def _measured(sites: Iterable[Site], settings: FeatureSettings, name: str) -> list[Measurements]:
    return [plane for site in sites for plane in _of_site(site, settings, name)]


def _of_site(site: Site, settings: FeatureSettings, name: str) -> Iterator[Measurements]:
    """Yield the measurements of each channel; the first also has what does not depend on one."""
    features = measure_site(site.planes, site.channels, site.labels, settings)
    count = f"{site.prefix}_count"
    first, *others = features.channels
    labels: dict[str, NDArray[np.generic]] = {"label": features.numbers}
    common = (*features.common, count)
    yield Measurements({count: len(features.numbers)}, labels | features.common | first, name, common)
    for columns in others:
        yield Measurements({}, labels | columns, name)

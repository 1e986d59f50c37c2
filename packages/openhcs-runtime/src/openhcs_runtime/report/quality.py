"""Quality control: sharpness, saturation and background of the images, and what is unusual, with the reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.report.html import NOTHING, Html, element, joined
from openhcs_runtime.report.measures import WellMeasure, measure_title
from openhcs_runtime.report.plate_svg import PlateDrawing
from openhcs_runtime.report.run import ReportedRun
from openhcs_runtime.report.section import Section, paragraph, table
from openhcs_runtime.tables.columns import column_of
from openhcs_runtime.tables.schema import Measure
from zmqruntime.execution.text import plural

if TYPE_CHECKING:
    import pyarrow

_IMAGES = "images"
_MOST_ROWS = 200
_CUTOFF = 4.0
_MAD_TO_SD = 1.4826
"""Ratio of standard deviation to median absolute deviation of a normal distribution."""
_FEWEST = 8
"""Images from which on outliers are looked for: below, the median absolute deviation says little."""
_MOST_SATURATED_PERCENT = 1.0
_SATURATED = "saturated"
_FOCUS = "focus_score"
_SIDES: Mapping[str, tuple[int, ...]] = {_FOCUS: (-1,), "background_mean": (-1, 1)}
"""Measures of images of which outliers are flagged, and the sides on which they are: counts are flagged if low."""
_MOST_FOCUS_MAPS = 2
_WORDS = {-1: "low", 1: "high"}
_REASON = "quality_reason"
_SITE = "image"
"""A row of the table of images: a site, plane and time point, with all its channels."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FlaggedImage:
    """An image that is unusual.

    Attributes:
        well: its well.
        place: site, plane and time point, as far as the plate has several.
        site: number of its site; None if it is not known.
        reasons: what is unusual.
    """

    well: str
    place: str
    site: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of the images of a run.

    Attributes:
        images: number of images with measurements.
        wells: well of each image.
        flagged: images that are unusual, in the order of the table.
        columns: numbers of each quality measure by image, with what the measure is.
        focus: sharpness of each image, the lowest of its channels relative to the median of the channel; None if it
            was not measured.
    """

    images: int
    wells: tuple[str, ...]
    flagged: tuple[FlaggedImage, ...]
    columns: tuple[tuple[Measure, Floats], ...]
    focus: Floats | None

    def rank(self) -> tuple[str, str] | None:
        """Return the best and the worst well: by flagged images, then by sharpness; None for fewer than two wells."""
        wells = tuple(dict.fromkeys(self.wells))
        if len(wells) < 2 or (self.focus is None and not self.flagged):
            return None
        flags = dict.fromkeys(wells, 0)
        for image in self.flagged:
            flags[image.well] += 1
        focus = self._focus_of(wells)
        ordered = sorted(wells, key=lambda well: (flags[well], -focus[well]))
        return ordered[0], ordered[-1]

    def _focus_of(self, wells: Sequence[str]) -> dict[str, float]:
        if self.focus is None:
            return dict.fromkeys(wells, 0.0)
        of_image = np.asarray(self.wells)
        lowest = {well: self.focus[of_image == well] for well in wells}
        return {well: float(np.nanmean(found)) if np.isfinite(found).any() else 0.0 for well, found in lowest.items()}


def read_quality(run: ReportedRun) -> Quality | None:
    """Read what was measured of each image, and flag what is unusual; None if there is no table of images.

    An image is flagged if its sharpness is low, its background is low or high, or a count is low in comparison with
    the other images of the run: a robust z-score (median and 1.4826 x median absolute deviation, as in Birmingham et
    al., Nature Methods 2009) beyond 4, from 8 images on. It is also flagged if more than 1 % of its pixels are
    saturated, and if the pipeline has flagged it (``quality_gate``).

    Raises:
        DamagedResultError: the table can't be read.
    """
    results = run.results
    if _IMAGES not in results.tables:
        return None
    schema = results.schema(_IMAGES)
    measured = {name: measure for name, measure in schema.measures.items() if _is_quality(measure.measure)}
    told = {name: measure.channel for name, measure in schema.measures.items() if measure.measure == _REASON}
    read = results.arrow(_IMAGES, [*schema.keys, *measured, *told])
    columns = tuple((measure, _floats(read, name)) for name, measure in measured.items())
    by_pipeline = {channel: read[name].to_pylist() for name, channel in told.items()}
    reasons = _all_reasons(read.num_rows, columns, by_pipeline)
    for channel, found in by_pipeline.items():
        of_pipeline = f"pipeline, {channel}" if channel else "pipeline"
        for index, reason in enumerate(found):
            reasons[index] += [f"{of_pipeline}: {reason}"] if reason else []
    wells = tuple(read["well"].to_pylist())
    places, sites = _places(read), read["site"].to_pylist()
    flagged = tuple(
        FlaggedImage(well, place, site, tuple(why))
        for well, place, site, why in zip(wells, places, sites, reasons, strict=True)
        if why
    )
    return Quality(read.num_rows, wells, flagged, columns, _focus(columns))


def quality_section(quality: Quality | None, drawing: PlateDrawing) -> Section:
    """Return the section on the quality of the images.

    Args:
        quality: what was measured; None if nothing was.
        drawing: the plate.
    """
    if quality is None:
        missing = ("The run has no table of images, so there is nothing to say about their quality.",)
        return Section("quality", "Quality of the images", NOTHING, missing)
    left_out = []
    if not any(measure.measure in (*_SIDES, _SATURATED) for measure, _ in quality.columns):
        left_out.append(
            "Sharpness, saturation and background were not measured: add FunctionStep(measure_quality) to the pipeline."
        )
    return Section("quality", "Quality of the images", joined(*_content(quality, drawing)), tuple(left_out))


def _content(quality: Quality, drawing: PlateDrawing) -> Iterator[Html]:
    count = len(quality.flagged)
    if quality.columns:
        wells = len({image.well for image in quality.flagged})
        verb = "is" if count == 1 else "are"
        said = (
            f"{count} of {plural(quality.images, _SITE)} {verb} flagged, in {plural(wells, 'well')}." if count else ""
        )
        yield paragraph(said or f"None of {plural(quality.images, _SITE)} is flagged.")
        yield table("Quality measures", ("Measure", "Lowest", "Median", "Highest"), map(_spread, quality.columns))
    if quality.images < _FEWEST and quality.columns:
        yield paragraph(f"Outliers are looked for from {_FEWEST} images on.", "quiet")
    if count:
        shown = quality.flagged[:_MOST_ROWS]
        more = f"The first {_MOST_ROWS} of {count} flagged images." if count > _MOST_ROWS else ""
        rows = [(image.well, image.place, "; ".join(image.reasons)) for image in shown]
        yield table("Flagged images", ("Well", "Image", "Reason"), rows, more)

    maps = [drawing.draw(measure) for measure in _well_maps(quality)]
    if maps:
        yield element("div", *maps, class_=drawing.style(len(maps)))


def _well_maps(quality: Quality) -> Iterator[WellMeasure]:
    """Yield the sharpness of each well, the mean of its images, for the first channels; and its flagged images."""
    wells = np.asarray(quality.wells)
    focus = [(measure, values) for measure, values in quality.columns if measure.measure == _FOCUS]
    for measure, values in focus[:_MOST_FOCUS_MAPS]:
        means = {well: values[wells == well] for well in dict.fromkeys(quality.wells)}
        known = {well: float(np.nanmean(found)) for well, found in means.items() if np.isfinite(found).any()}
        yield WellMeasure(column_of(measure), measure, known)
    if quality.flagged:
        counts = dict.fromkeys(quality.wells, 0.0)
        for image in quality.flagged:
            counts[image.well] += 1
        yield WellMeasure("", Measure(measure="flagged_images"), counts)


def _spread(column: tuple[Measure, Floats]) -> tuple[str, float | None, float | None, float | None]:
    measure, values = column
    known = values[np.isfinite(values)]
    if not len(known):
        return measure_title(measure), None, None, None
    return measure_title(measure), float(known.min()), float(np.median(known)), float(known.max())


def _is_quality(measure: str) -> bool:
    return measure in _SIDES or measure == _SATURATED or measure.endswith("_count")


def _all_reasons(
    images: int, columns: Sequence[tuple[Measure, Floats]], by_pipeline: Mapping[str, Sequence[str | None]]
) -> list[list[str]]:
    """Return for each image what is unusual about it, apart from channels that the pipeline has flagged.

    Args:
        images: number of images.
        columns: numbers of each measure by image.
        by_pipeline: why the pipeline has flagged each image, by channel.
    """
    reasons: list[list[str]] = [[] for _ in range(images)]
    for measure, values in columns:
        is_said = np.array([bool(reason) for reason in by_pipeline.get(measure.channel, [""] * images)])
        if measure.measure == _SATURATED:
            for index in np.flatnonzero((values > _MOST_SATURATED_PERCENT) & ~is_said):
                reasons[index].append(f"{_named(measure)} {values[index]:.3g} % of the pixels")
            continue
        z, median = robust_z(values)
        for side in _SIDES.get(measure.measure, (-1,)):
            for index in np.flatnonzero((side * z > _CUTOFF) & ~is_said):
                reasons[index].append(f"{_named(measure)} {_WORDS[side]}: {values[index]:.4g}, median {median:.4g}")
    return reasons


def robust_z(values: Floats) -> tuple[Floats, float]:
    """Return the robust z-score of each value (n), 0 where there is no spread, and the median."""
    known = values[np.isfinite(values)]
    if len(known) < _FEWEST:
        return np.zeros(len(values)), float("nan")
    median = float(np.median(known))
    spread = _MAD_TO_SD * float(np.median(np.abs(known - median)))
    return (values - median) / spread if spread else np.zeros(len(values)), median


def _named(measure: Measure) -> str:
    name = "saturated" if measure.measure == _SATURATED else measure.measure.replace("_", " ")
    return f"{name}{f' in {measure.channel}' if measure.channel else ''}"


def _focus(columns: Sequence[tuple[Measure, Floats]]) -> Floats | None:
    """Return the sharpness of each image relative to the median of its channel, the lowest of all channels."""
    scores = [values for measure, values in columns if measure.measure == _FOCUS and np.isfinite(values).any()]
    found = [values / median for values in scores if (median := float(np.nanmedian(values))) > 0]
    return np.min(found, axis=0) if found else None


def _places(read: "pyarrow.Table") -> list[str]:
    """Return what distinguishes each image from others of its well."""
    titles = {"site": "site", "z": "z", "t": "time point"}
    several = {name: read[name].to_pylist() for name in titles if len(read[name].unique()) > 1} or {
        "site": read["site"].to_pylist()
    }
    return [
        ", ".join(f"{titles[name]} {values[index]}" for name, values in several.items())
        for index in range(read.num_rows)
    ]


def _floats(read: "pyarrow.Table", name: str) -> Floats:
    """Return a column of numbers; NaN where there is none."""
    import pyarrow  # noqa: PLC0415  heavy

    return np.asarray(read[name].cast(pyarrow.float64()).to_numpy(), dtype=np.float64)

"""The section of example images: wells with the extremes of the main measure, and of best and worst quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openhcs_runtime.components import well_position
from openhcs_runtime.report.html import NOTHING, Html, element, joined
from openhcs_runtime.report.measures import ChosenMeasures
from openhcs_runtime.report.pictures import CROP, WellPicture, WellPictures, image_data, limits, outline_data
from openhcs_runtime.report.quality import Quality
from openhcs_runtime.report.run import ReportedRun, WellState
from openhcs_runtime.report.section import Section, paragraph

_RULER_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Lengths of scale bars, in micrometres."""
_FEW_CHANNELS = 2
"""Channels of which two wells fit next to each other."""
_LARGEST_RULER = 0.3
"""Largest part of the width of an image that a scale bar takes."""


@dataclass(frozen=True, slots=True)
class ExampleWell:
    """A well that is shown.

    Attributes:
        well: the well.
        why: why it is shown.
        site: the site to show; None for any.
    """

    well: str
    why: str
    site: int | None = None


def choose_wells(run: ReportedRun, chosen: ChosenMeasures, quality: Quality | None) -> tuple[ExampleWell, ...]:
    """Return the wells to show: highest and lowest main measure, best and worst quality; each well once."""
    complete = set(run.wells_in(WellState.COMPLETE))
    found: dict[str, list[str]] = {}
    if chosen.shown:
        main = chosen.shown[0]
        known = sorted((well for well in main.values if well in complete), key=well_position)
        if known:
            highest, lowest = max(known, key=main.values.__getitem__), min(known, key=main.values.__getitem__)
            found.setdefault(highest, []).append(f"highest {main.title} ({main.values[highest]:.5g})")
            if lowest != highest:
                found.setdefault(lowest, []).append(f"lowest {main.title} ({main.values[lowest]:.5g})")
    ranked = quality.rank() if quality is not None else None
    for well, why in zip(ranked or (), ("best image quality", "worst image quality"), strict=False):
        if well in complete:
            found.setdefault(well, []).append(why)
    if not found and complete:
        found[min(complete, key=well_position)] = ["first complete well"]
    worst = ranked[1] if ranked else ""
    flagged = quality.flagged if quality is not None else ()
    site = next((image.site for image in flagged if image.well == worst), None)
    return tuple(ExampleWell(well, " and ".join(why), site if well == worst else None) for well, why in found.items())


def examples_section(run: ReportedRun, wells: Sequence[ExampleWell], found: WellPictures) -> Section:
    """Return the section with these wells."""
    ranges = limits(found.pictures)
    parts = [_well(run, well, [one for one in found.pictures if one.well == well.well], ranges) for well in wells]
    has_outlines = any(one.labels is not None for one in found.pictures)
    left_out = list(found.left_out)
    if found.pictures and not has_outlines:
        left_out.append("The run has neither labels nor regions of objects, so there are no outlines.")
    if found.pictures and run.provenance.pixel_size_um is None:
        left_out.append("There is no scale bar, as the pixel size of the plate is not known.")
    if not wells:
        left_out.append("There are no example images, as no well is complete.")
    few = len({one.channel for one in found.pictures}) <= _FEW_CHANNELS
    shown = element("div", *filter(None, parts), class_="grid wells" if few else "wells")
    content = joined(
        _words(found) if found.pictures else NOTHING,
        _switch(found) if has_outlines else NOTHING,
        shown if any(parts) else NOTHING,
    )
    return Section("examples", "Example images", content, tuple(left_out))


def _words(found: WellPictures) -> Html:
    cropped = any(max(one.whole) > CROP for one in found.pictures)
    part = f" Of larger images, the middle {CROP} x {CROP} pixels are shown." if cropped else ""
    return paragraph(f"Each channel has the same contrast in all wells.{part}")


def _switch(found: WellPictures) -> Html:
    """Return the box that hides the outlines."""
    names = ", ".join(dict.fromkeys(one.objects for one in found.pictures if one.objects))
    of = f" ({names})" if names else ""
    box = element("input", type="checkbox", id="outlines", checked=True)
    return element("p", box, element("label", f" Show outlines of objects{of}", for_="outlines"))


def _well(
    run: ReportedRun, example: ExampleWell, pictures: Sequence[WellPicture], ranges: Mapping[str, tuple[float, float]]
) -> Html:
    if not pictures:
        return NOTHING
    size = run.provenance.pixel_size_um
    described = run.described(example.well)
    return element(
        "div",
        element("h3", f"{example.well}: {example.why}"),
        paragraph(described, "quiet small") if described else NOTHING,
        element("div", *(_figure(one, ranges[one.channel], size) for one in pictures), class_="grid images"),
    )


def _figure(one: WellPicture, shown: tuple[float, float], pixel_size_um: float | None) -> Html:
    name = f"Well {one.well}, {one.channel}"
    height, width = one.plane.shape
    picture = [element("img", src=image_data(one.plane, *shown), alt=name, width=width, height=height)]
    if one.labels is not None:
        picture.append(
            element("img", src=outline_data(one.labels), alt="", class_="outlines", width=width, height=height)
        )
    if pixel_size_um is not None:
        picture.append(_ruler(width, height, pixel_size_um))
    caption = f"{one.channel}, {shown[0]:.4g} to {shown[1]:.4g}"
    return element("figure", element("div", *picture, class_="picture"), element("figcaption", caption))


def _ruler(width: int, height: int, pixel_size_um: float) -> Html:
    """Return a scale bar in the lower right corner; nothing if the shortest is too long."""
    fitting = [length for length in _RULER_LENGTHS if length <= _LARGEST_RULER * width * pixel_size_um]
    if not fitting:
        return NOTHING
    pixels, thick, edge = fitting[-1] / pixel_size_um, width / 90, width / 25
    y = height - edge
    bar = element("rect", x=width - edge - pixels, y=y - thick, width=pixels, height=thick)
    text = element("text", f"{fitting[-1]} µm", x=width - edge - pixels / 2, y=y - 2 * thick, text_anchor="middle")
    return element(
        "svg", bar, text, class_="ruler", viewBox=f"0 0 {width} {height}", font_size=width / 20, aria_hidden="true"
    )

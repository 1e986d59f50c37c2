"""Plots as SVG: the response to doses with its curve, and how alike replicates are."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.profiles import DoseOutcome, DoseResponse, ReplicateCorrelation
from openhcs_runtime.report.html import NOTHING, Html, element
from openhcs_runtime.tables.scale import short_number

_WIDTH, _HEIGHT = 320, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 34
_CURVE_POINTS = 80
_ZERO_DECADES = 0.7
"""How far left of the lowest dose a dose of 0 is drawn, in decades."""
_BINS = 40

Floats = NDArray[np.float64]


class _Frame:
    """The place of values in a plot.

    Args:
        x: lowest and highest value across.
        y: lowest and highest value upwards.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = _wider(*x, share=0.0), _wider(*y, share=0.06)

    def x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def draw(self, name: str, *parts: Html, across: str) -> Html:
        """Return the plot with its axes."""
        bottom = _HEIGHT - _BOTTOM
        low, high = self._y
        ticks = [low + share * (high - low) for share in (0.06, 0.5, 0.94)]
        return element(
            "svg",
            *(element("line", class_="rule", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=self.y(y), y2=self.y(y)) for y in ticks),
            *(
                element("text", short_number(y), x=_LEFT - 5, y=self.y(y) + 3.5, text_anchor="end", aria_hidden="true")
                for y in ticks
            ),
            *parts,
            element("line", class_="axis", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=bottom, y2=bottom),
            element("text", across, x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_HEIGHT - 3, text_anchor="middle"),
            class_="plot",
            viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
            role="img",
            aria_label=name,
        )

    def tick(self, x: float, text: str) -> Html:
        """Return a mark on the axis across."""
        place, bottom = self.x(x), _HEIGHT - _BOTTOM
        return element(
            "g",
            element("line", class_="axis", x1=place, x2=place, y1=bottom, y2=bottom + 4),
            element("text", text, x=place, y=bottom + 15, text_anchor="middle"),
        )


def dose_plot(response: DoseResponse, name: str) -> Html:
    """Return the values at each dose, the fitted curve, and the EC50 with its 95 % confidence interval."""
    tested = response.doses[response.doses > 0]
    lowest, highest = math.log10(tested.min()), math.log10(tested.max())
    zero = lowest - _ZERO_DECADES
    has_zero = bool((response.doses == 0).any())
    places = np.where(response.doses > 0, np.log10(np.where(response.doses > 0, response.doses, 1.0)), zero)
    margin = 0.04 * (highest - lowest) or 0.5
    across = np.linspace(lowest, highest, _CURVE_POINTS)
    curve = response.curve.at(10.0**across) if response.curve.outcome is DoseOutcome.FITTED else np.empty(0)
    heights = np.concatenate([response.values, curve])
    frame = _Frame(
        ((zero if has_zero else lowest) - margin, highest + margin), (float(heights.min()), float(heights.max()))
    )
    points = [
        element("circle", class_="point", cx=frame.x(x), cy=frame.y(y), r=2.6)
        for x, y in zip(places.tolist(), response.values.tolist(), strict=True)
    ]
    ticks = [frame.tick(decade, _decade(decade)) for decade in _decades(lowest - margin, highest + margin)]
    unit = f" ({response.unit})" if response.unit else ""
    return frame.draw(
        name,
        *(_ec50(response, frame, lowest - margin, highest + margin)),
        *points,
        _line(frame, across, curve) if len(curve) else NOTHING,
        *ticks,
        frame.tick(zero, "0") if has_zero else NOTHING,
        across=f"dose{unit}",
    )


def replicate_plot(found: ReplicateCorrelation) -> Html:
    """Return how alike replicates are, over how alike wells that got different things are."""
    known = found.null[np.isfinite(found.null)]
    shares, edges = np.histogram(known, bins=_BINS, range=(-1, 1))
    medians, _ = np.histogram(found.medians[np.isfinite(found.medians)], bins=_BINS, range=(-1, 1))
    by_chance, replicates = shares / max(1, shares.sum()), medians / max(1, medians.sum())
    frame = _Frame((-1, 1), (0, 100 * float(max(by_chance.max(), replicates.max()))))
    threshold = frame.x(found.threshold)
    return frame.draw(
        "Correlation of replicates, and of wells that got different things",
        *_bars(frame, edges, 100 * by_chance, "chance"),
        *_bars(frame, edges, 100 * replicates, "replicates"),
        element("line", class_="ec50", x1=threshold, x2=threshold, y1=_TOP, y2=_HEIGHT - _BOTTOM),
        *(frame.tick(x, f"{x:g}") for x in (-1, -0.5, 0, 0.5, 1)),
        across="median correlation (percent of treatments)",
    )


def _bars(frame: _Frame, edges: Floats, heights: Floats, style: str) -> list[Html]:
    bottom = frame.y(0)
    return [
        element(
            "rect",
            class_=style,
            x=frame.x(low),
            y=frame.y(height),
            width=frame.x(high) - frame.x(low) - 0.5,
            height=bottom - frame.y(height),
        )
        for low, high, height in zip(edges[:-1].tolist(), edges[1:].tolist(), heights.tolist(), strict=True)
        if height
    ]


def _line(frame: _Frame, across: Floats, heights: Floats) -> Html:
    places = zip(across.tolist(), heights.tolist(), strict=True)
    path = "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in places)
    return element("path", class_="curve", d=f"M{path}")


def _ec50(response: DoseResponse, frame: _Frame, lowest: float, highest: float) -> list[Html]:
    """Return the EC50, and its confidence interval as far as it is in the plot."""
    curve = response.curve
    if not math.isfinite(curve.ec50):
        return []
    ends = [min(max(math.log10(end), lowest), highest) for end in (max(curve.ec50_low, 1e-300), curve.ec50_high)]
    place = frame.x(math.log10(curve.ec50))
    height = _HEIGHT - _TOP - _BOTTOM
    width = frame.x(ends[1]) - frame.x(ends[0])
    return [
        element("rect", class_="band", x=frame.x(ends[0]), y=_TOP, width=width, height=height),
        element("line", class_="ec50", x1=place, x2=place, y1=_TOP, y2=_TOP + height),
    ]


def _decades(low: float, high: float) -> Sequence[int]:
    found = range(math.ceil(low), math.floor(high) + 1)
    step = max(1, math.ceil(len(found) / 6))
    return found[::step]


def _decade(decade: int) -> str:
    return f"{10.0**decade:g}"


def _wider(low: float, high: float, *, share: float) -> tuple[float, float]:
    """Return a range with some room at both ends; around a single value if it is one."""
    room = (high - low) * share or (0.0 if high > low else abs(high) * 0.1 or 1.0)
    return low - room, high + room

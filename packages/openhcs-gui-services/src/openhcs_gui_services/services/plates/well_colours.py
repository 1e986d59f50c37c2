"""The values of a measurement that colour the wells of a plate map. Without Qt."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["WellColours"]


@dataclass(frozen=True, slots=True)
class WellColours:
    """A value for each well of a plate, and the range that the colours span.

    Attributes:
        title: name of the measurement, as a person reads it.
        unit: unit of the values; empty for counts and shares.
        values: value of each well by its name; a well that has none, or NaN, is hatched.
        lowest: value with the first colour; lower values have it as well.
        highest: value with the last colour; higher values have it as well.
        controls: what kind of control a well is, by its name: ``"positive"``, ``"negative"`` or another word.
        outliers: names of the wells whose value is unusual; they are ringed.
        excluded: names of the wells that a person has excluded, which have no value; they are crossed out.
    """

    title: str
    unit: str
    values: Mapping[str, float]
    lowest: float
    highest: float
    controls: Mapping[str, str] = field(default_factory=dict)
    outliers: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()

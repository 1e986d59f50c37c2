"""Names of the columns of tables with all channels in a row: ``<measure>_<channel>_<unit>``."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from openhcs_runtime.components import PROJECTED
from openhcs_runtime.tables.schema import Measure

UNITS = ("px2", "um2", "um3", "px", "um", "deg", "bit", "percent", "s")
"""Units that the name of a measurement can end in."""
_PROJECTION = "projection"
"""Short name of the channel of an image that was projected over channels."""


def channel_tokens(channels: Iterable[int], names: Mapping[int, str]) -> dict[int, str]:
    """Return the short name of each channel, as it appears in names of columns.

    It is the name of the channel in the plate, with underscores in place of everything but letters and digits, or
    ``ch`` and its number if the plate does not name it. If two channels would have the same one, both end in their
    number.

    Args:
        channels: numbers of the channels.
        names: names of those that have one.
    """
    numbers = dict.fromkeys(channels)
    tokens = {number: re.sub(r"[\W_]+", "_", names.get(number, "")).strip("_") for number in numbers}
    taken = Counter(token.casefold() for token in tokens.values())
    unique = {
        number: token if token and taken[token.casefold()] == 1 else f"{token}_ch{number}".lstrip("_")
        for number, token in tokens.items()
    }
    return {**unique, PROJECTED: unique.get(PROJECTED, _PROJECTION) if names.get(PROJECTED) else _PROJECTION}


def measure_of(name: str, channel: str) -> Measure:
    """Return what a measurement is, from its name without a channel.

    Args:
        name: name of the measurement, which may end in a unit, such as ``texture_entropy_bit``.
        channel: short name of its channel; empty if it does not depend on one.
    """
    unit = next((unit for unit in UNITS if name.endswith(f"_{unit}")), "")
    return Measure(measure=name.removesuffix(f"_{unit}") if unit else name, channel=channel, unit=unit)


def column_of(measure: Measure) -> str:
    """Return the name of the column of a measure."""
    return "_".join(filter(None, (measure.measure, measure.channel, measure.unit)))

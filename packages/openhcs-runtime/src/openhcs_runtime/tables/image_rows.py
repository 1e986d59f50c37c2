"""The rows of the table of images: one for each site, plane and time point, with all its channels."""

from collections.abc import Collection, Iterable, Mapping

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.wells import MeasuredImage
from openhcs_runtime.tables.columns import column_of, measure_of
from openhcs_runtime.tables.rows import Row
from openhcs_runtime.tables.schema import IMAGE_KEYS, Measure


def image_rows(
    measured: Collection[MeasuredImage], without_channel: Collection[str], tokens: Mapping[int, str]
) -> tuple[list[Row], dict[str, Measure]]:
    """Return the rows of the table of images, and what their columns are.

    A column that does not depend on the channel, such as a count of nuclei, gets one nevertheless if it was measured
    in several channels.

    Args:
        measured: measurements of each image, in plate order.
        without_channel: columns that do not depend on the channel.
        tokens: short names of the channels.

    Raises:
        OutputError: two columns would have the same name.
    """
    plain = _of_one_channel(measured, without_channel)
    rows: dict[tuple[str, int, int, int], Row] = {}
    measures: dict[str, Measure] = {}
    for image in measured:
        key = (image.site, image.z_index, image.timepoint)
        row = rows.setdefault((image.well, *key), Row(image.well, key))
        for name, value in image.values.items():
            measure = measure_of(name, "" if name in plain else tokens[image.channel])
            column = column_of(measure)
            if column in IMAGE_KEYS or measures.setdefault(column, measure) != measure:
                raise OutputError(f"two columns of images would be named {column}: give {name} another name")
            if column in row.values:
                raise OutputError(f"well {image.well} has two values of {column} for the same image: {key}")
            row.values[column] = value
    ordered = sorted(measures.items(), key=lambda entry: not entry[1].measure.endswith("_count"))
    return list(rows.values()), dict(ordered)


def _of_one_channel(measured: Iterable[MeasuredImage], without_channel: Collection[str]) -> set[str]:
    """Return the columns without a channel that were measured in one channel only."""
    channels: dict[str, set[int]] = {}
    for image in measured:
        for name in image.values:
            if name in without_channel:
                channels.setdefault(name, set()).add(image.channel)
    return {name for name, of_name in channels.items() if len(of_name) == 1}

"""What the columns of a table are: its keys, those of the plate map, and measures with their channel and unit."""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from openhcs_runtime.exceptions import DamagedResultError, OutputError

FORMAT_VERSION = 1
METADATA_KEY = b"openhcs"
"""Key of the metadata of a Parquet file under which its ``TableSchema`` is stored as JSON."""

WELL_KEYS = ("plate", "well")
IMAGE_KEYS = (*WELL_KEYS, "site", "z", "t")
OBJECT_KEYS = (*IMAGE_KEYS, "label")


_NO_QUANTITY = re.compile(
    r"label|parent_.+|track|.+_label|(.+_)?centroid_[xyz]|bounding_box_(min|max)_.+|intensity_max_[xyz]|orientation"
    r"|.+_phase_.+|Location_.+|Center_.+|BoundingBoxM.+|Orientation.*|.*Phase_.+|.+ObjectNumber.*"
)
"""Measures that are names of objects, places and directions, ours and those of CellProfiler."""


class TableKind(StrEnum):
    """What a row of a table is."""

    OBJECTS = "objects"
    """An object of a set, such as a nucleus."""
    IMAGES = "images"
    """A site, plane and time point, with all its channels."""
    WELLS = "wells"
    """A well."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What a column of numbers or texts is.

    Attributes:
        measure: what was measured, such as ``intensity_mean``.
        channel: short name of the channel; empty if it does not depend on one.
        unit: its unit, such as ``um2``; empty for counts, ratios and camera counts.
    """

    measure: str
    channel: str = ""
    unit: str = ""

    @property
    def is_quantity(self) -> bool:
        """Whether a mean over objects says anything: not for places, circular angles, and labels of objects."""
        return _NO_QUANTITY.fullmatch(self.measure) is None


class TableSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a table, in order: keys, columns of the plate map, measures.

    Attributes:
        table: name of the table.
        kind: what a row is.
        keys: columns that together identify a row.
        plate_map: columns taken from the plate map.
        measures: what every other column is.
        channels: number of each channel, by its short name.
        format: version of this description.
    """

    table: str
    kind: TableKind
    keys: tuple[str, ...]
    plate_map: tuple[str, ...] = ()
    measures: Mapping[str, Measure] = {}
    channels: Mapping[str, int] = {}
    format: int = FORMAT_VERSION

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in order."""
        return (*self.keys, *self.plate_map, *self.measures)


def encode_schema(schema: TableSchema) -> dict[bytes, bytes]:
    """Return the metadata of a Parquet file with this schema."""
    return {METADATA_KEY: msgspec.json.encode(schema)}


def decode_schema(metadata: Mapping[bytes, bytes] | None, path: object) -> TableSchema:
    """Return the schema in the metadata of a Parquet file.

    Args:
        metadata: the metadata.
        path: the file, for messages.

    Raises:
        OutputError: the file was not written by this project, or by a newer release.
        DamagedResultError: the schema can't be read.
    """
    text = (metadata or {}).get(METADATA_KEY)
    if text is None:
        raise OutputError(f"{path} is not a table of a run: it does not describe its columns")
    try:
        schema = msgspec.json.decode(text, type=TableSchema)
    except msgspec.DecodeError as error:
        raise DamagedResultError(f"{path} is damaged ({error}): resume the run to write it again") from error
    if schema.format > FORMAT_VERSION:
        raise OutputError(f"{path} was written by a newer release (format {schema.format}): install that release")
    return schema

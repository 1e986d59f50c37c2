"""How tables are stored as Parquet: quick to write, to read and to skip in, and with checksums."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow

GROUP_BYTES = 96 << 20
"""Size of the groups of rows of a table in memory; fewer groups make a file quick to open."""


WELL_OPTIONS: Final[Mapping[str, Any]] = {
    "compression": "none",
    "use_dictionary": False,
    "write_statistics": False,
    "write_page_checksum": True,
}
"""Of the tables of wells, which are read once, to be joined: compressing them would take longer than it saves."""


def parquet_options(schema: "pyarrow.Schema") -> Mapping[str, Any]:
    """Return the options for writing a table.

    The bytes of floating-point numbers are stored by place, which makes noise smaller and quicker to compress, and
    texts by number, as they repeat.

    Args:
        schema: its columns.
    """
    from pyarrow import types  # noqa: PLC0415  heavy

    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_byte_stream_split": [field.name for field in schema if types.is_floating(field.type)],
        "use_dictionary": [field.name for field in schema if types.is_string(field.type)],
        "write_page_checksum": True,
    }

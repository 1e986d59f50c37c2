"""Profiles, hits and dose responses as tables, and files of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.profiles.columns import MapRole
from openhcs_runtime.profiles.dose_response import DoseResponse
from openhcs_runtime.profiles.hits import Hit
from openhcs_runtime.profiles.quality import AssayQuality
from openhcs_runtime.profiles.treatment import TREATED_BY
from openhcs_runtime.profiles.values import WellProfiles
from openhcs_runtime.tables.schema import WELL_KEYS, TableKind, TableSchema
from openhcs_runtime.tables.write import write_table

if TYPE_CHECKING:
    import pyarrow

    from openhcs_runtime.profiles.screen import Screen

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]

_CSV, _PARQUET = ".csv", ".parquet"


def profile_table(*profiles: WellProfiles) -> tuple[TableSchema, "pyarrow.Table"]:
    """Return profiles of the same wells as one table: plate, well, columns of the plate map, measures.

    Args:
        *profiles: the profiles, such as the measures and the same normalised.

    Returns:
        What its columns are, and the table; missing values are null.
    """
    import pyarrow  # noqa: PLC0415  heavy

    first = profiles[0]
    measures = {name: measure for part in profiles for name, measure in part.measures.items()}
    schema = TableSchema(
        table=f"{first.table}_profiles",
        kind=TableKind.WELLS,
        keys=WELL_KEYS,
        plate_map=tuple(first.plate_map),
        measures=measures,
    )
    columns: dict[str, object] = {"plate": list(first.plates), "well": list(first.wells)}
    columns |= {name: list(values) for name, values in first.plate_map.items()}
    for part in profiles:
        columns |= {
            name: pyarrow.array(part.values[:, place], mask=np.isnan(part.values[:, place]))
            for place, name in enumerate(part.measures)
        }
    return schema, pyarrow.table({name: columns[name] for name in schema.columns})


def write_profiles(path: Path, *profiles: WellProfiles) -> None:
    """Write profiles of the same wells as CSV or Parquet, by the ending of the file.

    Raises:
        OutputError: the file ends in something else, or can't be written.
    """
    schema, table = profile_table(*profiles)
    if _suffix(path) == _PARQUET:
        write_table(path, schema, table)
    else:
        _write_csv(path, table)


def write_screen(path: Path, screen: "Screen", *, hits: bool = False, dose_response: bool = False) -> list[Path]:
    """Write what is said of a screen as CSV or Parquet, by the ending of the file.

    Args:
        path: file of the wells, with their measures and the same normalised.
        screen: what is said of the screen.
        hits: whether to write ``<name>_hits``, too.
        dose_response: whether to write ``<name>_dose_response``, too.

    Returns:
        The files, with ``<name>_quality`` if both kinds of controls are known.

    Raises:
        OutputError: the file ends in something else, or one can't be written.
    """
    is_same = screen.normalised is screen.profiles
    write_profiles(path, *([screen.profiles] if is_same else [screen.profiles, screen.normalised]))
    tables: list[tuple[str, Sequence[Row], Sequence[str]]] = []
    if screen.quality:
        quality = [{name: _present(value) for name, value in asdict(each).items()} for each in screen.quality]
        tables.append(("quality", quality, [each.name for each in fields(AssayQuality)]))
    if hits:
        roles = [role for role in TREATED_BY if role in screen.found]
        tables.append(("hits", hit_rows(screen.hits), hit_columns(roles)))
    if dose_response:
        tables.append(("dose_response", response_rows(screen.responses), RESPONSE_COLUMNS))
    written = [path]
    for name, rows, columns in tables:
        written.append(path.with_name(f"{path.stem}_{name}{path.suffix}"))
        write_rows(written[-1], rows, columns)
    return written


def write_rows(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write rows as CSV or Parquet, by the ending of the file.

    Raises:
        OutputError: the file ends in something else, or can't be written.
    """
    import pyarrow  # noqa: PLC0415  heavy
    from pyarrow import parquet  # noqa: PLC0415  heavy

    table = pyarrow.table({name: [_present(row.get(name)) for row in rows] for name in columns})
    if _suffix(path) == _CSV:
        _write_csv(path, table)
        return
    with writing_to(path), atomic_file(path) as file:
        parquet.write_table(table, file, compression="zstd")


def hit_rows(hits: Sequence[Hit]) -> list[Row]:
    """Return hits as rows: measure, what the wells got, value, direction, wells, replicates and how many agree."""
    return [
        {
            "measure": hit.measure,
            **{role.value: value for role, value in hit.of.items()},
            "value": hit.value,
            "direction": hit.direction.value,
            "replicates": len(hit.wells),
            "agreeing": hit.agreeing,
            "plates": " ".join(dict.fromkeys(hit.plates)),
            "wells": " ".join(hit.wells),
        }
        for hit in hits
    ]


def hit_columns(roles: Sequence[MapRole]) -> list[str]:
    """Return the columns of rows of hits.

    Args:
        roles: what the plate map says of the wells.
    """
    of_wells = [role.value for role in roles]
    return ["measure", *of_wells, "value", "direction", "replicates", "agreeing", "plates", "wells"]


RESPONSE_COLUMNS = (
    "measure", "compound", "cell_line", "unit", "outcome", "ec50", "ec50_low", "ec50_high", "ec50_error", "hill",
    "hill_error", "bottom", "bottom_error", "top", "top_error", "r_squared", "residual_sd", "p_value", "values",
    "doses", "lowest_dose", "highest_dose", "ec50_above", "ec50_below",
)  # fmt: skip
"""The columns of rows of dose responses."""


def response_rows(responses: Sequence[DoseResponse]) -> list[Row]:
    """Return dose responses as rows, with None for numbers that are not determined."""
    return [_response_row(response) for response in responses]


def _response_row(response: DoseResponse) -> Row:
    curve = response.curve
    of_ec50, of_hill, of_bottom, of_top = curve.errors
    row: dict[str, Cell] = {
        "measure": response.measure,
        "compound": response.compound,
        "cell_line": response.cell_line,
        "unit": response.unit or None,
        "outcome": curve.outcome.value,
        "ec50": curve.ec50,
        "ec50_low": curve.ec50_low,
        "ec50_high": curve.ec50_high,
        "ec50_error": of_ec50,
        "hill": curve.hill,
        "hill_error": of_hill,
        "bottom": curve.bottom,
        "bottom_error": of_bottom,
        "top": curve.top,
        "top_error": of_top,
        "r_squared": curve.r_squared,
        "residual_sd": curve.residual_sd,
        "p_value": curve.p_value,
        "values": curve.values,
        "doses": curve.doses,
        "lowest_dose": curve.lowest,
        "highest_dose": curve.highest,
        "ec50_above": curve.above,
        "ec50_below": curve.below,
    }
    return {name: _present(value) for name, value in row.items()}


def _present(value: Cell) -> Cell:
    """Return a value, or None for NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (_CSV, _PARQUET):
        raise OutputError(f"{path} can't be written as a table: end its name in {_CSV} or {_PARQUET}")
    return suffix


def _write_csv(path: Path, table: "pyarrow.Table") -> None:
    from pyarrow import csv  # noqa: PLC0415  heavy

    with writing_to(path), atomic_file(path) as file:
        csv.write_csv(table, file)

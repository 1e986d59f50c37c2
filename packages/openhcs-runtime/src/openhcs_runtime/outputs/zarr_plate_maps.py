"""What the plate map says, as attributes of the OME-Zarr plates of a run.

A zarr group may have any attributes (Zarr specification, version 3); readers of OME-Zarr ignore those other than
``ome``. The group of a well has ``{"openhcs": {"plate_map": {"compound": "X", "dose": 0.3}}}``, and that of the plate
``{"openhcs": {"plate_map": {"file": "platemap.csv", "columns": ["compound", "dose"]}}}``.
"""

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs.wells import describe_files, read_part, write_part
from openhcs_runtime.plate_map import PlateMap

__all__ = ["OWN_KEY", "write_plate_maps"]

OWN_KEY = "openhcs"
"""Key of the attributes of this project."""
_PLATE_MAP = "plate_map"
_GROUP = "zarr.json"

Json = dict[str, Any]


def write_plate_maps(
    output_dir: Path, plates: Sequence[Path], wells: Collection[str], plate_map: PlateMap | None
) -> None:
    """Make the attributes of plates and their wells say what the plate map says.

    Wells may have been made by an earlier run, when there was none or another one. The record of a well is written
    again if its group has changed, as it has the digest of the file.

    Args:
        output_dir: folder of the run.
        plates: the OME-Zarr plates in it, complete.
        wells: their wells.
        plate_map: the plate map; None if the plate has none: then there are no such attributes.

    Raises:
        DamagedResultError: the metadata of a group, or the record of a well, can't be read.
        OutputError: a file can't be written.
    """
    for plate in plates:
        _set(plate / _GROUP, None if plate_map is None else _of_plate(plate_map))
    for well in wells:
        groups = [plate / well[:-2] / well[-2:] / _GROUP for plate in plates]
        entries = None if plate_map is None else _of_well(plate_map, well)
        changed = [group for group in groups if group.is_file() and _set(group, entries)]
        if changed:
            _update_record(output_dir, well, changed)


def _of_plate(plate_map: PlateMap) -> Json:
    return {"file": PurePosixPath(plate_map.file.path.replace("\\", "/")).name, "columns": list(plate_map.columns)}


def _of_well(plate_map: PlateMap, well: str) -> Json:
    return {name: plate_map.value(well, name) for name in plate_map.columns}


def _set(group: Path, entries: Json | None) -> bool:
    """Set the attributes of a group, or remove them for None; return whether that has changed them."""
    document = _read(group)
    attributes = document.setdefault("attributes", {})
    own = dict(attributes.get(OWN_KEY, {}))
    if own.get(_PLATE_MAP) == entries:
        return False
    own.pop(_PLATE_MAP, None)
    if entries is not None:
        own[_PLATE_MAP] = entries
    attributes.pop(OWN_KEY, None)
    if own:
        attributes[OWN_KEY] = own
    with atomic_file(group) as file:
        file.write(msgspec.json.format(msgspec.json.encode(document)))
    return True


def _read(group: Path) -> Json:
    try:
        document = msgspec.json.decode(group.read_bytes(), type=Json)
    except (OSError, msgspec.DecodeError) as error:
        raise DamagedResultError(f"{group} can't be read ({error}): resume the run to write it again") from error
    if not isinstance(document.get("attributes", {}), dict):
        raise DamagedResultError(f"{group} has no valid attributes: resume the run to write it again")
    return document


def _update_record(output_dir: Path, well: str, changed: Sequence[Path]) -> None:
    """Put the new sizes and digests of files into the record of a well."""
    record = read_part(output_dir, well)
    if record is None:
        return
    names = [path.relative_to(output_dir).as_posix() for path in changed]
    new = {file.name: file for file in describe_files(output_dir, names)}
    files = [new.get(file.name, file) for file in record.files]
    write_part(output_dir, msgspec.structs.replace(record, files=files))

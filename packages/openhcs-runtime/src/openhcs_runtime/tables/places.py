"""Where the tables of a run are: ``<run>/tables/<name>.parquet``, and a copy of the plate map with them."""

from collections.abc import Iterable
from pathlib import Path

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.exceptions import OutputError, PlateMapError
from openhcs_runtime.plate_map import PlateMap, PlateMapFile, read_plate_map
from openhcs_runtime.plate_map.read import SUFFIXES, digest_of_plate_map

FOLDER = "tables"
IMAGES, WELLS = "images", "wells"
MAP = "platemap"


def table_path(run: Path, name: str) -> Path:
    """Return the path of a table."""
    return run / FOLDER / f"{name}.parquet"


def table_names(run: Path) -> tuple[str, ...]:
    """Return the names of the tables of a run: sets of objects first, then those of images and wells."""
    return ordered_names(path.stem for path in (run / FOLDER).glob("*.parquet"))


def ordered_names(tables: Iterable[str]) -> tuple[str, ...]:
    """Return names of tables in order: sets of objects first, then those of images and wells."""
    names = set(tables)
    last = [name for name in (IMAGES, WELLS) if name in names]
    return (*sorted(names - set(last)), *last)


def plate_map_copy(run: Path) -> Path | None:
    """Return the copy of the plate map in a run; None if the plate had none."""
    return next((path for suffix in SUFFIXES if (path := plate_map_target(run, suffix)).is_file()), None)


def run_plate_map(run: Path) -> PlateMap | None:
    """Read the copy of the plate map in a run; None if the plate had none.

    Raises:
        OutputError: it can't be read.
    """
    copy = plate_map_copy(run)
    try:
        return None if copy is None else read_plate_map(copy)
    except PlateMapError as error:
        raise OutputError(str(error)) from error


def plate_map_target(run: Path, suffix: str) -> Path:
    """Return the path for a copy of a plate map whose name ends in ``suffix``."""
    return run / FOLDER / f"{MAP}{suffix.lower()}"


def remove_tables(run: Path) -> None:
    """Remove the tables of a run, but not the copy of its plate map.

    Raises:
        OutputError: one can't be removed.
    """
    with writing_to(run / FOLDER):
        for suffix in (".parquet", ".csv"):
            for path in (run / FOLDER).glob(f"*{suffix}"):
                if path.stem != MAP:
                    path.unlink()


def copy_plate_map(file: PlateMapFile | None, run: Path) -> None:
    """Copy a plate map to a run, in place of an earlier copy; None removes that.

    Raises:
        OutputError: the file has changed since it was read, or it can't be written.
    """
    source = None if file is None else Path(file.path)
    with writing_to(run / FOLDER):
        for path in (run / FOLDER).glob(f"{MAP}.*"):
            path.unlink()
    if source is None or file is None:
        return
    try:
        data = source.read_bytes()
    except OSError as error:
        raise OutputError(f"plate map {source} can't be read: {error.strerror or error}") from error
    if digest_of_plate_map(data) != file.digest:
        raise OutputError(f"plate map {source} was changed while the run began: run again")
    with atomic_file(plate_map_target(run, source.suffix)) as writing:
        writing.write(data)

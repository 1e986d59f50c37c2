"""Where the tables of a run are: ``<run>/tables/<name>.parquet``, and a copy of the plate map next to them."""

from pathlib import Path

from openhcs_runtime.plate_map.read import SUFFIXES

FOLDER = "tables"
IMAGES, WELLS = "images", "wells"
_MAP_STEM = "platemap"


def table_path(run: Path, name: str) -> Path:
    """Return the path of a table."""
    return run / FOLDER / f"{name}.parquet"


def table_names(run: Path) -> tuple[str, ...]:
    """Return the names of the tables of a run: sets of objects first, then those of images and wells."""
    names = {path.stem for path in (run / FOLDER).glob("*.parquet")}
    last = [name for name in (IMAGES, WELLS) if name in names]
    return (*sorted(names - set(last)), *last)


def plate_map_copy(run: Path) -> Path | None:
    """Return the copy of the plate map in a run; None if the plate had none."""
    return next((path for suffix in SUFFIXES if (path := run / f"{_MAP_STEM}{suffix}").is_file()), None)


def plate_map_target(run: Path, suffix: str) -> Path:
    """Return the path for a copy of a plate map whose name ends in ``suffix``."""
    return run / f"{_MAP_STEM}{suffix.lower()}"

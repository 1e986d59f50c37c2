"""The part of the results that belongs to one well: `<output>/wells/<well>.json` and `<well>.objects.csv`.

The JSON document is written last, when the disk has all else, so a well that has one is done; it names the plan it was
made by and every file that belongs to it. The plate's tables are put together from these parts.
"""

import contextlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from openhcs_runtime.components import ImageKey
from openhcs_runtime.outputs.atomic import atomic_file, writing_to


class MeasuredImage(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of one measured plane; a value that is not a number is None."""

    well: str
    site: int
    channel: int
    z_index: int
    timepoint: int
    values: dict[str, int | float | None]


class WellPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished well has left. Paths are relative to the output folder, with forward slashes."""

    well: str
    signature: str
    files: list[str]
    objects: str | None
    measured: list[MeasuredImage]
    elapsed_s: float
    peak_memory_bytes: int | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The sum of each `..._count` column over the planes of the well."""
        total: Counter[str] = Counter()
        for image in self.measured:
            total.update(
                {name: int(value) for name, value in image.values.items() if _is_count(name) and value is not None}
            )
        return dict(total)


def _is_count(name: str) -> bool:
    return name.endswith("_count")


def measured_image(key: ImageKey, values: Mapping[str, int | float]) -> MeasuredImage:
    """A summary as it is stored."""
    return MeasuredImage(
        well=key.well,
        site=key.site,
        channel=key.channel,
        z_index=key.z_index,
        timepoint=key.timepoint,
        values={name: None if value != value else value for name, value in values.items()},
    )


def part_path(output_dir: Path, well: str) -> Path:
    """Where the part of a well is."""
    return output_dir / "wells" / f"{well}.json"


def objects_path(output_dir: Path, well: str) -> Path:
    """Where the objects of a well are."""
    return output_dir / "wells" / f"{well}.objects.csv"


def write_part(output_dir: Path, part: WellPart) -> None:
    """Mark a well as done. Raises OutputError."""
    with atomic_file(part_path(output_dir, part.well)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(part), indent=1))


def read_part(output_dir: Path, well: str) -> WellPart | None:
    """The part of a well, None when there is none or it is of another kind."""
    try:
        return msgspec.json.decode(part_path(output_dir, well).read_bytes(), type=WellPart)
    except (OSError, msgspec.DecodeError):
        return None


def discard_part(output_dir: Path, well: str) -> None:
    """Before a well is done again: remove the mark and every file that an earlier run left for it. Raises
    OutputError."""
    part = read_part(output_dir, well)
    with writing_to(part_path(output_dir, well)):
        part_path(output_dir, well).unlink(missing_ok=True)
    for name in part.files if part else ():
        path = (output_dir / name).resolve()
        if path.is_relative_to(output_dir.resolve()):
            with contextlib.suppress(OSError):
                path.unlink()

"""The part of the results that belongs to one well: `<output>/wells/<well>.json` and `<well>.objects.csv`.

The JSON document is written last, when the disk has all else, so a well that has one is done; it names the plan it was
made by and every file that belongs to it. The plate's tables are put together from these parts.
"""

import contextlib
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from openhcs_runtime.cells import COUNT_SUFFIX, Cell, ColumnKind
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs.atomic import atomic_file, writing_to


class MeasuredImage(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of one measured plane.

    not_finite: the values that JSON has no numbers for, by name as text ("inf", "-inf", "nan"); they are in `values`,
    too, once it is read.
    """

    well: str
    site: int
    channel: int
    z_index: int
    timepoint: int
    values: dict[str, Cell]
    not_finite: dict[str, str] = {}

    def __post_init__(self) -> None:
        self.values.update((name, float(text)) for name, text in self.not_finite.items())
        self.not_finite.update(
            (name, str(value))
            for name, value in self.values.items()
            if isinstance(value, float) and not math.isfinite(value)
        )


class WellPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished well has left. Paths are relative to the output folder, with forward slashes.

    objects_bytes: how large the file of objects is. object_kinds: what its columns are. seed: that of the run which has
    made it.
    """

    well: str
    signature: str
    files: list[str]
    objects: str | None
    measured: list[MeasuredImage]
    elapsed_s: float
    peak_memory_bytes: int | None = None
    objects_bytes: int = 0
    object_kinds: dict[str, ColumnKind] = {}
    seed: int | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The sum of each `..._count` column over the planes of the well."""
        total: Counter[str] = Counter()
        for image in self.measured:
            total.update(
                {
                    name: value
                    for name, value in image.values.items()
                    if name.endswith(COUNT_SUFFIX) and isinstance(value, int) and not isinstance(value, bool)
                }
            )
        return dict(total)


def measured_image(key: ImageKey, values: Mapping[str, Cell]) -> MeasuredImage:
    """A summary as it is stored."""
    return MeasuredImage(
        well=key.well,
        site=key.site,
        channel=key.channel,
        z_index=key.z_index,
        timepoint=key.timepoint,
        values=dict(values),
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
    """The part of a well; None when there is none.

    Raises:
        DamagedResultError: There is one, and it can't be read; it never counts as none.
    """
    path = part_path(output_dir, well)
    try:
        part = msgspec.json.decode(path.read_bytes(), type=WellPart)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedResultError(f"{path} can't be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise DamagedResultError(
            f"{path} is damaged ({error}): resume the run, which does well {well} again"
        ) from error
    if part.well != well:
        raise DamagedResultError(f"{path} is of well {part.well}: resume the run, which does well {well} again")
    return part


def discard_part(output_dir: Path, well: str) -> None:
    """Before a well is done again: remove the mark and every file that an earlier run left for it. Of a mark that is
    damaged only the mark. Raises OutputError."""
    try:
        part = read_part(output_dir, well)
    except DamagedResultError:
        part = None
    with writing_to(part_path(output_dir, well)):
        part_path(output_dir, well).unlink(missing_ok=True)
    for name in part.files if part else ():
        path = (output_dir / name).resolve()
        if path.is_relative_to(output_dir.resolve()):
            with contextlib.suppress(OSError):
                path.unlink()

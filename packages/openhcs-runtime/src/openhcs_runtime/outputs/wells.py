"""The part of the results that belongs to one well: `<output>/wells/<well>.json` and `<well>.objects.csv`.

The JSON document is written last, when the disk has all else, so a well that has one is done; it names the plan it was
made by and every file that belongs to it. The plate's tables are put together from these parts.
"""

import contextlib
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.pipeline.cells import COUNT_SUFFIX, Cell, ColumnKind
from openhcs_runtime.pipeline.used_files import UsedFiles


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


class OutputFile(msgspec.Struct, frozen=True):
    """A file of a finished well: its path relative to the output folder, with forward slashes, its size in bytes, and
    the BLAKE2b digest (16 bytes, hexadecimal) of its content."""

    name: str
    size: int
    digest: str


class ReadImage(msgspec.Struct, frozen=True):
    """An image that was read for a well, and the BLAKE2b digest (16 bytes, hexadecimal) of the bytes read.

    `index` is that of the plane, where the path is an array of several.
    """

    path: str
    digest: str
    index: tuple[int, ...] = ()


class WellRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished well has left, and from what.

    Attributes:
        well: its name.
        signature: of the plan that it was made by.
        files: what belongs to it.
        objects: the name of its table of objects, if it has one.
        measured: the summary of each measured plane.
        elapsed_s: how long it took, in seconds.
        peak_memory_bytes: the most memory that its process held; None where that was not measured.
        object_kinds: what the columns of its table of objects are.
        seed: that of the run which has made it.
        read: the images that were read for it.
        used: what else its functions have read.
    """

    well: str
    signature: str
    files: list[OutputFile]
    objects: str | None
    measured: list[MeasuredImage]
    elapsed_s: float
    peak_memory_bytes: int | None = None
    object_kinds: dict[str, ColumnKind] = {}
    seed: int | None = None
    read: list[ReadImage] = []
    used: UsedFiles = UsedFiles()

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


def write_part(output_dir: Path, part: WellRecord) -> None:
    """Mark a well as done. Raises OutputError."""
    with atomic_file(part_path(output_dir, part.well)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(part), indent=1))


def read_part(output_dir: Path, well: str) -> WellRecord | None:
    """The part of a well; None when there is none.

    Raises:
        DamagedResultError: there is one, and it cannot be read; it never counts as none.
    """
    path = part_path(output_dir, well)
    try:
        part = msgspec.json.decode(path.read_bytes(), type=WellRecord)
        if any(PurePosixPath(file.name).is_absolute() or ".." in PurePosixPath(file.name).parts for file in part.files):
            raise msgspec.ValidationError("it names files outside of its folder")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DamagedResultError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # of msgspec, or of a number that is not one
        raise DamagedResultError(
            f"{path} is damaged ({error}): resume the run, which does well {well} again"
        ) from error
    if part.well != well:
        raise DamagedResultError(f"{path} is of well {part.well}: resume the run, which does well {well} again")
    return part


def digest_of(path: Path) -> str:
    """The BLAKE2b digest (16 bytes, hexadecimal) of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, new_digest).hexdigest()


def new_digest() -> "hashlib.blake2b":
    """An empty digest of the kind that parts hold: a few times as fast as a disk."""
    return hashlib.blake2b(digest_size=16)


def describe_files(output_dir: Path, names: Iterable[str]) -> list[OutputFile]:
    """Size and digest of files that were written. Raises OutputError when one is gone."""
    found = []
    for name in names:
        path = output_dir / name
        try:
            found.append(OutputFile(name, path.stat().st_size, digest_of(path)))
        except OSError as error:
            raise OutputError(f"{path}, which was just written, cannot be read: {error.strerror or error}") from error
    return found


def lost_file(output_dir: Path, part: WellRecord) -> str:
    """The first file of a part that is not there, or has another size than it was written with; empty for none."""
    for file in part.files:
        try:
            if (output_dir / file.name).stat().st_size != file.size:
                return file.name
        except OSError:
            return file.name
    return ""


def discard_part(output_dir: Path, well: str) -> None:
    """Before a well is done again: remove the mark and every file that an earlier attempt left for it.

    Of a mark that is damaged only the mark goes; what it named is written over. Raises OutputError.
    """
    try:
        part = read_part(output_dir, well)
    except DamagedResultError:
        part = None
    with writing_to(part_path(output_dir, well)):
        part_path(output_dir, well).unlink(missing_ok=True)
    for file in part.files if part else ():
        path = (output_dir / file.name).resolve()
        if path.is_relative_to(output_dir.resolve()):
            with contextlib.suppress(OSError):
                path.unlink()

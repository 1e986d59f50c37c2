"""The results of one well: ``<output>/wells/<well>.json``, and a table for each set of objects next to it.

The JSON record is written last, once everything else is on disk, so a well that has one is done. It contains the
signature of the plan and lists every file of the well. The tables of the plate are joined from these records.
"""

import contextlib
import hashlib
import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import DamagedResultError, OutputError
from openhcs_runtime.pipeline.cells import COUNT_SUFFIX, Cell
from openhcs_runtime.pipeline.used_files import UsedFiles
from openhcs_runtime.results import StepCost

_CHUNK_BYTES = 1 << 20


class MeasuredImage(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of one plane.

    Attributes:
        well: name of the well.
        site: number of the site.
        channel: number of the channel.
        z_index: number of the plane; 0 for a projection.
        timepoint: number of the time point.
        values: the measurements by column.
        not_finite: values that JSON has no numbers for, as text ("inf", "-inf", "nan"); once the record is read, they
            are in ``values`` as well.
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
    """A file of a finished well.

    Attributes:
        name: path relative to the output folder, with forward slashes.
        size: in bytes.
        digest: BLAKE2b digest (16 bytes, hexadecimal) of its content.
    """

    name: str
    size: int
    digest: str


class ReadImage(msgspec.Struct, frozen=True):
    """An image that was read for a well.

    Attributes:
        path: path of the image.
        digest: BLAKE2b digest (16 bytes, hexadecimal) of the bytes read.
        index: index of the plane if the path is an array of several.
    """

    path: str
    digest: str
    index: tuple[int, ...] = ()


class WellTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table of a well: the objects of a set that were found in a channel.

    Attributes:
        name: name of the set.
        channel: short name of the channel.
        file: path relative to the output folder, with forward slashes.
        rows: number of objects.
    """

    name: str
    channel: str
    file: str
    rows: int


class WellRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a finished well: its results, and what they were made from.

    Attributes:
        well: name of the well.
        signature: signature of the plan.
        files: all files of the well.
        measured: measurements of each plane.
        tables: its tables of objects.
        without_channel: columns of ``measured`` that do not depend on the channel.
        elapsed_s: processing time in seconds.
        peak_memory_bytes: peak memory of its process; None if it was not measured.
        seed: seed of the run that made it.
        read: images that were read.
        used: other files that its functions read.
        steps: what each step has cost; empty in records of earlier releases.
        values: identities of the values of steps over the plate that it depends on, by name.
        reused_steps: number of steps that it was not computed with, but began after; see ``outputs.states``.
        reused_from: name of the folder of the run that computed them.
    """

    well: str
    signature: str
    files: list[OutputFile]
    measured: list[MeasuredImage]
    tables: list[WellTable] = []
    without_channel: list[str] = []
    elapsed_s: float
    peak_memory_bytes: int | None = None
    seed: int | None = None
    read: list[ReadImage] = []
    used: UsedFiles = UsedFiles()
    steps: tuple[StepCost, ...] = ()
    values: dict[str, str] = {}
    reused_steps: int = 0
    reused_from: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """The sum of each ``..._count`` column over the planes of the well."""
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
    """Return measurements in the form they are stored in."""
    return MeasuredImage(
        well=key.well,
        site=key.site,
        channel=key.channel,
        z_index=key.z_index,
        timepoint=key.timepoint,
        values=dict(values),
    )


def part_path(output_dir: Path, well: str) -> Path:
    """Return the path of a well's record."""
    return output_dir / "wells" / f"{well}.json"


def write_part(output_dir: Path, part: WellRecord) -> None:
    """Write the record of a well, which marks it as done.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_file(part_path(output_dir, part.well)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(part), indent=1))


def read_part(output_dir: Path, well: str) -> WellRecord | None:
    """Read the record of a well; None if there isn't one.

    Raises:
        DamagedResultError: there is a record, but it cannot be read.
    """
    path = part_path(output_dir, well)
    try:
        part = msgspec.json.decode(path.read_bytes(), type=WellRecord)
        if any(PurePosixPath(file.name).is_absolute() or ".." in PurePosixPath(file.name).parts for file in part.files):
            raise msgspec.ValidationError("it lists files outside its folder")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DamagedResultError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # from msgspec, or from an invalid number
        raise DamagedResultError(f"{path} is damaged ({error}): resume the run to redo well {well}") from error
    if part.well != well:
        raise DamagedResultError(f"{path} belongs to well {part.well}: resume the run to redo well {well}")
    return part


def digest_of(path: Path) -> str:
    """Return the BLAKE2b digest (16 bytes, hexadecimal) of a file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, new_digest).hexdigest()


def new_digest() -> "hashlib.blake2b":
    """Return an empty digest of the kind used in records; hashing is several times as fast as a disk."""
    return hashlib.blake2b(digest_size=16)


def describe_files(output_dir: Path, names: Iterable[str]) -> list[OutputFile]:
    """Return size and digest of files that were written.

    Raises:
        OutputError: a file cannot be read.
    """
    found = []
    for name in names:
        path = output_dir / name
        try:
            found.append(OutputFile(name, path.stat().st_size, digest_of(path)))
        except OSError as error:
            raise OutputError(f"{path} was just written, but cannot be read: {error.strerror or error}") from error
    return found


def copy_file(source: Path, target: Path, known: OutputFile) -> bool:
    """Copy a file, which is not synced to disk; return whether it still is as it was written.

    Raises:
        OutputError: the copy can't be written.
    """
    digest, size = new_digest(), 0
    try:
        reading = source.open("rb")
    except OSError:
        return False
    with reading, atomic_file(target, sync=False) as writing:
        while data := reading.read(_CHUNK_BYTES):
            digest.update(data)
            size += len(data)
            writing.write(data)
    return size == known.size and digest.hexdigest() == known.digest


def lost_file(output_dir: Path, part: WellRecord) -> str:
    """Return the first file of a record that is missing or whose size has changed; empty if all are intact."""
    for file in part.files:
        try:
            if (output_dir / file.name).stat().st_size != file.size:
                return file.name
        except OSError:
            return file.name
    return ""


def discard_part(output_dir: Path, well: str, spared: Container[str] = ()) -> None:
    """Remove the record of a well and all files listed in it except the spared ones, before the well is redone.

    If the record is damaged, only the record is removed; its files will be overwritten.

    Raises:
        OutputError: the record cannot be removed.
    """
    try:
        part = read_part(output_dir, well)
    except DamagedResultError:
        part = None
    with writing_to(part_path(output_dir, well)):
        part_path(output_dir, well).unlink(missing_ok=True)
    for file in part.files if part else ():
        if file.name in spared:
            continue
        path = (output_dir / file.name).resolve()
        if path.is_relative_to(output_dir.resolve()):
            with contextlib.suppress(OSError):
                path.unlink()

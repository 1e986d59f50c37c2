"""Tables as the CSV files that CellProfiler writes, which pycytominer and CytoTable read.

Columns of objects are ``<Compartment>_<Feature>_<Channel>``, such as ``Nuclei_Intensity_Mean_DAPI``; those that say
where an object is from begin with ``Metadata_``. Of these, files of objects have only plate and well, because CytoTable
takes all others for features of the compartment; site, plane, time point and plate map are in ``Image.csv``, which has
the same ``ImageNumber``, and the plate map is in ``platemap.csv``, too, as ``pycytominer.annotate`` reads it. See the
CellProfiler manual on ExportToSpreadsheet, and Serrano et al., Reproducible image-based profiling with Pycytominer,
Nature Methods 22, 2025.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs_runtime.atomic import atomic_file, writing_to
from openhcs_runtime.exceptions import OutputError, PlateError
from openhcs_runtime.tables.places import IMAGES, WELLS
from openhcs_runtime.tables.schema import IMAGE_KEYS, WELL_KEYS, Measure, TableKind, TableSchema

if TYPE_CHECKING:
    import pyarrow

    from openhcs_runtime.tables.read import Results

IMAGE_NUMBER, OBJECT_NUMBER = "ImageNumber", "ObjectNumber"
_WELL = WELL_KEYS[1]
_PARENT, _COUNT = "parent_", "_count"
_METADATA = {"plate": "Plate", "well": "Well", "site": "Site", "z": "Z", "t": "T"}
_LOCATIONS = {f"centroid_{axis}_px": f"Location_Center_{axis.upper()}" for axis in "xyz"}
"""Coordinates in pixels, which CellProfiler has, too."""

ImageNumbers = Mapping[tuple[object, ...], int]
"""The number of each image, from 1, by its keys."""
FileNames = Mapping[str, Mapping[tuple[object, ...], str]]
"""Names of the files by short name of the channel, and by well, site, plane and time point."""


def write_cellprofiler(
    results: "Results", name: str, target: Path, *, columns: Sequence[str] | None = None, where: str = ""
) -> list[Path]:
    """Write sets of objects into a folder, one file for each, such as ``Nuclei.csv``, with images and plate map.

    Images are numbered in the order of the table ``images``, in the same way for every set, so that sets may be written
    one after another. Missing values are empty.

    Args:
        results: the results of a run.
        name: name of a set of objects, or ``images`` for ``Image.csv`` alone; empty for all sets.
        target: the folder.
        columns: only these columns of a set besides its keys; None for all.
        where: only objects for which this expression is true.

    Returns:
        The files written.

    Raises:
        OutputError: there is no such table or column, two columns would have the same name, or a file can't be written.
        DamagedResultError: a table can't be read.
    """
    if IMAGES not in results.tables:
        raise OutputError(f"{results.folder} has no table {IMAGES}, which numbers the images: run the pipeline again")
    sets = [each for each in results.tables if results.schema(each).kind is TableKind.OBJECTS]
    if name not in ("", IMAGES, *sets):
        raise OutputError(f"{name!r} is not a set of objects of {results.folder}: choose {', '.join([*sets, IMAGES])}")
    if target.is_file():
        raise OutputError(f"{target} is a file: give a folder for the tables of CellProfiler")
    numbers = _image_numbers(results)
    chosen = sets if not name else [each for each in sets if each == name]
    _check_columns(results, chosen or [IMAGES], columns or ())
    written = [_write(results, each, target, numbers, columns, where) for each in chosen]
    written.append(_write(results, IMAGES, target, numbers, columns if name == IMAGES else None, ""))
    return [*written, *_write_plate_map(results, target)]


def file_stem(table: str) -> str:
    """Return the name of the file of a set, and of its compartment: ``nuclei`` is in ``Nuclei.csv``."""
    return "Image" if table == IMAGES else _camel(table.split("_"))


def column_name(table: str, name: str, measure: Measure) -> str:
    """Return the name that a measure has in CellProfiler's files.

    Args:
        table: name of its table.
        name: its name there, such as ``intensity_mean_DAPI``.
        measure: what it is.
    """
    compartment = file_stem(table)
    if name.startswith(_PARENT):
        return f"Parent_{_camel(name.removeprefix(_PARENT).split('_'))}"
    if name in _LOCATIONS:
        return f"{compartment}_{_LOCATIONS[name]}"
    if name.endswith(_COUNT) and not measure.channel:
        counted = _camel(name.removesuffix(_COUNT).split("_"))
        return f"Image_Count_{counted}" if table == IMAGES else f"{compartment}_Children_{counted}_Count"
    return "_".join(part for part in (compartment, _feature(measure.measure), measure.channel, measure.unit) if part)


def _feature(measure: str) -> str:
    """Return a measure as CellProfiler spells it: ``intensity_mean`` is ``Intensity_Mean``; its own names stay."""
    if measure[:1].isupper():
        return measure
    first, *rest = measure.split("_")
    return "_".join(part for part in (_camel([first]), _camel(rest)) if part)


def _camel(words: Sequence[str]) -> str:
    return "".join(word[:1].upper() + word[1:] for word in words)


def _image_numbers(results: "Results") -> ImageNumbers:
    keys = results.arrow(IMAGES, list(IMAGE_KEYS)).to_pydict()
    rows = zip(*(keys[key] for key in IMAGE_KEYS), strict=True)
    return {row: number for number, row in enumerate(rows, start=1)}


def _write(
    results: "Results", table: str, folder: Path, numbers: ImageNumbers, columns: Sequence[str] | None, where: str
) -> Path:
    from pyarrow import csv  # noqa: PLC0415  heavy

    schema = results.schema(table)
    read = _columns_read(schema, columns)
    path = folder / f"{file_stem(table)}.csv"
    names = _names(schema, read, path)
    files = _file_names(results, schema) if table == IMAGES else {}
    with writing_to(path), atomic_file(path) as file:
        writer: csv.CSVWriter | None = None
        for batch in _batches(results, table, read, where):
            renamed = _renamed(batch, schema, names, numbers, files)
            writer = writer or csv.CSVWriter(file, renamed.schema)
            writer.write_batch(renamed)
        if writer is not None:
            writer.close()
    return path


def _write_plate_map(results: "Results", folder: Path) -> list[Path]:
    """Write the plate map as pycytominer expects it: ``well_position``, and its columns; nothing if there is none."""
    from pyarrow import csv  # noqa: PLC0415  heavy

    columns = results.schema(WELLS).plate_map if WELLS in results.tables else ()
    if not columns:
        return []
    path = folder / "platemap.csv"
    table = results.arrow(WELLS, [_WELL, *columns]).rename_columns(["well_position", *columns])
    with writing_to(path), atomic_file(path) as file:
        csv.write_csv(table, file)
    return [path]


def _file_names(results: "Results", schema: TableSchema) -> FileNames:
    """Return the files of the images, as far as the plate is where it was; CytoTable needs a column in any case."""
    from openhcs_runtime.plates import open_plate  # noqa: PLC0415  heavy

    channels = dict(schema.channels) or {"1": 1}
    try:
        plate = open_plate(results.provenance.plate_path)
    except (OutputError, PlateError):
        return {channel: {} for channel in channels}
    names: dict[int, dict[tuple[object, ...], str]] = {}
    for image in (image for of_well in plate.images.values() for image in of_well):
        key = image.key
        place = (key.well, key.site, key.z_index, key.timepoint)
        names.setdefault(key.channel, {})[place] = image.path.replace("\\", "/").rpartition("/")[2]
    return {channel: names.get(number, {}) for channel, number in channels.items()}


def _batches(results: "Results", table: str, columns: Sequence[str], where: str) -> Iterator["pyarrow.RecordBatch"]:
    """Yield the batches of a table, at least one."""
    found = 0
    for batch in results.batches(table, columns, where):
        found += 1
        yield batch
    if not found:
        empty = results.arrow(table, columns, where).combine_chunks()
        yield from empty.to_batches() or _empty_batch(empty)


def _empty_batch(table: "pyarrow.Table") -> list["pyarrow.RecordBatch"]:
    import pyarrow  # noqa: PLC0415  heavy

    return [pyarrow.RecordBatch.from_pylist([], schema=table.schema)]


def _check_columns(results: "Results", tables: Sequence[str], columns: Sequence[str]) -> None:
    """Raise OutputError for a column that none of the tables has."""
    known = {name for table in tables for name in results.schema(table).columns}
    if unknown := [name for name in columns if name not in known]:
        results.arrow(tables[0], unknown[:1])  # says which columns there are


def _columns_read(schema: TableSchema, columns: Sequence[str] | None) -> list[str]:
    """Return the columns to read: the keys, and those that were chosen."""
    return [name for name in schema.columns if columns is None or name in {*schema.keys, *columns}]


def _names(schema: TableSchema, columns: Sequence[str], path: Path) -> Mapping[str, str]:
    """Return the new name of each column; keys and columns of the plate map that CytoTable can't have are left out."""
    names: dict[str, str] = {}
    for name in columns:
        if name == "label":
            names[name] = OBJECT_NUMBER
        elif name in schema.measures:
            names[name] = column_name(schema.table, name, schema.measures[name])
        elif schema.kind is TableKind.IMAGES or name in WELL_KEYS:
            names[name] = f"Metadata_{_METADATA.get(name, name)}"
    taken: dict[str, str] = {}
    for name, new in names.items():
        if new in taken:
            raise OutputError(
                f"{path.name} can't have {taken[new]} and {name}, which would both be {new}: leave one out (--columns)"
            )
        taken[new] = name
    return names


def _renamed(
    batch: "pyarrow.RecordBatch",
    schema: TableSchema,
    names: Mapping[str, str],
    numbers: ImageNumbers,
    files: FileNames,
) -> "pyarrow.RecordBatch":
    """Return a batch with the number of its images first, then the objects, metadata and measures."""
    import pyarrow  # noqa: PLC0415  heavy

    keys = [batch.column(key).to_pylist() for key in IMAGE_KEYS]
    try:
        images = [numbers[row] for row in zip(*keys, strict=True)]
    except KeyError as error:
        raise OutputError(f"table {schema.table} has objects of an image that table {IMAGES} lacks: {error}") from error
    columns = {IMAGE_NUMBER: pyarrow.array(images, pyarrow.int64())}
    if "label" in names:
        columns[OBJECT_NUMBER] = batch.column("label")
        columns[f"{file_stem(schema.table)}_Number_Object_Number"] = batch.column("label")
    columns |= {new: batch.column(name) for name, new in names.items() if name != "label"}
    rows = list(zip(*keys[1:], strict=True))
    for channel, of_channel in files.items():
        found = pyarrow.array([of_channel.get(row) for row in rows], pyarrow.string())
        columns[f"Image_FileName_{channel}"] = found
    return pyarrow.RecordBatch.from_pydict(columns)

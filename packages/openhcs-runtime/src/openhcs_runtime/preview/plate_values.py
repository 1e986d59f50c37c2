"""Values of steps over the plate for a preview: those of the newest run that has made them with the current steps."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.exceptions import CompileError, DamagedResultError
from openhcs_runtime.outputs.plate_values import ValueRecord, read_value, value_path, value_record
from openhcs_runtime.outputs.runs import results_root
from openhcs_runtime.pipeline.phases import plate_steps
from openhcs_runtime.pipeline.plan import CompiledPlate, MadeValue
from openhcs_runtime.pipeline.run_basis import Prefixes
from openhcs_runtime.pipeline.source import Pipeline
from openhcs_runtime.plates.base import Plate

__all__ = ["FoundValues", "ValueFinder"]

_MOST_KNOWN = 64
_File = tuple[str, int]
"""Path and modification time in nanoseconds."""


@dataclass(frozen=True, slots=True)
class FoundValues:
    """Values that runs of the plate have made.

    Attributes:
        values: the values, by name.
        identities: their identities, by the index of the step.
        seed: seed of the run that has made the first of them; None if there are none.
    """

    values: Mapping[str, MadeValue] = field(default_factory=dict)
    identities: Mapping[int, str] = field(default_factory=dict)
    seed: int | None = None


class ValueFinder:
    """Finds values, and remembers what it found as long as the steps and the files of the runs stay the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[_File, ...]], ValueRecord | None] = {}
        self._paths: dict[tuple[str, tuple[_File, ...]], Path] = {}

    def find(self, plate: Plate, pipeline: Pipeline, settings: PipelineConfig, of_place: CompiledPlate) -> FoundValues:
        """Return the values that the preview of a place can use.

        Args:
            plate: the whole plate.
            pipeline: the pipeline.
            settings: its settings.
            of_place: the pipeline compiled for the place.
        """
        indices = plate_steps(of_place.job.steps)
        if not indices:
            return FoundValues()
        search = _Search(plate, pipeline, settings, of_place)
        values: dict[str, MadeValue] = {}
        identities: dict[int, str] = {}
        seed: int | None = None
        for index in indices:
            found = self._find(search, index, identities)
            if found is None:
                break
            path, record = found
            values[record.name] = MadeValue(str(path), record.identity)
            identities[index] = record.identity
            seed = record.seed if seed is None else seed
        return FoundValues(values, identities, seed)

    def _find(self, search: "_Search", index: int, before: Mapping[int, str]) -> tuple[Path, ValueRecord] | None:
        files = search.files(index)
        key = (search.basis(index, before), files)
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
                self._paths.clear()
            found = search.record(index, before, files)
            self._known[key] = None if found is None else found[1]
            if found is not None:
                self._paths[key] = found[0]
        record = self._known[key]
        return None if record is None or record.used.changed() else (self._paths[key], record)


class _Search:
    """Looks through the runs of one plate."""

    def __init__(self, plate: Plate, pipeline: Pipeline, settings: PipelineConfig, of_place: CompiledPlate) -> None:
        self._plate = plate
        self._pipeline = pipeline
        self._settings = settings
        self._steps = of_place.job.steps
        self._prefixes = Prefixes(of_place.job, of_place.seed)
        self._whole: tuple[CompiledPlate, Prefixes] | None = None

    def files(self, index: int) -> tuple[_File, ...]:
        """Return the files with a value of a step of this name and number, those of the newest run first."""
        name = self._steps[index].name
        found = []
        for folder in self._runs():
            path = value_path(folder, name, index)
            if path.is_file():
                found.append((str(path), path.stat().st_mtime_ns))
        return tuple(found)

    def basis(self, index: int, before: Mapping[int, str]) -> str:
        """Return a text that changes with the steps that make a value."""
        return "\0".join((str(self._plate.path), self._prefixes.base(index + 1), *map(repr, sorted(before.items()))))

    def record(
        self, index: int, before: Mapping[int, str], files: tuple[_File, ...]
    ) -> tuple[Path, ValueRecord] | None:
        """Return the first of the files that has the value which a run would make or take over now."""
        for name, _ in files:
            path = Path(name)
            record = value_record(path)
            if record is not None and self._is_of(record, index, before) and _is_readable(path, record):
                return path, record
        return None

    def _is_of(self, record: ValueRecord, index: int, before: Mapping[int, str]) -> bool:
        try:
            compiled, prefixes = self._compiled()
        except CompileError:
            return False
        plans = {plan.well: plan for plan in compiled.wells}
        if not set(record.wells) <= plans.keys():
            return False
        wells = {well: prefixes.of_well(plans[well], index, before) for well in record.wells}
        return record.signature == prefixes.of_value(index, wells) and not record.used.changed()

    def _compiled(self) -> tuple[CompiledPlate, Prefixes]:
        """Return the pipeline compiled for all wells, of which a run may have used some."""
        if self._whole is None:
            settings = dataclasses.replace(self._settings, wells=None, where=None, sample=None)
            config = self._pipeline.global_config or GlobalConfig()
            compiled = compile_plate(
                self._plate, self._pipeline.steps, config, settings, self._root(), (), self._pipeline.file
            )
            self._whole = compiled, Prefixes(compiled.job, compiled.seed)
        return self._whole

    def _root(self) -> Path:
        given = self._settings.results_dir
        return Path(given).expanduser() if given else results_root(self._plate.path)

    def _runs(self) -> Iterator[Path]:
        """Yield the folders of runs; their names begin with the time."""
        if self._settings.output_dir:
            yield Path(self._settings.output_dir).expanduser()
            return
        try:
            with os.scandir(self._root()) as entries:
                names = sorted((one.name for one in entries if one.is_dir(follow_symlinks=False)), reverse=True)
        except OSError:
            return
        yield from (self._root() / name for name in names)


def _is_readable(path: Path, record: ValueRecord) -> bool:
    try:
        read_value(path, record.identity)
    except DamagedResultError:
        return False
    return True

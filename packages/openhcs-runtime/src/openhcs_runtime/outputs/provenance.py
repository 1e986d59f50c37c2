"""Provenance: ``<output>/provenance.json`` records how an output folder was made, and from which inputs.

There is one document per folder, written when a run begins (with the status "running") and again when it has ended.
It contains everything needed to repeat the run, and everything that could explain a difference.
"""

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import OutputError, PipelineError, storable
from openhcs_runtime.outputs.plate_values import ValueRecord
from openhcs_runtime.outputs.runs import PROVENANCE_NAME, RUNNING
from openhcs_runtime.outputs.wells import OutputFile, ReadImage
from openhcs_runtime.pipeline.basis import VARIABLE_PREFIX
from openhcs_runtime.pipeline.local_imports import LocalModule
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.pipeline.source import Pipeline
from openhcs_runtime.pipeline.to_source import to_source
from openhcs_runtime.pipeline.used_files import UsedFiles
from openhcs_runtime.plate_map import PlateMapFile
from openhcs_runtime.results import PlateResult, ResultStatus, StepCost
from openhcs_runtime.tasks import Setting

FILE_NAME = PROVENANCE_NAME
FORMAT_VERSION = 2

_KEPT_VARIABLES = ("OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "NUMBA_", "BLIS_", "VECLIB_", "CUDA_", "PYTHON")
"""Prefixes of environment variables that may affect results even if the pipeline does not read them."""


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """An input image of a run.

    Attributes:
        well: the well it belongs to.
        path: relative to the plate folder if it is inside it.
        size: in bytes.
        mtime_ns: time of its last change.
        index: index of the plane if the path is an array of several.
        digest: BLAKE2b digest (16 bytes, hexadecimal) of the bytes read; empty if it was not read completely.
    """

    well: str
    path: str
    size: int
    mtime_ns: int
    index: tuple[int, ...] = ()
    digest: str = ""


class ModuleFile(msgspec.Struct, frozen=True, kw_only=True):
    """A module of the user that the pipeline imports; ``text`` is empty if the file is not UTF-8 text."""

    name: str
    path: str
    digest: str
    text: str = ""


class WellRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a well ended.

    Attributes:
        well: name of the well.
        status: a value of ``ResultStatus``.
        elapsed_s: processing time in seconds.
        peak_memory_bytes: peak memory of its process; None if it was not measured.
        reused: whether it was finished before this run, by an earlier attempt or by the run named in ``taken_from``.
        error: why it failed.
        step: the step it failed in.
        taken_from: folder of the earlier run whose files were copied.
        steps: what each step has cost, when it was computed.
        reused_steps: number of steps that were not computed, because the well began after them.
        reused_from: folder of the earlier run that has computed them.
    """

    well: str
    status: str
    elapsed_s: float
    peak_memory_bytes: int | None
    reused: bool
    error: str = ""
    step: str = ""
    taken_from: str = ""
    steps: tuple[StepCost, ...] = ()
    reused_steps: int = 0
    reused_from: str = ""


class PlateStepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A step over the plate.

    Attributes:
        step: name of the step.
        name: name of the value that it made.
        signature: signature of the value; see ``openhcs_runtime.pipeline.run_basis``.
        wells: wells that it was made from.
        cost: what it has cost, when it was computed.
        used: files that its function has read, such as a plate map.
    """

    step: str
    name: str
    signature: str
    wells: list[str]
    cost: StepCost
    used: UsedFiles = UsedFiles()


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``provenance.json``.

    ``pipeline_source`` is empty if a function has no source; ``no_source`` gives the reason. ``seed`` is the seed of
    the random numbers, ``plate_map`` the plate map of the plate, ``tables`` the files of the tables,
    and ``settings`` are values of parameters in place of those in the source. ``basis`` lists what the results depend
    on besides the images, ``planned`` the signature of each planned well, and ``executions`` the server executions
    that worked on the run. ``environment`` contains only variables that the pipeline's code reads by name or that
    configure numeric libraries, as others may be secrets.
    """

    format_version: int = FORMAT_VERSION
    status: str = RUNNING
    begun_at: str
    ended_at: str = ""
    plate_path: str
    plate_format: str
    pixel_size_um: float | None
    signature: str
    seed: int = 0
    output_dir: str
    pipeline_source: str
    pipeline_name: str
    pipeline_folder: str
    no_source: str = ""
    global_config: GlobalConfig
    pipeline_config: PipelineConfig
    python: str
    platform: str
    cores: int
    memory_bytes: int
    packages: dict[str, str]
    inputs: list[InputFile]
    wells: list[WellRecord] = []
    basis: dict[str, str] = {}
    planned: dict[str, str] = {}
    executions: list[str] = []
    modules: list[ModuleFile] = []
    environment: dict[str, str] = {}
    working_folder: str = ""
    plate_steps: list[PlateStepRecord] = []
    plate_map: PlateMapFile | None = None
    tables: list[OutputFile] = []
    settings: tuple[Setting, ...] = ()
    error: str = ""

    @classmethod
    def begin(
        cls,
        pipeline: Pipeline,
        compiled: CompiledPlate,
        global_config: GlobalConfig,
        pipeline_config: PipelineConfig,
        executions: Sequence[str] = (),
    ) -> "Provenance":
        """Create the document of a run that begins; ``executions`` are those that are working, or worked, on it."""
        source, reason = _source_of(pipeline)
        return cls(
            begun_at=_now(),
            plate_path=compiled.plate_path,
            plate_format=compiled.job.plate_format,
            pixel_size_um=compiled.job.pixel_size_um,
            signature=compiled.signature,
            seed=compiled.job.seed,
            output_dir=compiled.job.output_dir,
            pipeline_source=source,
            pipeline_name=pipeline.file.name if pipeline.file else "pipeline.py",
            pipeline_folder=pipeline.file.folder if pipeline.file else "",
            no_source=reason,
            global_config=global_config,
            pipeline_config=pipeline_config,
            python=sys.version,
            platform=platform.platform(),
            cores=os.cpu_count() or 1,
            memory_bytes=psutil.virtual_memory().total,
            packages=_packages(),
            inputs=_inputs(compiled),
            basis=dict(compiled.basis),
            planned={plan.well: plan.signature for plan in compiled.wells},
            executions=list(dict.fromkeys(filter(None, executions))),
            modules=[_module_file(module) for module in compiled.modules],
            environment=_environment(compiled.basis),
            working_folder=os.getcwd(),
            plate_map=compiled.plate_map,
            settings=pipeline.settings if pipeline.file else (),
        )

    def ended(
        self,
        result: PlateResult,
        read: Mapping[str, Sequence[ReadImage]],
        values: Sequence[ValueRecord] = (),
        tables: Sequence[OutputFile] = (),
    ) -> "Provenance":
        """Return a copy with the outcome of the run.

        Args:
            result: how it ended.
            read: the images read for each well.
            values: the values made by steps over the plate.
            tables: the tables that it wrote.
        """
        wells = [
            WellRecord(
                well=well.well,
                status=well.status.value,
                elapsed_s=well.elapsed_s,
                peak_memory_bytes=well.peak_memory_bytes,
                reused=well.reused,
                error=well.error,
                step=well.step,
                taken_from=well.taken_from,
                steps=well.steps,
                reused_steps=well.reused_steps,
                reused_from=well.reused_from,
            )
            for well in result.wells
        ]
        begin = self.plate_path.rstrip(os.sep) + os.sep
        digests = {
            (w, _inside(one.path, storable(begin)), one.index): one.digest
            for w, images in read.items()
            for one in images
        }
        inputs = [
            msgspec.structs.replace(one, digest=digests.get((one.well, one.path, one.index), "")) for one in self.inputs
        ]
        return msgspec.structs.replace(
            self,
            status=result.status.value,
            ended_at=_now(),
            wells=wells,
            inputs=inputs,
            output_dir=result.output_dir,
            tables=list(tables),
            plate_steps=[
                PlateStepRecord(
                    step=value.step,
                    name=value.name,
                    signature=value.signature,
                    wells=value.wells,
                    cost=value.cost,
                    used=value.used,
                )
                for value in values
            ],
            error=result.error,
        )

    def broken_off(self, error: BaseException) -> "Provenance":
        """Return a copy for a run that was aborted by an error."""
        reason = str(error) or type(error).__name__
        return msgspec.structs.replace(self, status=ResultStatus.FAILED.value, ended_at=_now(), error=reason)

    def write(self, output_dir: Path) -> None:
        """Write the document to the output folder.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_file(output_dir / FILE_NAME) as file:
            file.write(msgspec.json.format(msgspec.json.encode(self), indent=1))


def read_provenance(output_dir: Path) -> Provenance:
    """Read the provenance of an output folder.

    Raises:
        OutputError: there is none, it cannot be read, or it is damaged or from a newer release.
    """
    path = output_dir / FILE_NAME
    try:
        data = path.read_bytes()
        version = msgspec.json.decode(data, type=_Versioned).format_version
        if version > FORMAT_VERSION:
            raise OutputError(f"{path} was written by a newer release (format {version}): install that release")
        return msgspec.json.decode(data, type=Provenance)
    except FileNotFoundError:
        lacks = f"has no {FILE_NAME}" if output_dir.exists() else "does not exist"
        raise OutputError(f"{output_dir} {lacks}: give the output folder of a run") from None
    except NotADirectoryError:
        raise OutputError(f"{output_dir} is a file: give the output folder of a run") from None
    except OSError as error:
        raise OutputError(f"{path} can't be read: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise OutputError(f"{path} is damaged ({error}): run the pipeline again") from error


def is_unchanged(module: ModuleFile) -> bool:
    """Return whether the file of a module has the same content as before."""
    try:
        return hashlib.sha256(Path(module.path).read_bytes()).hexdigest() == module.digest
    except OSError:
        return False


class _Versioned(msgspec.Struct):
    format_version: int


def _source_of(pipeline: Pipeline) -> tuple[str, str]:
    try:
        return (pipeline.file.text if pipeline.file else to_source(pipeline)), ""
    except PipelineError as error:
        return "", str(error)


def _inputs(compiled: CompiledPlate) -> list[InputFile]:
    begin = compiled.plate_path.rstrip(os.sep) + os.sep
    return [
        InputFile(
            well=plan.well,
            path=storable(_inside(image.path, begin)),
            size=image.size,
            mtime_ns=image.mtime_ns,
            index=image.index,
        )
        for plan in compiled.wells
        for image in plan.images
    ]


def _inside(path: str, begin: str) -> str:
    return path.removeprefix(begin).replace(os.sep, "/")


def _module_file(module: LocalModule) -> ModuleFile:
    try:
        text = module.content.decode()
    except UnicodeDecodeError:
        text = ""
    return ModuleFile(name=module.name, path=module.path, digest=module.digest, text=text)


def _environment(basis: Mapping[str, str]) -> dict[str, str]:
    named = {name.removeprefix(VARIABLE_PREFIX) for name in basis if name.startswith(VARIABLE_PREFIX)}
    return {
        name: storable(value)
        for name, value in sorted(os.environ.items())
        if name in named or name.startswith(_KEPT_VARIABLES)
    }


def _packages() -> dict[str, str]:
    """Return name and version of every installed package.

    They are taken from the folder names (``numpy-2.3.0.dist-info``; "Recording installed projects" in the Python
    Packaging User Guide), as reading the metadata of a few hundred packages takes as long as a small well.
    """
    found: dict[str, str] = {}
    for folder in reversed(sys.path):  # the first folder is the one that imports use
        with contextlib.suppress(OSError):
            for name in os.listdir(folder or "."):
                if name.endswith(".dist-info"):
                    package, _, version = name.removesuffix(".dist-info").rpartition("-")
                    found[package.replace("_", "-")] = version
    return dict(sorted(found.items(), key=lambda entry: entry[0].lower()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

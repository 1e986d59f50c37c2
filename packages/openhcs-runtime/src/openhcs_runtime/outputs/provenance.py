"""Where results come from: `<output>/provenance.json` says by what, from what and how an output folder was made.

One document a folder, written when a run begins (then it says "running") and again when it has ended. It holds all
that is needed to run the same again, and all that could explain a difference.
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
from openhcs_runtime.exceptions import OutputError, PipelineError, printable
from openhcs_runtime.outputs.runs import PROVENANCE_NAME, RUNNING
from openhcs_runtime.outputs.wells import ReadImage
from openhcs_runtime.pipeline.basis import VARIABLE_PREFIX
from openhcs_runtime.pipeline.local_imports import LocalModule
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.pipeline.source import Pipeline
from openhcs_runtime.pipeline.to_source import to_source
from openhcs_runtime.results import PlateResult, ResultStatus

FILE_NAME = PROVENANCE_NAME
FORMAT_VERSION = 2

_KEPT_VARIABLES = ("OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "NUMBA_", "BLIS_", "VECLIB_", "CUDA_", "PYTHON")
"""How the names of environment variables begin that may change what is computed, whatever the pipeline reads."""


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was to be read.

    Attributes:
        well: the well that it is of.
        path: below the plate where it lies there.
        size: in bytes.
        mtime_ns: when it was last changed.
        index: of the plane, where the path is an array of several.
        digest: BLAKE2b (16 bytes, hexadecimal) of the bytes that were read; empty when it was not read to the end.
    """

    well: str
    path: str
    size: int
    mtime_ns: int
    index: tuple[int, ...] = ()
    digest: str = ""


class ModuleFile(msgspec.Struct, frozen=True, kw_only=True):
    """A module of the user's own that the pipeline imports; `text` is empty for one that is no text in UTF-8."""

    name: str
    path: str
    digest: str
    text: str = ""


class WellRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a well ended.

    Attributes:
        well, status: which one, and how.
        elapsed_s: how long it took, in seconds.
        peak_memory_bytes: how much memory its process held at most; None where that was not measured.
        reused: it was done before this run, by an earlier attempt or by the run that `taken_from` names.
        error, step: why it failed, and where.
        taken_from: the folder of the earlier run whose files were copied.
    """

    well: str
    status: str
    elapsed_s: float
    peak_memory_bytes: int | None
    reused: bool
    error: str = ""
    step: str = ""
    taken_from: str = ""


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The document.

    `pipeline_source` is empty, with the reason in `no_source`, for functions that have no source. `seed` is what random
    numbers were made from. `basis` names what the values depend on besides the images, `planned` the signature of each
    well that was to be done, `executions` the executions of servers that have worked on it. Of `environment` only
    variables are kept whose values the pipeline's code reads by name, or that set up numeric libraries: others may be
    secrets.
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
        """What is known when a run begins; `executions` are those that work, or have worked, on it."""
        source, reason = _source_of(pipeline)
        return cls(
            begun_at=_now(),
            plate_path=compiled.plate_path,
            plate_format=compiled.job.plate_format.value,
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
        )

    def ended(self, result: PlateResult, read: Mapping[str, Sequence[ReadImage]]) -> "Provenance":
        """The same with what came of the run; `read` are the images that were read for each well."""
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
            )
            for well in result.wells
        ]
        begin = self.plate_path.rstrip(os.sep) + os.sep
        digests = {
            (w, _inside(one.path, printable(begin)), one.index): one.digest
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
            error=result.error,
        )

    def broken_off(self, error: BaseException) -> "Provenance":
        """The same for a run that could not be brought to its end."""
        reason = str(error) or type(error).__name__
        return msgspec.structs.replace(self, status=ResultStatus.FAILED.value, ended_at=_now(), error=reason)

    def write(self, output_dir: Path) -> None:
        """Put it into the output folder. Raises OutputError."""
        with atomic_file(output_dir / FILE_NAME) as file:
            file.write(msgspec.json.format(msgspec.json.encode(self), indent=1))


def read_provenance(output_dir: Path) -> Provenance:
    """The document of an output folder.

    Raises OutputError when there is none, or it is damaged or of a newer release.
    """
    path = output_dir / FILE_NAME
    try:
        data = path.read_bytes()
        version = msgspec.json.decode(data, type=_Versioned).format_version
        if version > FORMAT_VERSION:
            raise OutputError(f"{path} was written by a newer release (format {version}); install that one")
        return msgspec.json.decode(data, type=Provenance)
    except FileNotFoundError:
        lacks = f"has no {FILE_NAME}" if output_dir.exists() else "does not exist"
        raise OutputError(f"{output_dir} {lacks}: name a folder that a run has written") from None
    except NotADirectoryError:
        raise OutputError(f"{output_dir} is a file: name a folder that a run has written") from None
    except OSError as error:
        raise OutputError(f"{path} can't be read: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise OutputError(f"{path} is damaged ({error}): run the pipeline again") from error


def is_unchanged(module: ModuleFile) -> bool:
    """Whether a module's file is still what it was."""
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
            path=printable(_inside(image.path, begin)),
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
        name: printable(value)
        for name, value in sorted(os.environ.items())
        if name in named or name.startswith(_KEPT_VARIABLES)
    }


def _packages() -> dict[str, str]:
    """Name and version of all that is installed.

    They are in the names of the folders (`numpy-2.3.0.dist-info`; "Recording installed projects" of the Python
    Packaging User Guide): to read the metadata of some hundred packages takes as long as a small well.
    """
    found: dict[str, str] = {}
    for folder in reversed(sys.path):  # what comes first is what is imported
        with contextlib.suppress(OSError):
            for name in os.listdir(folder or "."):
                if name.endswith(".dist-info"):
                    package, _, version = name.removesuffix(".dist-info").rpartition("-")
                    found[package.replace("_", "-")] = version
    return dict(sorted(found.items(), key=lambda entry: entry[0].lower()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

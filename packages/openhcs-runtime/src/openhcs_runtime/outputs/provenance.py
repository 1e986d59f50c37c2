"""Where results come from: `<output>/provenance.json` says by what, from what and how an output folder was made.

One document a folder, written when a run begins (then it says "running") and again when it has ended. It holds all
that is needed to run the same again, and all that could explain a difference.
"""

import contextlib
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import OutputError, PipelineError, printable
from openhcs_runtime.outputs.atomic import atomic_file
from openhcs_runtime.pipeline.source import Pipeline
from openhcs_runtime.pipeline.writing import to_source
from openhcs_runtime.plan import CompiledPlate
from openhcs_runtime.results import PlateResult

FILE_NAME = "provenance.json"
FORMAT_VERSION = 1
RUNNING = "running"


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was read: its path below the plate where it lies there, size in bytes and modification time."""

    well: str
    path: str
    size: int
    mtime_ns: int


class WellRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a well ended, how long it took (seconds), and how much memory (bytes) its process held at most."""

    well: str
    status: str
    elapsed_s: float
    peak_memory_bytes: int | None
    reused: bool
    error: str = ""
    step: str = ""


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The document. `pipeline_source` is empty, with the reason beside it, for functions that have no source."""

    format_version: int = FORMAT_VERSION
    status: str = RUNNING
    begun_at: str
    ended_at: str = ""
    plate_path: str
    plate_format: str
    pixel_size_um: float | None
    signature: str
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

    @classmethod
    def begin(
        cls,
        pipeline: Pipeline,
        compiled: CompiledPlate,
        global_config: GlobalConfig,
        pipeline_config: PipelineConfig,
    ) -> "Provenance":
        """What is known when a run begins."""
        source, reason = _source_of(pipeline)
        return cls(
            begun_at=_now(),
            plate_path=compiled.plate_path,
            plate_format=compiled.job.plate_format.value,
            pixel_size_um=compiled.job.pixel_size_um,
            signature=compiled.signature,
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
        )

    def ended(self, result: PlateResult) -> "Provenance":
        """The same with what came of the run."""
        wells = [
            WellRecord(
                well=well.well,
                status=well.status.value,
                elapsed_s=well.elapsed_s,
                peak_memory_bytes=well.peak_memory_bytes,
                reused=well.reused,
                error=well.error,
                step=well.step,
            )
            for well in result.wells
        ]
        return msgspec.structs.replace(self, status=result.status.value, ended_at=_now(), wells=wells)

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
            path=printable(image.path.removeprefix(begin).replace(os.sep, "/")),
            size=image.size,
            mtime_ns=image.mtime_ns,
        )
        for plan in compiled.wells
        for image in plan.images
    ]


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

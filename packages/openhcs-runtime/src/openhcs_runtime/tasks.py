"""What client and server exchange for one run of a pipeline on a plate. Importing it loads no image library."""

import enum
import os
from typing import Any, Literal

import msgspec

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import PipelineError, PlateError, storable
from openhcs_runtime.results import PlateResult
from zmqruntime.config import ZMQConfig

__all__ = [
    "FOLLOW_STEP",
    "NOTES",
    "OPENHCS_CONFIG",
    "USE_SERVER",
    "CompileReport",
    "Follow",
    "PlateTask",
    "Refusal",
    "RefusalKind",
    "Setting",
    "TaskAction",
    "read_result",
    "wants_server",
]

OPENHCS_CONFIG = ZMQConfig(app_name="openhcs")
"""Configuration shared by OpenHCS servers and clients; sockets are in ``~/.openhcs/ipc``."""


NOTES = "openhcs_runtime.notes"
"""Logger of decisions made for the user, such as which channel shows nuclei."""

FOLLOW_STEP = "waiting for images"
"""Step of the progress of a run that waits for the microscope; its axis is empty, and its message says for how long."""

USE_SERVER = "OPENHCS_USE_ZMQ_EXECUTION"
_YES = ("", "true", "1", "yes", "on")
_NO = ("false", "0", "no", "off")


def wants_server() -> bool:
    """Return whether runs use a server; the environment variable can be ``false``, ``0``, ``no`` or ``off`` if not.

    Raises:
        PipelineError: the variable is neither one of these nor ``true``, ``1``, ``yes``, ``on`` or empty.
    """
    said = os.environ.get(USE_SERVER, "").strip()
    if said.lower() not in (*_YES, *_NO):
        raise PipelineError(f"the environment variable {USE_SERVER} is {said!r}: set it to true or false, or unset it")
    return said.lower() not in _NO


class TaskAction(enum.StrEnum):
    """What to do with a pipeline and a plate."""

    RUN = "run"
    COMPILE = "compile"
    """Check everything that can be checked, without running anything."""


class Follow(msgspec.Struct, frozen=True):
    """How a plate is followed that a microscope is still writing.

    Attributes:
        idle_seconds: the acquisition has ended when nothing has changed for this long.
        settle_seconds: a well is complete when none of its files has changed for this long.
    """

    idle_seconds: float = 600.0
    settle_seconds: float = 30.0


class Setting(msgspec.Struct, frozen=True):
    """The value of a parameter of a function in a pipeline.

    Attributes:
        name: the parameter, after the function or step that has it, as in ``segment_nuclei.diameter_um``.
        text: a Python literal, or plain text.
    """

    name: str
    text: str

    @classmethod
    def parse(cls, text: str) -> "Setting":
        """Parse ``NAME=VALUE``.

        Raises:
            PipelineError: it is something else.
        """
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise PipelineError(
                f"{text!r} does not set a parameter; expected a form like segment_nuclei.diameter_um=12"
            )
        return cls(name.strip(), value.strip())

    @classmethod
    def of(cls, name: str, value: object) -> "Setting":
        """Return a setting for a value that can be written as a literal."""
        return cls(name, repr(value))

    def __str__(self) -> str:
        return f"{self.name}={self.text}"


class PlateTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payload of a submission: one pipeline, one plate, and how to run it.

    ``global_config`` and ``pipeline_config`` replace those of the pipeline. ``num_workers``, ``dask``, ``gpus``,
    ``view``, ``seed``, ``output_dir``, ``results_dir``, ``pattern``, ``plate_format``, ``pages``, ``wells``, ``sites``,
    ``where``, ``plate_map`` and ``sample`` each override a single setting of these. Relative paths are relative to
    ``base_dir``.

    Attributes:
        plate_path: folder of the plate.
        source: source text of the pipeline.
        source_name: its name in error messages.
        global_config: settings of the machine [default: those of the pipeline].
        pipeline_config: settings of the pipeline [default: those of the pipeline].
        num_workers: overrides ``GlobalConfig.num_workers``.
        dask: overrides ``GlobalConfig.dask``.
        gpus: overrides ``GlobalConfig.gpus``.
        output_dir: overrides ``PipelineConfig.output_dir``.
        results_dir: overrides ``PipelineConfig.results_dir``.
        base_dir: folder that relative paths are relative to.
        pattern: overrides ``PipelineConfig.pattern``.
        plate_format: overrides ``PipelineConfig.plate_format``.
        pages: overrides ``PipelineConfig.pages``.
        wells: overrides ``PipelineConfig.wells``.
        sites: overrides ``PipelineConfig.sites``.
        where: overrides ``PipelineConfig.where``.
        plate_map: overrides ``PipelineConfig.plate_map``.
        sample: overrides ``PipelineConfig.sample``.
        settings: values of parameters in place of those of the pipeline.
        swept: names of parameters that other runs set to other values: the images and labels of the step before each of
            them are kept, so that those runs begin there.
        keep: names of steps whose images and labels are kept, in addition to those of ``PipelineConfig.keep``.
        view: overrides ``GlobalConfig.view``.
        seed: overrides ``GlobalConfig.seed``.
        action: run the pipeline, or only check whether it can be run.
        resume: continue in the folder of the execution ``resume_of``, or of the newest run of the same kind, and keep
            the wells it has finished.
        resume_of: the execution to resume.
        fresh: do not take over wells from earlier runs.
        replace: replace an output folder that already contains results, once the new ones are complete.
        compile_artifact_id: execution id of the compilation.
        expected_signature: refuse to run if images, pipeline or settings have changed since that compilation.
        source_dir: folder of the pipeline file, from which it may import modules; empty if there is no file.
        follow: process wells as their images appear, until the acquisition has ended.
    """

    plate_path: str
    source: str
    source_name: str = "pipeline.py"
    source_dir: str = ""
    global_config: GlobalConfig | None = None
    pipeline_config: PipelineConfig | None = None
    num_workers: int | Literal["auto"] | None = None
    dask: str | None = None
    gpus: str | None = None
    output_dir: str | None = None
    results_dir: str | None = None
    base_dir: str = ""
    pattern: str | None = None
    plate_format: str | None = None
    pages: str | None = None
    wells: tuple[str, ...] | None = None
    sites: tuple[int, ...] | None = None
    where: str | None = None
    plate_map: str | None = None
    sample: int | None = None
    settings: tuple[Setting, ...] = ()
    swept: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    view: str | None = None
    seed: int | None = None
    action: TaskAction = TaskAction.RUN
    resume: bool = False
    resume_of: str = ""
    fresh: bool = False
    replace: bool = False
    compile_artifact_id: str = ""
    expected_signature: str = ""
    follow: Follow | None = None

    def __post_init__(self) -> None:
        """Check that all names can be part of a message.

        Raises:
            PlateError: a name is not valid UTF-8.
        """
        paths = (self.plate_path, self.output_dir or "", self.base_dir, self.source_dir, self.source_name)
        for name in (*paths, self.plate_map or ""):
            if (shown := storable(name)) != name:
                raise PlateError(f"the name of {shown} is not valid UTF-8: rename it")


class CompileReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an execution that only compiled, successfully.

    Attributes:
        compile_artifact_id: id of that execution, with which runs are submitted.
        signature: signature of the compiled run.
        plate_path: the plate.
        output_dir: the output folder.
        wells: wells that a run would process.
        gets_own_folder: whether a run gets a new folder inside ``output_dir``.
        incomplete_wells: those of the wells with missing images.
        steps: names of the enabled steps.
        workers: number of workers.
        memory_per_well_bytes: estimated peak memory for one well; 0 if it is not known.
        warnings: problems of the plate that don't prevent a run.
        plate_wells: number of wells of the plate, chosen or not.
        choice: which wells were chosen, in one line; empty if all are.
    """

    compile_artifact_id: str
    signature: str
    plate_path: str
    output_dir: str
    wells: tuple[str, ...]
    gets_own_folder: bool = False
    incomplete_wells: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    workers: int = 1
    memory_per_well_bytes: int = 0
    warnings: tuple[str, ...] = ()
    plate_wells: int = 0
    choice: str = ""


class RefusalKind(enum.StrEnum):
    """Why a run ended before any well was processed."""

    TASK = "task"
    """The payload is not a valid plate task; the client is from another release."""
    PLATE = "plate"
    PIPELINE = "pipeline"
    """The pipeline as written."""
    COMPILE = "compile"
    """The pipeline on this plate with these settings."""
    CHANGED = "changed"
    """Images, pipeline or settings have changed since the compilation."""
    OUTPUT = "output"
    DISK_FULL = "disk_full"
    """There is no space left in the output folder."""
    WORKERS = "workers"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an execution that ended before any well was processed; ``problems`` has one line per problem."""

    refused: RefusalKind
    problems: tuple[str, ...]


def read_result(result: Any) -> PlateResult | CompileReport | Refusal | None:
    """Return the result of an execution as a typed value; None if there is no result.

    Raises:
        msgspec.ValidationError: it is the result of another kind of task.
    """
    if result is None:
        return None
    if isinstance(result, dict) and "refused" in result:
        return msgspec.convert(result, Refusal)
    if isinstance(result, dict) and "compile_artifact_id" in result:
        return msgspec.convert(result, CompileReport)
    return msgspec.convert(result, PlateResult)

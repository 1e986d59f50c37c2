"""What travels between client and server for one run of a pipeline over a plate; loads no image library."""

import enum
import os
from typing import Any, Literal

import msgspec

from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.exceptions import PipelineError, PlateError, printable
from openhcs_runtime.results import PlateResult
from zmqruntime.config import ZMQConfig

__all__ = [
    "NOTES",
    "OPENHCS_CONFIG",
    "USE_SERVER",
    "CompileReport",
    "PlateTask",
    "Refusal",
    "RefusalKind",
    "TaskAction",
    "read_result",
    "wants_server",
]

OPENHCS_CONFIG = ZMQConfig(app_name="openhcs")
"""What OpenHCS servers and their clients agree on: sockets are in ``~/.openhcs/ipc``."""


NOTES = "openhcs_runtime.notes"
"""The logger of what was decided for the user, such as which channel shows nuclei."""

USE_SERVER = "OPENHCS_USE_ZMQ_EXECUTION"
_YES = ("", "true", "1", "yes", "on")
_NO = ("false", "0", "no", "off")


def wants_server() -> bool:
    """Whether runs go to a server: they do unless the environment variable says ``false``, ``0``, ``no`` or ``off``.

    Raises PipelineError when it says something else than these and ``true``, ``1``, ``yes``, ``on`` or nothing.
    """
    said = os.environ.get(USE_SERVER, "").strip()
    if said.lower() not in (*_YES, *_NO):
        raise PipelineError(f"the environment variable {USE_SERVER} is {said!r}: set it to true or false, or unset it")
    return said.lower() not in _NO


class TaskAction(enum.StrEnum):
    """What to do with a pipeline and a plate."""

    RUN = "run"
    COMPILE = "compile"
    """Check everything that can be checked, and do nothing."""


class PlateTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payload of a submission: run this pipeline over that plate.

    ``source`` is the text of a pipeline file and ``source_name`` what error messages call it. A whole configuration
    given here takes the place of the pipeline's own; ``num_workers``, ``dask``, ``view``, ``seed``, ``output_dir``,
    ``results_dir`` and ``pattern`` override one setting of whichever holds. Relative paths are relative to
    ``base_dir``. ``source_dir`` is the folder of the pipeline file, from which it may import modules; empty when there
    is no file.

    ``action``: run it, or only see whether it could be run. ``resume``: go on in the folder of the execution
    ``resume_of``, or of the newest run of the same kind, and keep the wells that it has finished. ``fresh``: take over
    no wells from earlier runs. ``replace``: an output folder that holds results may be replaced once the new ones are
    complete. ``expected_signature``: refuse to run when images, pipeline or settings are no longer
    those that ``compile_artifact_id`` was compiled from.
    """

    plate_path: str
    source: str
    source_name: str = "pipeline.py"
    source_dir: str = ""
    global_config: GlobalConfig | None = None
    pipeline_config: PipelineConfig | None = None
    num_workers: int | Literal["auto"] | None = None
    dask: str | None = None
    output_dir: str | None = None
    results_dir: str | None = None
    base_dir: str = ""
    pattern: str | None = None
    view: str | None = None
    seed: int | None = None
    action: TaskAction = TaskAction.RUN
    resume: bool = False
    resume_of: str = ""
    fresh: bool = False
    replace: bool = False
    compile_artifact_id: str = ""
    expected_signature: str = ""

    def __post_init__(self) -> None:
        """Raises PlateError for names that a message can't hold."""
        for name in (self.plate_path, self.output_dir or "", self.base_dir, self.source_dir, self.source_name):
            if (shown := printable(name)) != name:
                raise PlateError(f"the name of {shown} is not valid UTF-8: rename it")


class CompileReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an execution that only compiled: nothing stands in the way of a run.

    ``compile_artifact_id`` is the id of that execution; runs are submitted by it. ``wells`` are those that would be
    worked on, ``incomplete_wells`` those of them that lack images, ``warnings`` what is odd about the plate;
    ``gets_own_folder`` says that a run gets a new folder in ``output_dir``;
    ``memory_per_well_bytes`` is the most that the work on a well takes, 0 where that is not known.
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


class RefusalKind(enum.StrEnum):
    """Why a run ended before any well was worked on."""

    TASK = "task"
    """The payload is no plate task: the client is of another release."""
    PLATE = "plate"
    PIPELINE = "pipeline"
    """The pipeline as written."""
    COMPILE = "compile"
    """The pipeline on this plate with these settings."""
    CHANGED = "changed"
    """What was compiled is no longer what there is."""
    OUTPUT = "output"
    DISK_FULL = "disk_full"
    """There is no room in the output folder."""
    WORKERS = "workers"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What the result of an execution is that ended before any well was worked on; ``problems`` has a line for each."""

    refused: RefusalKind
    problems: tuple[str, ...]


def read_result(result: Any) -> PlateResult | CompileReport | Refusal | None:
    """The result of an execution as a typed value; None when it left none.

    Raises msgspec.ValidationError for the result of another kind of task.
    """
    if result is None:
        return None
    if isinstance(result, dict) and "refused" in result:
        return msgspec.convert(result, Refusal)
    if isinstance(result, dict) and "compile_artifact_id" in result:
        return msgspec.convert(result, CompileReport)
    return msgspec.convert(result, PlateResult)

"""Several plates, one execution each: submitted together, watched one after the other, and told in one line each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openhcs_runtime.cli.endpoint import PlateEndpoint, connected
from openhcs_runtime.cli.failures import PlateErrorKind
from openhcs_runtime.cli.interrupts import Interrupts
from openhcs_runtime.cli.plate_tasks import RunOptions, plate_task
from openhcs_runtime.cli.running import tell_costs, wait_for_end
from openhcs_runtime.cli.summary import error_of, run_document, well_counts
from openhcs_runtime.cli.watching import watching
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient
from openhcs_runtime.tasks import PlateTask
from openhcs_runtime.terminal.progress import RunProgress
from zmqruntime.execution.cli.failures import CommandError, ExitCode
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.text import plural, table
from zmqruntime.messages import ExecutionStatus

__all__ = [
    "BatchPlate",
    "Ended",
    "batch_tasks",
    "compile_batch",
    "document_of",
    "error_of_batch",
    "run_batch",
    "run_batch_here",
    "run_each",
    "run_each_here",
    "tell_lines",
]


@dataclass(frozen=True, slots=True)
class BatchPlate:
    """A plate of a batch, and what became of it.

    Attributes:
        path: the plate.
        task: what to submit; None if it can't be submitted.
        document: what became of it, for programs.
        words: the same for people.
        error: why it was not a success.
    """

    path: str
    task: PlateTask | None = None
    document: dict[str, Any] | None = None
    words: str = ""
    error: CommandError | None = None

    def ended(self, execution: PlateExecution, document: dict[str, Any], words: str) -> "BatchPlate":
        """The plate after its execution."""
        return replace(self, document=document, words=words, error=error_of(execution))


@dataclass(frozen=True, slots=True)
class Ended:
    """The plates of a batch that has ended, and whether Ctrl-C ended it."""

    plates: tuple[BatchPlate, ...]
    was_interrupted: bool = False
    hint: str = ""
    what: str = "plate"


OnEnd = Callable[[int, PlateExecution], None]


def batch_tasks(
    options: Sequence[RunOptions], change: Callable[[PlateTask], PlateTask] = lambda task: task
) -> list[BatchPlate]:
    """The plates with their tasks, each changed by a function; what is wrong with one does not stop the others."""
    plates = []
    for each in options:
        try:
            plates.append(BatchPlate(each.plate, change(plate_task(each))))
        except CommandError as error:
            plates.append(BatchPlate(each.plate, error=error))
    return plates


def run_batch(
    endpoint: PlateEndpoint, plates: Sequence[BatchPlate], output: Output, *, with_costs: bool = False
) -> int:
    """Run the plates on a server, which is started if none is running. The first Ctrl-C cancels all of them."""
    return _tell(run_each(endpoint, plates, output, with_costs=with_costs), output)


def run_batch_here(plates: Sequence[BatchPlate], output: Output, *, with_costs: bool = False) -> int:
    """Run the plates in this process; the first Ctrl-C cancels the running one and leaves out the rest."""
    return _tell(run_each_here(plates, output, with_costs=with_costs), output)


def run_each(
    endpoint: PlateEndpoint,
    plates: Sequence[BatchPlate],
    output: Output,
    *,
    what: str = "plate",
    with_costs: bool = False,
    on_end: OnEnd = lambda number, execution: None,
) -> Ended:
    """Run the plates on a server, and watch one after the other.

    ``what`` they are called, and ``on_end`` is called with the number of each, from 0, and what became of it.
    """
    with Interrupts() as interrupts:
        with connected(endpoint) as client:
            ids = _submit(client, plates)
            output.line(f"Submitted {plural(len(ids), what)} to server process {client.server.pid}")
            ended, was_interrupted = list(plates), False
            for number, execution_id in ids.items():
                if was_interrupted:  # all of them were cancelled
                    execution, view = client.poll_status(execution_id), RunProgress().view()
                else:
                    which = f"{what.capitalize()} {number + 1} of {len(plates)}: {plates[number].path}"
                    output.line(f"\n{which}, execution {execution_id}")
                    others = [other for later, other in ids.items() if later > number]
                    with watching(client, execution_id, quiet=output.as_json) as board:
                        execution, was_interrupted = wait_for_end(
                            client, execution_id, output, interrupts, endpoint, others
                        )
                    view = board.view()
                    if with_costs:
                        tell_costs(execution, output)
                on_end(number, execution)
                ended[number] = plates[number].ended(execution, run_document(execution, view), _run_words(execution))
            stays = client.has_started_server
        hint = f"The server stays for the next run; 'openhcs-runtime stop{endpoint.options}' stops it."
        return Ended(tuple(ended), was_interrupted, hint if stays else "", what)


def run_each_here(
    plates: Sequence[BatchPlate],
    output: Output,
    *,
    what: str = "plate",
    with_costs: bool = False,
    on_end: OnEnd = lambda number, execution: None,
) -> Ended:
    """Run the plates in this process; the arguments are those of ``run_each``."""
    # Loads image libraries, which a run on a server does not need.
    from openhcs_runtime.cli.here import run_here  # noqa: PLC0415

    ended, was_interrupted = list(plates), False
    for number, plate in enumerate(plates):
        if was_interrupted and plate.error is None:
            ended[number] = replace(plate, error=CommandError(PlateErrorKind.CANCELLED, "not run"))
        elif plate.task is not None:
            which = f"{what.capitalize()} {number + 1} of {len(plates)}: {plate.path}"
            output.line(f"\n{which}, in this process, without a server")
            execution, view = run_here(plate.task, quiet=output.as_json)
            if with_costs:
                tell_costs(execution, output)
            on_end(number, execution)
            ended[number] = plate.ended(execution, run_document(execution, view), _run_words(execution))
            was_interrupted = execution.status is ExecutionStatus.CANCELLED
    return Ended(tuple(ended), was_interrupted, what=what)


def compile_batch(endpoint: PlateEndpoint, plates: Sequence[BatchPlate], output: Output) -> int:
    """Compile the pipeline for each plate."""
    ended = list(plates)
    with connected(endpoint) as client:
        for number, execution_id in _submit(client, plates).items():
            execution = client.wait(execution_id)
            report = execution.compiled
            document = {"execution_id": execution_id, "status": execution.status.value, "compiled": report}
            words = f"'openhcs-runtime run --compiled {execution_id}{endpoint.options}' runs it"
            ended[number] = plates[number].ended(execution, document, words if report else "")
    return _tell(Ended(tuple(ended)), output)


def _submit(client: ZMQExecutionClient, plates: Sequence[BatchPlate]) -> dict[int, str]:
    """Submit what can be; gives the execution ids by the number of the plate."""
    tasks = ((number, plate.task) for number, plate in enumerate(plates))
    return {number: client.submit_task(task).execution_id for number, task in tasks if task is not None}


def _run_words(execution: PlateExecution) -> str:
    plate = execution.plate
    return f"{well_counts(plate)}; {plate.output_dir}" if plate is not None else execution.status.value


def _tell(ended: Ended, output: Output) -> ExitCode:
    """Print a line for each plate; the exit code is the worst one."""
    tell_lines(ended, output)
    return output.document({"plates": [document_of(plate) for plate in ended.plates]}, error_of_batch(ended))


def tell_lines(ended: Ended, output: Output) -> None:
    """Print a line for each plate."""
    rows = [(plate.path, "failed" if plate.error else "ok", _words(plate)) for plate in ended.plates]
    output.line()
    for line in table((ended.what.upper(), "STATUS", "RESULT"), rows):
        output.line(line)
    if ended.hint:
        output.line(f"\n{ended.hint}")


def _words(plate: BatchPlate) -> str:
    if plate.error is None:
        return plate.words
    said = plate.error.text()
    return f"{said}; {plate.words}" if plate.document and plate.document.get("result") else said


def document_of(plate: BatchPlate) -> dict[str, Any]:
    """What became of a plate, for programs."""
    error = plate.error
    return {
        "plate_path": plate.path,
        **(plate.document or {}),
        "exit_code": int(error.exit_code) if error else 0,
        "error": error.to_dict() if error else None,
    }


def error_of_batch(ended: Ended) -> CommandError | None:
    """Why the batch was not a success; None if it was."""
    plates = ended.plates
    errors = [plate.error for plate in plates if plate.error is not None]
    if ended.was_interrupted:
        done = len(plates) - len(errors)
        message = f"cancelled with Ctrl-C, {done} of {plural(len(plates), ended.what)} done"
        return CommandError(PlateErrorKind.CANCELLED, message, ExitCode.INTERRUPTED)
    if not errors:
        return None
    worst = max(errors, key=lambda error: error.exit_code)
    message = f"{len(errors)} of {plural(len(plates), ended.what)} failed"
    return CommandError(worst.kind, message, worst.exit_code)

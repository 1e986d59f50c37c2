"""``run --sweep``: several runs with other values of parameters, compared in one table and one picture."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from openhcs_runtime.cli.batch import (
    BatchPlate,
    Ended,
    document_of,
    error_of_batch,
    run_each,
    run_each_here,
    tell_lines,
)
from openhcs_runtime.cli.endpoint import PlateEndpoint, connected
from openhcs_runtime.cli.failures import PlateErrorKind
from openhcs_runtime.cli.plate_tasks import RunOptions
from openhcs_runtime.cli.summary import error_of
from openhcs_runtime.exceptions import OutputError, PipelineError
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.sweep import Combination, SweepFolder, SweepParameter, SweepRecord, combinations
from openhcs_runtime.tasks import PlateTask, TaskAction
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.text import duration, plural, table

__all__ = ["check_sweep", "run_sweep_here", "run_sweep_on"]


def check_sweep(options: RunOptions, texts: Sequence[str]) -> tuple[SweepParameter, ...]:
    """The parameters that were typed.

    Raises:
        CommandError: they can't be understood, or don't go with the other options.
    """
    if options.output is not None or options.follow is not None:
        name = "--output" if options.output is not None else "--follow"
        raise CommandError(ErrorKind.USAGE, f"--sweep makes several runs and does not go with {name}; leave one out")
    if not options.endpoint.is_local:
        message = "a sweep writes its table next to its runs; type it on the machine of the server"
        raise CommandError(ErrorKind.USAGE, message)
    try:
        parameters = tuple(map(SweepParameter.parse, texts))
        combinations(parameters)
    except PipelineError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error
    return parameters


def run_sweep_on(
    endpoint: PlateEndpoint, task: PlateTask, parameters: Sequence[SweepParameter], output: Output, *, with_costs: bool
) -> int:
    """Run a sweep on a server, which is started if none is running. The first Ctrl-C cancels all of its runs."""
    sweep = _Sweep(task, parameters, output)
    with connected(endpoint) as client:
        sweep.check(lambda each: [client.wait(id_) for id_ in [client.submit_task(one).execution_id for one in each]])
    return sweep.tell(run_each(endpoint, sweep.runs, output, what="run", with_costs=with_costs, on_end=sweep.on_end))


def run_sweep_here(task: PlateTask, parameters: Sequence[SweepParameter], output: Output, *, with_costs: bool) -> int:
    """Run a sweep in this process; the first Ctrl-C cancels the current run and leaves out the rest."""
    # Loads image libraries, which a run on a server does not need.
    from openhcs_runtime.service.local import run_locally  # noqa: PLC0415

    sweep = _Sweep(task, parameters, output)
    sweep.check(lambda each: [run_locally(one, lambda event: None) for one in each])
    return sweep.tell(run_each_here(sweep.runs, output, what="run", with_costs=with_costs, on_end=sweep.on_end))


class _Sweep:
    """A sweep and what it has written so far."""

    def __init__(self, task: PlateTask, parameters: Sequence[SweepParameter], output: Output) -> None:
        self._each = combinations(parameters)
        self._folder = SweepFolder([parameter.name for parameter in parameters], datetime.now().astimezone())
        self._output = output
        self._title = " ".join(map(str, parameters))
        self._plate = task.plate_path
        self.runs = tuple(BatchPlate(str(combination), combination.task(task)) for combination in self._each)

    def check(self, compile_each: Callable[[Sequence[PlateTask]], Sequence[PlateExecution]]) -> None:
        """Compile all runs, so that a wrong value is found before anything is computed, and say how much there is.

        Raises:
            CommandError: a run can't be compiled.
        """
        tasks = [run.task for run in self.runs if run.task is not None]
        found = compile_each([msgspec.structs.replace(task, action=TaskAction.COMPILE) for task in tasks])
        for run, execution in zip(self.runs, found, strict=True):
            if (error := error_of(execution)) is not None:
                message = error.message if run.path in error.message else f"{run.path}: {error.message}"
                raise CommandError(error.kind, message, error.exit_code, error.problems)
        wells = max(len(execution.compiled.wells) for execution in found if execution.compiled is not None)
        size = f"{plural(len(self.runs), 'run')} x {plural(wells, 'well')}"
        self._output.line(f"Sweep of {self._title} over {self._plate}: {size}")

    def on_end(self, number: int, execution: PlateExecution) -> None:
        """Add a run to the table."""
        self._folder.add(self._each[number], execution.plate, execution.message)

    def tell(self, ended: Ended) -> int:
        """Draw the picture, and say what was found."""
        try:
            record = self._folder.finish()
        except OutputError as error:
            raise CommandError(PlateErrorKind.OUTPUT, str(error)) from error
        tell_lines(ended, self._output)
        if record is not None:
            self._tell_record(record)
        document = {
            "sweep": None if record is None else msgspec.to_builtins(record),
            "runs": [document_of(run) for run in ended.plates],
        }
        return self._output.document(document, error_of_batch(ended))

    def _tell_record(self, record: SweepRecord) -> None:
        counts = list(dict.fromkeys(name for run in record.runs for name in run.counts))
        titles = [name.removesuffix("_count").replace("_", " ").upper() for name in counts]
        rows = [
            (
                str(Combination(run.settings)),
                str(run.wells_done),
                *(f"{run.counts[name]:,}" if name in run.counts else "-" for name in counts),
                duration(run.seconds),
            )
            for run in record.runs
        ]
        self._output.line()
        for line in table(("VALUES", "WELLS", *titles, "TIME"), rows):
            self._output.line(line)
        self._output.line(f"\nTable    {record.table}")
        self._output.line(f"Picture  {record.picture or record.no_picture}")

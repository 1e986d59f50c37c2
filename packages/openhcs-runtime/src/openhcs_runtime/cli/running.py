"""A run from its submission to its end: submitted, watched, cancelled by Ctrl-C, and told."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs_runtime.cli.costs_view import costs_document, print_costs
from openhcs_runtime.cli.endpoint import PlateEndpoint, connected, server_lost
from openhcs_runtime.cli.failures import PlateErrorKind
from openhcs_runtime.cli.interrupts import Interrupts
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient
from zmqruntime.exceptions import RequestTimeoutError, ServerLostError
from zmqruntime.execution import WaitTimeoutError
from zmqruntime.execution.cli.failures import CommandError, ExitCode, interrupted
from zmqruntime.execution.cli.output import Output
from zmqruntime.messages import ExecutionStatus

if TYPE_CHECKING:
    from openhcs_runtime.terminal.progress import BoardView

__all__ = ["Begin", "Begun", "follow", "tell_costs", "tell_end", "wait_for_end"]

_CANCEL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Begun:
    """An execution to watch, and what it is in words."""

    execution_id: str
    title: str


Begin = Callable[[ZMQExecutionClient], Begun]
"""Submits something, or finds what is under way."""


def follow(endpoint: PlateEndpoint, begin: Begin, output: Output, *, with_costs: bool = False) -> int:
    """Begin something on a server, which is started if none is running, and watch it to its end."""
    with Interrupts() as interrupts:
        with connected(endpoint) as client:
            if interrupts.were_noted:
                raise _never_begun(client)
            begun = begin(client)
            execution_id = begun.execution_id
            output.line(begun.title)
            output.line(f"Execution {execution_id}, server process {client.server.pid}")
            # What shows the run is loaded while the server is already at work.
            from openhcs_runtime.cli.watching import watching  # noqa: PLC0415

            with watching(client, execution_id, quiet=output.as_json) as board:
                importlib.import_module("openhcs_runtime.cli.summary")
                execution, was_interrupted = wait_for_end(client, execution_id, output, interrupts, endpoint)
            stays = client.has_started_server
        hint = f"\nThe server stays for the next run; 'openhcs-runtime stop{endpoint.options}' stops it."
        hint = hint if stays else ""
        view = board.view()
        return tell_end(
            execution,
            view,
            output,
            was_interrupted=was_interrupted,
            hint=hint,
            with_costs=with_costs,
            finish=f"openhcs-runtime resume {execution.execution_id}{endpoint.options}",
        )


def tell_end(
    execution: PlateExecution,
    view: "BoardView",
    output: Output,
    *,
    was_interrupted: bool,
    hint: str = "",
    with_costs: bool = False,
    finish: str = "",
) -> ExitCode:
    """Say what came of the run, what else there is to know, and the command ``finish`` if it would do what is left."""
    from openhcs_runtime.cli.summary import (  # noqa: PLC0415
        can_finish,
        error_of,
        kept_text,
        print_summary,
        run_document,
    )

    finish = f"'{finish}' finishes this run." if finish and can_finish(execution, view) else ""
    document = run_document(execution, view)
    if with_costs and execution.plate is not None:
        document["costs"] = costs_document([well.steps for well in execution.plate.wells])
    if was_interrupted and execution.status is ExecutionStatus.CANCELLED:
        message = f"cancelled with Ctrl-C, {kept_text(view, execution)}"
        if finish:
            output.line(finish)
        return output.document(document, CommandError(PlateErrorKind.CANCELLED, message, ExitCode.INTERRUPTED))
    if not output.as_json:
        print_summary(execution)
        if with_costs:
            tell_costs(execution, output)
    if hint:
        output.line(hint)
    if finish:
        output.line(finish)
    return output.document(document, error_of(execution))


def tell_costs(execution: PlateExecution, output: Output) -> None:
    """Print what the steps have cost."""
    if execution.plate is not None and not output.as_json:
        wells = execution.plate.wells
        print_costs([well.steps for well in wells], sum(well.reused for well in wells))


def _never_begun(client: ZMQExecutionClient) -> CommandError:
    """Ctrl-C came before anything was submitted: a server that was started for it, and is idle, ends again."""
    message = "interrupted before the run was submitted"
    if client.has_started_server:
        report = client.status(limit=0)
        if not report.running + report.queued:
            client.shutdown_server()
            message += "; the server that was started for it has ended"
    return interrupted(message)


def wait_for_end(
    client: ZMQExecutionClient,
    execution_id: str,
    output: Output,
    interrupts: Interrupts,
    endpoint: PlateEndpoint,
    others: Sequence[str] = (),
) -> tuple[PlateExecution, bool]:
    """Wait for the end, and say whether Ctrl-C brought it about; what follows is not broken off by another Ctrl-C.

    Ctrl-C also cancels the executions that are ``others``.
    """
    try:
        interrupts.allow()
        execution, was_interrupted = client.wait(execution_id), False
        interrupts.hold()
    except KeyboardInterrupt:
        execution, was_interrupted = _cancel(client, [*others, execution_id], output), True
        interrupts.hold()
    except ServerLostError as error:
        raise server_lost(client, execution_id, endpoint) from error
    return execution, was_interrupted


def _cancel(client: ZMQExecutionClient, execution_ids: Sequence[str], output: Output) -> PlateExecution:
    """Cancel executions, and wait for the end of the last one, which may be running."""
    execution_id = execution_ids[-1]
    try:
        output.line("Cancelling; Ctrl-C again leaves at once.")
        for each in execution_ids:
            client.cancel(each)
        return client.wait(execution_id, _CANCEL_SECONDS)
    except KeyboardInterrupt:
        how = "left at once; the server goes on cancelling"
    except RequestTimeoutError:
        how = "left; the server does not answer, so it may not have received the cancel of"
    except WaitTimeoutError:
        how = f"not stopped within {_CANCEL_SECONDS:g} s; the server goes on cancelling"
    raise interrupted(f"{how} execution {execution_id}, which 'openhcs-runtime status' shows")

"""``submit``: a function as a task, from a shell."""

import json
import os
import sys
from typing import Any

from zmqruntime.config import ZMQConfig
from zmqruntime.execution.cli.endpoint import Endpoint, clear_errors
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.sources import reading_or_none
from zmqruntime.execution.cli.user_code import importing

__all__ = ["SubmitArguments", "submit"]


class SubmitArguments:
    """The values that were typed for a function: JSON, or ``name=JSON`` for one that is named.

    Args:
        texts: As they were typed.

    Raises:
        CommandError: One of them is not JSON.
    """

    def __init__(self, texts: list[str]) -> None:
        self.args: list[Any] = []
        self.kwargs: dict[str, Any] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            if equals and name.isidentifier():
                self.kwargs[name] = _json(value, text)
            else:
                self.args.append(_json(text, text))


def submit(
    reference: str,
    arguments: SubmitArguments,
    executor_name: str,
    app: str,
    options: dict[str, Any],
    wait: bool,
    output: Output,
) -> int:
    """Submit a function, and wait for its result if that was asked for."""
    from zmqruntime.execution.executor.executor import Executor  # noqa: PLC0415 - other commands do without
    from zmqruntime.execution.executor.names import port_of  # noqa: PLC0415

    function = _function(reference)
    config = ZMQConfig(app_name=app)
    port = port_of(executor_name, config)
    endpoint = Endpoint(port, None, app)
    if "after" in options:
        options = {**options, "after": _found_ids(endpoint, executor_name, options["after"])}
    with clear_errors(endpoint):
        executor = Executor(executor_name, config=config)
        try:
            future = _submitted(executor, function, arguments, options)
            output.line(future.execution_id)
            output.note(f"Submitted; follow it with: zmqruntime events{endpoint.options} {future.execution_id[:8]}")
            document: dict[str, object] = {"execution_id": future.execution_id, "port": port}
            return _show_result(future, document, output) if wait else output.document(document)
        finally:
            executor.shutdown(wait=False)


def _found_ids(endpoint: Endpoint, executor_name: str, given: list[str]) -> list[str]:
    """The ids that were typed, in full.

    Raises:
        CommandError: No execution of this executor begins like that, or several do.
    """
    with reading_or_none(endpoint) as source:
        if source is None:
            message = f"executor {executor_name!r} has no execution {given[0]}, because it has not run anything yet"
            raise CommandError(ErrorKind.NOT_FOUND, f"{message}: name its executor with --executor")
        return [source.find_id(each) for each in given]


def _submitted(executor: Any, function: Any, arguments: SubmitArguments, options: dict[str, Any]) -> Any:
    named = {name: options.pop(name) for name in ("key", "after") if name in options}
    view = executor.options(**options) if options else executor
    try:
        return view.submit(function, *arguments.args, **named, **arguments.kwargs)
    except TypeError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error


def _show_result(future: Any, document: dict[str, object], output: Output) -> int:
    from zmqruntime.execution.executor.opened import open_value  # noqa: PLC0415 - as above
    from zmqruntime.execution.executor.shown import json_of  # noqa: PLC0415
    from zmqruntime.execution.executor.values import Values  # noqa: PLC0415

    try:
        result = future.result()
    except Exception as error:  # noqa: BLE001 - whatever the function raises
        text = f"{type(error).__name__}: {error}"
        return output.document(document, CommandError(ErrorKind.REFUSED, text, ExitCode.FAILED))
    output.line(repr(result))
    if not output.as_json:
        return output.document(document)
    return output.document({**document, "result": json_of(open_value(Values().to_wire(result)))})


def _function(reference: str) -> Any:
    from zmqruntime.execution.executor.functions import resolve  # noqa: PLC0415 - as above

    sys.path.insert(0, os.getcwd())
    if ":" not in reference:
        message = f"{reference!r} names no function: write MODULE:FUNCTION or FILE.py:FUNCTION"
        raise CommandError(ErrorKind.USAGE, message)
    with importing(reference):
        found = resolve(reference)
    if not callable(found):
        raise CommandError(ErrorKind.USAGE, f"{reference} is not a function but of type {type(found).__name__}")
    return found


def _json(value: str, whole: str) -> Any:
    try:
        return json.loads(value)
    except RecursionError as error:
        raise CommandError(ErrorKind.USAGE, "a value is nested too deeply: pass the path to a file") from error
    except ValueError as error:
        message = f"{whole!r} is not JSON ({error}): write text in two pairs of quotes, such as '\"text\"'"
        raise CommandError(ErrorKind.USAGE, message) from error

"""What can be typed: the commands with their options, help and examples."""

import argparse
import importlib
from collections.abc import Callable
from typing import Any, NoReturn

from zmqruntime._version import VERSION
from zmqruntime.execution.cli.arguments import (
    add_app,
    add_endpoint,
    add_id,
    endpoint_of,
    execution_id,
    plain_name,
    priority,
    seconds,
    whole_number,
)
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.web_options import SUMMARY, add_web_options, show_page
from zmqruntime.messages import QueueAction

__all__ = ["make_parser"]

PROGRAM = "zmqruntime"

_DESCRIPTION = """\
Look at servers that run long tasks in the background, and at what they are running.

  zmqruntime list                   your servers on this machine
  zmqruntime status                 what the server on the default port is running
  zmqruntime status --app openhcs   the same for the server of another application
  zmqruntime watch 4f2a91           the progress of an execution until it has ended
  zmqruntime logs -f 4f2a91         the log of an execution as it grows
  zmqruntime submit jobs.py:train 3 call a function in the background
  zmqruntime serve jobs.py:Server   run a server in this terminal
  zmqruntime doctor                 check this machine and say how to fix what is wrong

Any unique prefix of an execution id works. Only submit starts a server in the background.
While no server is running, status, history and logs read what it has left on disk."""

_EXIT_CODES = "Exit codes: 0 success, 1 failure or a negative answer, 2 usage error, 130 interrupted with Ctrl-C."

_Command = Callable[[argparse.Namespace, Output], int]


def _later(module: str, name: str) -> Callable[..., int]:
    """A function of a module of commands, which is imported when it is called."""

    def call(*args: Any, **kwargs: Any) -> int:
        found: Callable[..., int] = getattr(
            importlib.import_module(f"zmqruntime.execution.cli.commands.{module}"), name
        )
        return found(*args, **kwargs)

    return call


examine = _later("doctor", "examine")
cancel = _later("executions", "cancel")
show_history = _later("executions", "show_history")
show_status = _later("executions", "show_status")
admit = _later("keys", "admit")
forget = _later("keys", "forget")
show_keys = _later("keys", "show_keys")
trust = _later("keys", "trust")
change_queue = _later("queue", "change_queue")
list_schedules = _later("schedules", "list_schedules")
remove_schedule = _later("schedules", "remove_schedule")
list_servers = _later("servers", "list_servers")
stop = _later("servers", "stop")
follow_events = _later("streams", "follow_events")
show_logs = _later("streams", "show_logs")
watch = _later("watch", "watch")


class _Parser(argparse.ArgumentParser):
    """Raises for wrong use instead of printing."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(ErrorKind.USAGE, f"{message} (see '{self.prog} --help')")


def make_parser() -> argparse.ArgumentParser:
    """The whole command line; each parsed command has its function as ``command``.

    Parsing raises CommandError for wrong use.
    """
    parser = _Parser(
        PROGRAM,
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}", help="print the version")
    commands = _Surface(parser)
    _add_looking(commands)
    _add_changing(commands)
    _add_queue(commands)
    _add_schedules(commands)
    _add_submit(commands)
    _add_serve(commands)
    _add_servers(commands)
    _add_keys(commands)
    return parser


class _Surface:
    """Commands below a parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._program = parser.prog
        self._parsers = parser.add_subparsers(
            title="commands", metavar="COMMAND", required=True, parser_class=_Parser, prog=parser.prog
        )

    def add(self, name: str, summary: str, examples: str, command: _Command | None = None) -> argparse.ArgumentParser:
        """Add a command, or without ``command`` a group of them; ``examples``, one to a line, follow its name."""
        lines = [f"  {self._program} {name} {example.strip()}".rstrip() for example in examples.split("\n")]
        parser: argparse.ArgumentParser = self._parsers.add_parser(
            name,
            help=summary,
            description=summary[:1].upper() + summary[1:] + ".",
            epilog="\n".join(["examples:", *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if command is not None:
            parser.set_defaults(command=command)
            parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
        return parser

    def add_at_server(self, name: str, summary: str, examples: str, command: _Command) -> argparse.ArgumentParser:
        """Add a command that speaks of one server."""
        parser = self.add(name, summary, examples, command)
        add_endpoint(parser)
        return parser


def _add_looking(commands: _Surface) -> None:
    commands.add(
        "list",
        "list your servers on this machine, including those on TCP",
        "\n--json",
        lambda options, output: list_servers(output),
    )
    status = commands.add_at_server(
        "status",
        "show a server and its executions, or one execution in full",
        "\n4f2a91\n--app openhcs --port 7800",
        lambda options, output: show_status(endpoint_of(options), options.id, output),
    )
    add_id(status, default="all executions")
    events = commands.add_at_server(
        "events",
        "print the events of an execution from its start to its end",
        "4f2a91\n4f2a91 --after 120 --json",
        lambda options, output: follow_events(endpoint_of(options), options.id, options.after, output),
    )
    add_id(events)
    events.add_argument(
        "--after",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="skip the first N events, which 'status ID' counts [default: 0]",
    )
    watching = commands.add_at_server(
        "watch",
        "show the progress of an execution until it has ended",
        "4f2a91\n4f2a91 --json",
        lambda options, output: watch(endpoint_of(options), options.id, output),
    )
    add_id(watching)
    logs = commands.add_at_server(
        "logs",
        "print the log of an execution, also while no server is running",
        "4f2a91\n-f 4f2a91",
        lambda options, output: show_logs(endpoint_of(options), options.id, options.follow, output),
    )
    add_id(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="keep printing until the execution has ended")
    history = commands.add_at_server(
        "history",
        "list ended executions, newest first",
        "\n--limit 500 --json",
        lambda options, output: show_history(endpoint_of(options), options.limit, output),
    )
    history.add_argument(
        "--limit",
        type=whole_number(1, 1000),
        default=50,
        metavar="N",
        help="executions to list, up to 1000 [default: 50]",
    )


def _add_changing(commands: _Surface) -> None:
    parser = commands.add_at_server(
        "cancel",
        "stop an execution, or one axis of it",
        "4f2a91\n4f2a91 --axis B06\n4f2a91 --grace 10",
        _cancel,
    )
    add_id(parser)
    parser.add_argument(
        "--axis", metavar="A", help="only this axis, a part that runs by itself such as well B06 [default: all of them]"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--grace",
        type=seconds,
        metavar="S",
        help="seconds to wait before killing its processes [default: never kill them]",
    )
    how.add_argument("--now", action="store_true", help="kill its processes at once")


def _add_queue(commands: _Surface) -> None:
    parser = commands.add("queue", "change the order of the queue, or pause it", "pause\nmove 4f2a91 0")
    changes = _Surface(parser)
    for action, summary in (
        (QueueAction.PAUSE, "start nothing more; what is running goes on"),
        (QueueAction.RESUME, "accept and start executions again, after pause or drain"),
        (QueueAction.DRAIN, "accept nothing more; what is queued will still run"),
    ):
        change = _add_change(changes, action, summary, "--queue slow" if action is not QueueAction.DRAIN else "")
        if action is not QueueAction.DRAIN:
            change.add_argument(
                "--queue", type=plain_name, metavar="NAME", help="only the queue of this name [default: all of them]"
            )
    limit = _add_change(changes, QueueAction.LIMIT, "limit how many executions of a named queue run at once", "slow 2")
    limit.add_argument("queue", type=plain_name, metavar="NAME", help="name of the queue, such as default")
    limit.add_argument("limit", metavar="N", type=_limit, help="how many, or 'none' to remove the limit")
    for action, summary in (
        (QueueAction.HOLD, "keep an execution in the queue until it is released"),
        (QueueAction.RELEASE, "let a held execution run in its turn"),
    ):
        add_id(_add_change(changes, action, summary, "4f2a91"))
    move = _add_change(changes, QueueAction.MOVE, "move an execution among those of the same priority", "4f2a91 0")
    add_id(move)
    move.add_argument("position", type=whole_number(0), metavar="POS", help="its new position; 0 is the next to run")


def _add_change(changes: _Surface, action: QueueAction, summary: str, example: str) -> argparse.ArgumentParser:
    def command(options: argparse.Namespace, output: Output) -> int:
        given_id, position = getattr(options, "id", None), getattr(options, "position", 0)
        queue, limit = getattr(options, "queue", None), getattr(options, "limit", None)
        return change_queue(endpoint_of(options), action, given_id, position, output, queue=queue, limit=limit)

    return changes.add_at_server(action, summary, example, command)


def _limit(text: str) -> int | None:
    return None if text == "none" else whole_number(0)(text)


def _add_schedules(commands: _Surface) -> None:
    parser = commands.add("schedules", "list or remove tasks that are submitted repeatedly", "list\nremove nightly")
    changes = _Surface(parser)
    changes.add_at_server(
        "list",
        "list the schedules of a server with their next times",
        "\n--json",
        lambda options, output: list_schedules(endpoint_of(options), output),
    )
    remove = changes.add_at_server(
        "remove",
        "remove a schedule; what it has submitted stays",
        "nightly",
        lambda options, output: remove_schedule(endpoint_of(options), options.name, output),
    )
    remove.add_argument("name", type=plain_name, metavar="NAME", help="name of the schedule")


def _add_submit(commands: _Surface) -> None:
    parser = commands.add(
        "submit",
        "call a function in the background, in a server that is started if it is not running",
        "jobs.py:train 0.1 20\npackage.module:train rate=0.1 --wait\njobs.py:report --after 4f2a91c0ffee --key monday",
        _submit,
    )
    parser.add_argument("function", metavar="FUNCTION", help="MODULE:FUNCTION or FILE.py:FUNCTION")
    parser.add_argument("values", metavar="VALUE", nargs="*", help="its arguments, as JSON or NAME=JSON")
    parser.add_argument("--executor", default="default", metavar="NAME", help="name of the executor [default: default]")
    parser.add_argument("--wait", action="store_true", help="wait for the result and print it")
    parser.add_argument("--key", metavar="TEXT", help="the same execution for the same text [default: a new one]")
    parser.add_argument(
        "--after",
        action="append",
        default=[],
        type=execution_id,
        metavar="ID",
        help="run after this execution of the same executor, by its id or a unique prefix; can be repeated "
        "[default: none]",
    )
    parser.add_argument("--priority", type=priority, metavar="N", help="higher ones run first [default: 0]")
    add_app(parser.add_argument, "application")


def _submit(options: argparse.Namespace, output: Output) -> int:
    from zmqruntime.execution.cli.commands.submit import SubmitArguments, submit  # noqa: PLC0415 - slow to import

    given = {"key": options.key, "after": options.after, "priority": options.priority}
    named = {name: value for name, value in given.items() if value not in (None, [])}
    arguments = SubmitArguments(options.values)
    return submit(options.function, arguments, options.executor, options.app, named, options.wait, output)


def _add_serve(commands: _Surface) -> None:
    parser = commands.add(
        "serve",
        "run a server in this terminal, as a service or in a container, until it is stopped",
        "jobs.py:Server\npackage.module:Server --port 7800 --max-concurrent 4 --resource gpu=2",
        _serve,
    )
    parser.add_argument("target", metavar="CLASS", help="MODULE:CLASS or FILE.py:CLASS of an ExecutionServer")
    parser.add_argument(
        "--port", type=whole_number(1, 65535), metavar="P", help="its data port [default: the port of the class]"
    )
    parser.add_argument("--host", metavar="H", help="address to listen on, over TCP [default: a socket file]")
    parser.add_argument(
        "--max-concurrent", type=whole_number(1), metavar="N", help="executions at once [default: that of the class]"
    )
    parser.add_argument(
        "--max-queued", type=whole_number(1), metavar="N", help="queued executions at most [default: that of the class]"
    )
    parser.add_argument(
        "--resource",
        action="append",
        default=[],
        metavar="NAME=AMOUNT",
        help="what executions can ask for, such as gpu=2; can be repeated [default: memory and threads of the machine]",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="another argument of the class; can be repeated [default: none]",
    )
    add_app(parser.add_argument, "its application")


def _serve(options: argparse.Namespace, output: Output) -> int:
    from zmqruntime.execution.cli.commands.serve import option_of, resource_of, serve  # noqa: PLC0415 - as above

    given: dict[str, object] = {"max_concurrent": options.max_concurrent, "max_queued": options.max_queued}
    given["resources"] = dict(map(resource_of, options.resource)) or None
    more = dict(map(option_of, options.option))
    named = {**more, **{name: value for name, value in given.items() if value is not None}}
    return serve(options.target, options.app, options.port, options.host, named, output)


def _cancel(options: argparse.Namespace, output: Output) -> int:
    grace_seconds = 0.0 if options.now else options.grace
    return cancel(endpoint_of(options), options.id, options.axis, grace_seconds, output)


def _serve_metrics(options: argparse.Namespace, output: Output) -> int:
    from zmqruntime.execution.cli.commands.metrics import serve_metrics  # noqa: PLC0415 - needs an extra

    return serve_metrics(endpoint_of(options), options.bind, options.port, output)


def _add_servers(commands: _Surface) -> None:
    commands.add_at_server(
        "stop",
        "stop a server and wait until it has ended; what it is running is interrupted",
        "\n--app openhcs",
        lambda options, output: stop(endpoint_of(options), output),
    )
    commands.add_at_server(
        "doctor",
        "check folders, disk and server, and run a task on a small server of its own",
        "\n--app openhcs",
        lambda options, output: examine(endpoint_of(options), output),
    )
    metrics = commands.add(
        "metrics",
        "serve the metrics of a server to Prometheus until Ctrl-C (needs the extra 'metrics')",
        "\n--port 9465 --app openhcs",
        _serve_metrics,
    )
    metrics.add_argument(
        "--port",
        type=whole_number(0, 65535),
        default=9464,
        metavar="P",
        help="port to serve metrics on; 0 takes a free one [default: 9464]",
    )
    metrics.add_argument(
        "--bind", default="127.0.0.1", metavar="ADDRESS", help="address to serve metrics on [default: 127.0.0.1]"
    )
    add_endpoint(metrics, "--server-port")
    add_web_options(commands.add("web", SUMMARY, "\n--port 0 --open\n--bind 0.0.0.0 --allow-actions", show_page))


def _add_keys(commands: _Surface) -> None:
    parser = commands.add(
        "keys", "show and exchange the keys that protect TCP", "show\nadmit laptop 'KEY'\ntrust lab-server 'KEY'"
    )
    keys = _Surface(parser)
    show = keys.add(
        "show",
        "show your public keys and those that were exchanged",
        "\n--json",
        lambda options, output: show_keys(options.app, output),
    )
    let_in = keys.add(
        "admit",
        "let servers on this machine answer a client on another machine",
        "laptop 'KEY'",
        lambda options, output: admit(options.app, options.name, options.key, output),
    )
    rely = keys.add(
        "trust",
        "let clients on this machine talk to a server on another machine",
        "lab-server 'KEY'",
        lambda options, output: trust(options.app, options.name, options.key, output),
    )
    drop = keys.add(
        "forget",
        "undo an admit or a trust",
        "laptop",
        lambda options, output: forget(options.app, options.name, output),
    )
    for command, metavar, what in (
        (let_in, "NAME", "name to keep the key under"),
        (rely, "HOST", "host that has the key"),
        (drop, "NAME", "name or host that the key was kept under"),
    ):
        command.add_argument("name", metavar=metavar, help=what)
    for command in (let_in, rely):
        command.add_argument(
            "key",
            metavar="KEY",
            help="the key that 'zmqruntime keys show' prints there, in quotes; if it begins with a dash, "
            "write -- before the name",
        )
    for command in (show, let_in, rely, drop):
        add_app(command.add_argument, "application")

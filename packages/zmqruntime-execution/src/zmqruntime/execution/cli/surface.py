"""What can be typed: the commands with their options, help and examples."""

import argparse
import math
import re
from collections.abc import Callable
from typing import NoReturn

from zmqruntime._version import VERSION
from zmqruntime.config import ZMQConfig
from zmqruntime.execution.cli.commands.doctor import examine
from zmqruntime.execution.cli.commands.executions import cancel, show_history, show_status
from zmqruntime.execution.cli.commands.keys import admit, forget, show_keys, trust
from zmqruntime.execution.cli.commands.queue import change_queue
from zmqruntime.execution.cli.commands.servers import list_servers, stop
from zmqruntime.execution.cli.commands.streams import follow_events, show_logs
from zmqruntime.execution.cli.discovery import only_port
from zmqruntime.execution.cli.endpoint import Endpoint
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.cli.output import Output
from zmqruntime.messages import QueueAction

__all__ = ["make_parser"]

PROGRAM = "zmqruntime"

_DESCRIPTION = """\
Look at servers that run long tasks in the background, and at what they run.

  zmqruntime list                   the servers of yours on this machine
  zmqruntime status                 what the server on the default port runs
  zmqruntime status --app openhcs   the same for the server of an application
  zmqruntime logs -f 4f2a91         the log of an execution, as it grows
  zmqruntime doctor                 is all well here? If not, what to do

Instead of a whole execution id its beginning is enough. No command starts a server."""

_EXIT_CODES = "Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong use, 130 interrupted with Ctrl-C."

_HIGHEST_PORT = 65535 - ZMQConfig().control_port_offset
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_APP = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]*")

_Command = Callable[[argparse.Namespace, Output], int]


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
        _add_place(parser, "--port")
        return parser


# --- the commands -------------------------------------------------------------------------------------------------


def _add_looking(commands: _Surface) -> None:
    commands.add(
        "list",
        "show your servers on this machine, those on TCP among them",
        "\n--json",
        lambda options, output: list_servers(output),
    )
    status = commands.add_at_server(
        "status",
        "show a server and its executions, or one execution in full",
        "\n4f2a91\n--app openhcs --port 7800",
        lambda options, output: show_status(_place(options), options.id, output),
    )
    _add_id(status, nargs="?")
    events = commands.add_at_server(
        "events",
        "print what happens in an execution, from its start until it has ended",
        "4f2a91\n4f2a91 --after 120 --json",
        lambda options, output: follow_events(_place(options), options.id, options.after, output),
    )
    _add_id(events)
    events.add_argument(
        "--after", type=_count, default=0, metavar="N", help="leave out the first N events; 'status ID' counts them"
    )
    logs = commands.add_at_server(
        "logs",
        "print the log of an execution, also when the server does not run any more",
        "4f2a91\n-f 4f2a91",
        lambda options, output: show_logs(_place(options), options.id, options.follow, output),
    )
    _add_id(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the execution has ended")
    history = commands.add_at_server(
        "history",
        "show ended executions, newest first",
        "\n--limit 500 --json",
        lambda options, output: show_history(_place(options), options.limit, output),
    )
    history.add_argument(
        "--limit", type=_limit, default=50, metavar="N", help="how many at most, up to 1000 [default: 50]"
    )


def _add_changing(commands: _Surface) -> None:
    parser = commands.add_at_server(
        "cancel",
        "stop an execution, or one axis of it; says what will happen, 'events' what does",
        "4f2a91\n4f2a91 --axis B06\n4f2a91 --grace 10",
        _cancel,
    )
    _add_id(parser)
    parser.add_argument("--axis", metavar="A", help="only this axis, a part that runs alone, e.g. the well B06")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--grace", type=_seconds, metavar="S", help="kill its processes if it still runs after S seconds")
    how.add_argument("--now", action="store_true", help="kill its processes at once")


def _add_queue(commands: _Surface) -> None:
    parser = commands.add("queue", "change the order of what is queued, or whether it runs", "pause\nmove 4f2a91 0")
    changes = _Surface(parser)
    for action, summary in (
        (QueueAction.PAUSE, "start nothing more; what runs goes on"),
        (QueueAction.RESUME, "accept and start again, after pause or drain"),
        (QueueAction.DRAIN, "accept nothing more; what is queued still runs"),
    ):
        _add_change(changes, action, summary, "")
    for action, summary in (
        (QueueAction.HOLD, "leave an execution in the queue until it is released"),
        (QueueAction.RELEASE, "let a held execution run in its turn"),
    ):
        _add_id(_add_change(changes, action, summary, "4f2a91"))
    move = _add_change(changes, QueueAction.MOVE, "put an execution at a place among those of its priority", "4f2a91 0")
    _add_id(move)
    move.add_argument("position", type=_count, metavar="POS", help="its place from 0, which is the next to run")


def _add_change(changes: _Surface, action: QueueAction, summary: str, example: str) -> argparse.ArgumentParser:
    def command(options: argparse.Namespace, output: Output) -> int:
        place, given_id = _place(options), getattr(options, "id", None)
        return change_queue(place, action, given_id, getattr(options, "position", 0), output)

    return changes.add_at_server(action, summary, example, command)


def _cancel(options: argparse.Namespace, output: Output) -> int:
    grace_seconds = 0.0 if options.now else options.grace
    return cancel(_place(options), options.id, options.axis, grace_seconds, output)


def _serve_metrics(options: argparse.Namespace, output: Output) -> int:
    from zmqruntime.execution.cli.commands.metrics import serve_metrics  # noqa: PLC0415 - needs an extra

    return serve_metrics(_place(options), options.bind, options.port, output)


def _add_servers(commands: _Surface) -> None:
    commands.add_at_server(
        "stop",
        "end a server and wait for that; what it runs is interrupted",
        "\n--app openhcs",
        lambda options, output: stop(_place(options), output),
    )
    commands.add_at_server(
        "doctor",
        "check folders, disk and server, and run a task on a small server of its own; say what is wrong",
        "\n--app openhcs",
        lambda options, output: examine(_place(options), output),
    )
    metrics = commands.add(
        "metrics",
        "serve the figures of a server to Prometheus, until Ctrl-C (extra 'metrics')",
        "\n--port 9465 --app openhcs",
        _serve_metrics,
    )
    metrics.add_argument(
        "--port", type=_own_port, default=9464, metavar="P", help="serve figures on this port [default: 9464]"
    )
    metrics.add_argument(
        "--bind", default="127.0.0.1", metavar="ADDRESS", help="and on this address [default: 127.0.0.1]"
    )
    _add_place(metrics, "--server-port")


def _add_keys(commands: _Surface) -> None:
    parser = commands.add(
        "keys", "show and exchange the keys that protect TCP", "show\nadmit laptop 'KEY'\ntrust lab-server 'KEY'"
    )
    keys = _Surface(parser)
    show = keys.add(
        "show",
        "show our public keys and those that were exchanged",
        "\n--json",
        lambda options, output: show_keys(options.app, output),
    )
    let_in = keys.add(
        "admit",
        "let servers on this machine answer a client elsewhere",
        "laptop 'KEY'",
        lambda options, output: admit(options.app, options.name, options.key, output),
    )
    rely = keys.add(
        "trust",
        "let clients on this machine talk to a server elsewhere",
        "lab-server 'KEY'",
        lambda options, output: trust(options.app, options.name, options.key, output),
    )
    drop = keys.add(
        "forget",
        "take back an admit or a trust",
        "laptop",
        lambda options, output: forget(options.app, options.name, output),
    )
    for command in (let_in, rely, drop):
        command.add_argument("name", metavar="HOST" if command is rely else "NAME", help="what the key is kept as")
    key_help = (
        "as 'zmqruntime keys show' prints it there, in quotes; write -- before NAME and KEY if it begins with a dash"
    )
    for command in (let_in, rely):
        command.add_argument("key", metavar="KEY", help=key_help)
    for command in (show, let_in, rely, drop):
        command.add_argument(
            "--app",
            type=_app,
            default=ZMQConfig().app_name,
            metavar="NAME",
            help="the application [default: zmqruntime]",
        )


# --- arguments ----------------------------------------------------------------------------------------------------


def _add_place(parser: argparse.ArgumentParser, port_option: str) -> None:
    default = ZMQConfig()
    where = parser.add_argument_group("which server")
    where.add_argument(
        "--app",
        type=_app,
        default=default.app_name,
        help=f"its application [default: {default.app_name}]",
        metavar="NAME",
    )
    where.add_argument(
        port_option,
        type=_port,
        dest="server_port",
        metavar="P",
        help="its data port; its control port is 1000 higher "
        f"[default: of the one that the application has, else {default.default_port}]",
    )
    where.add_argument("--host", metavar="H", help="use TCP and this address, e.g. 127.0.0.1, not its socket file")


def _add_id(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    parser.add_argument("id", type=_execution_id, nargs=nargs, metavar="ID", help="an execution, or how its id begins")


def _place(options: argparse.Namespace) -> Endpoint:
    port = options.server_port
    if port is None:
        port = ZMQConfig().default_port if options.host else only_port(options.app)
    return Endpoint(options.app, port, options.host)


def _app(text: str) -> str:
    if not _APP.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the name of an application: letters, digits, '_', '-' and '.'"
        )
    return text


def _execution_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be an execution's id")
    return text


def _port(text: str) -> int:
    return _number(text, 1, _HIGHEST_PORT)


def _own_port(text: str) -> int:
    return _number(text, 0, 65535)  # 0 takes a free one


def _limit(text: str) -> int:
    return _number(text, 1, 1000)


def _count(text: str) -> int:
    return _number(text, 0, None)


def _number(text: str, lowest: int, highest: int | None) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if number < lowest or (highest is not None and number > highest):
        wanted = f"{lowest} or more" if highest is None else f"{lowest} to {highest}"
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, {wanted}")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds")
    return seconds

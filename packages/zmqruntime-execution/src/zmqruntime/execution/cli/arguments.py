"""Arguments that several commands share: how they are typed, and what is read from them."""

import argparse
import dataclasses
import math
import re
from collections.abc import Callable

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.cli.endpoint import Endpoint
from zmqruntime.execution.cli.failures import CommandError, ErrorKind

__all__ = [
    "add_app",
    "add_endpoint",
    "add_id",
    "endpoint_of",
    "execution_id",
    "plain_name",
    "priority",
    "seconds",
    "whole_number",
]

_DEFAULT = ZMQConfig()
_HIGHEST_PORT = 65535 - _DEFAULT.control_port_offset
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NAME = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_FURTHEST = 1_000_000  # as ``ExecuteRequest.priority`` allows
_APP = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]*")


def add_endpoint(parser: argparse.ArgumentParser, port_option: str = "--port") -> None:
    """Let a command name a server; :func:`endpoint_of` reads it."""
    where = parser.add_argument_group("which server")
    add_app(where.add_argument, "its application")
    where.add_argument(
        port_option,
        type=whole_number(1, _HIGHEST_PORT),
        dest="server_port",
        metavar="P",
        help="its data port; its control port is 1000 higher "
        f"[default: the port of the application's only server, else {_DEFAULT.default_port}]",
    )
    where.add_argument(
        "--executor",
        metavar="NAME",
        help='that of Executor("NAME"), instead of its port [default: the server of the port]',
    )
    where.add_argument(
        "--host", metavar="H", help="connect over TCP to this address, e.g. 127.0.0.1 [default: its socket file]"
    )


def endpoint_of(options: argparse.Namespace) -> Endpoint:
    """The server that was named."""
    port = options.server_port if options.executor is None else _port_of_executor(options)
    if port is None:
        from zmqruntime.execution.cli.discovery import only_port  # noqa: PLC0415

        port = _DEFAULT.default_port if options.host else only_port(options.app)
    return Endpoint(port, options.host, options.app)


def _port_of_executor(options: argparse.Namespace) -> int:
    if options.server_port is not None:
        raise CommandError(ErrorKind.USAGE, "an executor has a port of its own: give --executor or the port, not both")
    from zmqruntime.execution.executor.names import known_names  # noqa: PLC0415

    try:
        ports = known_names(dataclasses.replace(_DEFAULT, app_name=options.app))
    except ConfigurationError as error:
        raise CommandError(ErrorKind.CONFIGURATION, str(error)) from error
    if options.executor not in ports:
        known = ", ".join(sorted(ports)) or "there is none yet"
        message = f"no program has used an executor called {options.executor!r}; choose one that was used: {known}"
        raise CommandError(ErrorKind.NOT_FOUND, message)
    return ports[options.executor]


def add_app(add_argument: Callable[..., object], what: str) -> None:
    """Let a command name an application, by the ``add_argument`` of its parser or of a group in it."""
    name = _DEFAULT.app_name
    add_argument("--app", type=_app, default=name, metavar="NAME", help=f"{what} [default: {name}]")


def add_id(parser: argparse.ArgumentParser, *, default: str = "") -> None:
    """Let a command name an execution, which may be left out if ``default`` says what is meant then."""
    note = f" [default: {default}]" if default else ""
    parser.add_argument(
        "id",
        type=execution_id,
        nargs="?" if default else None,
        metavar="ID",
        help=f"execution id or unique prefix{note}",
    )


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Parse a whole number within a range; the error names the range."""
    wanted = f"a whole number from {lowest}" + (f" to {highest}" if highest is not None else "")

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else lowest - 1
        if number < lowest or (highest is not None and number > highest):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return number

    return read


def seconds(text: str) -> float:
    """Parse a time in seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0")
    return number


def priority(text: str) -> int:
    """Parse a priority, which may be negative."""
    try:
        number = int(text)
    except ValueError:
        number = _FURTHEST + 1
    if abs(number) > _FURTHEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from -1000000 to 1000000")
    return number


def plain_name(text: str) -> str:
    """Parse the name of a queue or a schedule."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name; use 1 to 64 letters, digits, dots, dashes and underscores"
        )
    return text


def _app(text: str) -> str:
    if not _APP.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an application name; use letters, digits, '_', '-' and '.'")
    return text


def execution_id(text: str) -> str:
    """Parse an id, or the first characters of one."""
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an execution id")
    return text

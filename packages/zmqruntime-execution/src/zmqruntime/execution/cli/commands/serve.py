"""``serve``: a server in the foreground, for a terminal, a service manager or a container."""

import json
import logging
import os
import sys

import msgspec

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.cli.endpoint import Endpoint, clear_errors
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.user_code import importing
from zmqruntime.launch import ServerSpec
from zmqruntime.server_code import default_port_of, target_of

__all__ = ["option_of", "resource_of", "serve"]


def serve(target: str, app: str, port: int | None, host: str | None, options: dict[str, object], output: Output) -> int:
    """Run a server until it is asked to stop, by SIGTERM, Ctrl-C or ``zmqruntime stop``."""
    from zmqruntime.execution.server.server import ExecutionServer  # noqa: PLC0415 - other commands need no server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.path.insert(0, os.getcwd())
    config = ZMQConfig(app_name=app)
    with clear_errors(Endpoint(port or config.default_port, host, app)):
        spec = ServerSpec(target=target, port=port or 0, host=host, config=config, options=options)
        with importing(target):
            found = spec.server_class()
        if not issubclass(found, ExecutionServer):
            raise ConfigurationError(f"{target} is not an ExecutionServer: name a class that derives from it")
        # The port that clients of this class use, however it was named here.
        port = default_port_of(target_of(found), config) if port is None else port
        server = msgspec.structs.replace(spec, port=port).build()
        endpoint = Endpoint(port, host, app)
        server.serve_forever(on_ready=lambda: _say_ready(found.__name__, endpoint, output))
    output.line("Stopped.")
    return 0


def _say_ready(name: str, endpoint: Endpoint, output: Output) -> None:
    pid = os.getpid()
    output.line(f"{name} of {endpoint.app} on {endpoint.where}, process {pid} (Ctrl-C stops it)")
    output.json_line({"server": name, "port": endpoint.port, "host": endpoint.host, "pid": pid})


def resource_of(text: str) -> tuple[str, float]:
    """Parse ``NAME=AMOUNT``.

    Raises:
        CommandError: It is something else.
    """
    name, _, amount = text.partition("=")
    try:
        return name, float(amount)
    except ValueError as error:
        raise CommandError(ErrorKind.USAGE, f"{text!r} is not NAME=AMOUNT: write for example gpu=2") from error


def option_of(text: str) -> tuple[str, object]:
    """Parse ``NAME=JSON``.

    Raises:
        CommandError: It is something else.
    """
    name, equals, value = text.partition("=")
    try:
        if not (equals and name.isidentifier()):
            raise ValueError("it has no name")
        return name, json.loads(value)
    except ValueError as error:
        message = f"{text!r} is not NAME=JSON ({error}): write for example keep_history=1000 or model='\"large\"'"
        raise CommandError(ErrorKind.USAGE, message) from error

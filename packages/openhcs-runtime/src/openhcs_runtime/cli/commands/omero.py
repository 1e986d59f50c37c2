"""``omero``: an OMERO server in containers on this machine."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, seconds, whole_number
from openhcs_runtime.exceptions import OmeroError

__all__ = ["omero", "start", "status", "stop"]

_PASSWORD = "OMERO_ROOT_PASSWORD"
_PROJECT = "openhcs-omero"

Project = Annotated[str, Option(metavar="NAME", help="Docker's name for the set of containers and volumes")]
ComposeFile = Annotated[
    Path | None, Option(metavar="FILE.yaml", help="Compose file to use [default: the one of this program]")
]
OmeroPort = Annotated[int, Option("--port", parser=whole_number(1, 65535), metavar="P", help="Port of the server")]


def omero() -> None:
    """Start and stop an OMERO server in containers, by hand.

    It is for this machine only, and needs Docker with its compose plugin. No run ever starts or stops it.

    \b
      openhcs-runtime omero start
      openhcs-runtime omero stop
    """


def start(
    port: OmeroPort = 4063,
    secure_port: Annotated[
        int, Option(parser=whole_number(1, 65535), metavar="P", help="Port of the server with TLS")
    ] = 4064,
    web_port: Annotated[int, Option(parser=whole_number(1, 65535), metavar="P", help="Port of the web client")] = 4080,
    timeout: Annotated[float, Option(parser=seconds(1), metavar="S", help="Seconds to wait until it answers")] = 600,
    project: Project = _PROJECT,
    compose_file: ComposeFile = None,
    as_json: Json = False,
) -> int:
    """Start OMERO, its database and its web client, and wait until it answers.

    Only this machine can reach it. The password of its user root is taken from the environment variable
    OMERO_ROOT_PASSWORD, or else asked for; it is set when the server is started for the very first time.

    \b
      openhcs-runtime omero start
      openhcs-runtime omero start --port 14063 --secure-port 14064 --web-port 14080
    """
    with uninterrupted():
        from openhcs_runtime.omero import OmeroInstanceManager
        from zmqruntime.execution.cli.failures import interrupted
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    manager = OmeroInstanceManager(
        root_password=_password(),
        port=port,
        secure_port=secure_port,
        web_port=web_port,
        compose_file=compose_file,
        project=project,
    )
    output.line("Starting OMERO; the first time some GB are downloaded, which takes minutes.")
    try:
        with _clear_errors():
            manager.start(timeout)
    except KeyboardInterrupt as error:
        raise interrupted("left; 'openhcs-runtime omero stop' stops the containers that were started") from error
    web = f"http://127.0.0.1:{web_port}"
    output.line(f"OMERO answers on port {port} of 127.0.0.1, with TLS on port {secure_port}; the user is root.")
    output.line(f"Web client: {web}")
    output.line("It stays until 'openhcs-runtime omero stop'.")
    return output.document({"port": port, "secure_port": secure_port, "web": web})


def status(
    port: OmeroPort = 4063, project: Project = _PROJECT, compose_file: ComposeFile = None, as_json: Json = False
) -> int:
    """Show which containers are running, and whether the server answers.

    \b
      openhcs-runtime omero status
    """
    with uninterrupted():
        from openhcs_runtime.omero import OmeroInstanceManager
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    manager = OmeroInstanceManager(port=port, compose_file=compose_file, project=project)
    with _clear_errors():
        running = sorted(manager.running())
    answers = manager.is_answering()
    output.line(f"Running containers of {project}: {', '.join(running) or 'none'}.")
    output.line(f"An OMERO server {'answers' if answers else 'does not answer'} on port {port}.")
    return output.document({"running": running, "answers": answers, "port": port})


def stop(
    remove_data: Annotated[bool, Option("--remove-data", help="Also remove its database and all images in it")] = False,
    project: Project = _PROJECT,
    compose_file: ComposeFile = None,
    as_json: Json = False,
) -> int:
    """Stop and remove the containers.

    The database and the images are kept for the next start, unless --remove-data is given.

    \b
      openhcs-runtime omero stop
      openhcs-runtime omero stop --remove-data
    """
    with uninterrupted():
        from openhcs_runtime.omero import OmeroInstanceManager
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    with _clear_errors():
        OmeroInstanceManager(compose_file=compose_file, project=project).stop(remove_data=remove_data)
    left = "its database and images are removed" if remove_data else "its database and images are kept"
    output.line(f"The containers of {project} have ended; {left}.")
    return output.document({"stopped": True, "data_removed": remove_data})


def _password() -> str:
    import getpass

    from zmqruntime.execution.cli.failures import CommandError, ErrorKind

    known = os.environ.get(_PASSWORD, "")
    if known:
        return known
    if not sys.stdin.isatty():
        raise CommandError(ErrorKind.USAGE, f"set {_PASSWORD} to the password of OMERO's user root")
    return getpass.getpass("Password of OMERO's user root: ")


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn an error of OMERO or Docker into a CommandError."""
    from openhcs_runtime.cli.failures import PlateErrorKind
    from zmqruntime.execution.cli.failures import CommandError, ExitCode

    try:
        yield
    except OmeroError as error:
        raise CommandError(PlateErrorKind.OMERO, str(error), ExitCode.FAILED) from error

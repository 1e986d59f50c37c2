"""``omero``: an OMERO server in containers on this machine."""

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from openhcs_runtime.cli.output import Output
from openhcs_runtime.exceptions import OmeroError
from openhcs_runtime.omero import OmeroInstanceManager

__all__ = ["OmeroInstance", "omero_start", "omero_status", "omero_stop"]

_PASSWORD = "OMERO_ROOT_PASSWORD"


@dataclass(frozen=True, slots=True)
class OmeroInstance:
    """Which containers, and the ports that they are reached at."""

    project: str
    compose_file: Path | None
    port: int = 4063
    secure_port: int = 4064
    web_port: int = 4080

    def manager(self, root_password: str | None = None) -> OmeroInstanceManager:
        """What starts and ends them."""
        return OmeroInstanceManager(
            root_password=root_password,
            port=self.port,
            secure_port=self.secure_port,
            web_port=self.web_port,
            compose_file=self.compose_file,
            project=self.project,
        )


def omero_start(instance: OmeroInstance, timeout: float, *, as_json: bool) -> int:
    """Bring the containers up and wait until the server answers."""
    output = Output(as_json)
    manager = instance.manager(_password())
    output.line("Starting OMERO; the first time some GB are fetched, which takes minutes.")
    try:
        manager.start(timeout)
    except OmeroError as error:
        raise _failed(error) from error
    except KeyboardInterrupt as error:
        raise interrupted("left; 'openhcs-runtime omero stop' ends the containers that were started") from error
    web = f"http://127.0.0.1:{instance.web_port}"
    output.line(
        f"OMERO answers on port {instance.port} of 127.0.0.1, with TLS on port {instance.secure_port}; user root."
    )
    output.line(f"Its web client: {web}")
    output.line("It stays until 'openhcs-runtime omero stop'.")
    return output.document({"port": instance.port, "secure_port": instance.secure_port, "web": web})


def omero_status(instance: OmeroInstance, *, as_json: bool) -> int:
    """Which containers run, and whether the server answers."""
    output = Output(as_json)
    manager = instance.manager()
    try:
        running = sorted(manager.running())
    except OmeroError as error:
        raise _failed(error) from error
    answers = manager.is_answering()
    output.line(f"Containers of {instance.project} that run: {', '.join(running) or 'none'}.")
    output.line(f"An OMERO server {'answers' if answers else 'does not answer'} on port {instance.port}.")
    return output.document({"running": running, "answers": answers, "port": instance.port})


def omero_stop(instance: OmeroInstance, *, remove_data: bool, as_json: bool) -> int:
    """End and remove the containers."""
    output = Output(as_json)
    try:
        instance.manager().stop(remove_data=remove_data)
    except OmeroError as error:
        raise _failed(error) from error
    left = "its database and images are removed" if remove_data else "its database and images are kept"
    output.line(f"The containers of {instance.project} have ended; {left}.")
    return output.document({"stopped": True, "data_removed": remove_data})


def _password() -> str:
    known = os.environ.get(_PASSWORD, "")
    if known:
        return known
    if not sys.stdin.isatty():
        raise CommandError(ErrorKind.USAGE, f"set {_PASSWORD} to the password of OMERO's user root")
    return getpass.getpass("Password of OMERO's user root: ")


def _failed(error: OmeroError) -> CommandError:
    return CommandError(ErrorKind.OMERO, str(error), ExitCode.FAILED)

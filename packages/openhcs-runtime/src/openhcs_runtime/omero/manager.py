"""Management of an OMERO server in containers."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from openhcs_runtime.exceptions import OmeroError
from openhcs_runtime.omero.answering import LOOPBACK, answers
from openhcs_runtime.omero.compose import Compose
from zmqruntime.config import TransportMode
from zmqruntime.identity import describe_port_holder
from zmqruntime.transport import is_listening

__all__ = ["OmeroInstanceManager"]

_BETWEEN_SECONDS = 0.5
_ASK_SECONDS = 2.0
_LOOK_SECONDS = 5.0
_QUICK_SECONDS = 30.0
_TAIL_LINES = 30
_UNUSED = "-"  # the compose file needs a password for every command, Docker only for the first start


class OmeroInstanceManager:
    """An OMERO server, its database and its web client, in containers that only this machine can reach.

    For example::

        omero = OmeroInstanceManager(root_password=getpass())
        omero.start()
        ...
        omero.stop()

    Only these calls start or stop it. It outlives this process; another manager for the same project finds it.

    Args:
        root_password: Password of the OMERO user ``root``, set when its data is created at the very first start.
        port: Published port of the server, unencrypted.
        secure_port: Published port of the server with TLS.
        web_port: Published port of the web client.
        compose_file: Another description of the containers; it has to publish the server on ``port`` and may use the
            variables of ``compose.yaml`` next to this module.
        project: Docker's name for the set of containers and volumes.
    """

    def __init__(
        self,
        *,
        root_password: str | None = None,
        port: int = 4063,
        secure_port: int = 4064,
        web_port: int = 4080,
        compose_file: Path | None = None,
        project: str = "openhcs-omero",
    ) -> None:
        self.port = port
        self.secure_port = secure_port
        self.web_port = web_port
        self._root_password = root_password
        variables = {
            "OMERO_ROOT_PASSWORD": root_password or _UNUSED,
            "OMERO_PORT": str(port),
            "OMERO_SECURE_PORT": str(secure_port),
            "OMERO_WEB_PORT": str(web_port),
        }
        file = compose_file or Path(__file__).with_name("compose.yaml")
        self._compose = Compose(file, project, variables)

    def start(self, timeout: float = 600.0) -> None:
        """Start the containers if necessary, and wait until the server responds.

        The first time, several GB of images are downloaded and the database is created.

        Args:
            timeout: Seconds for everything together.

        Raises:
            OmeroError: If no password was given, Docker is missing or fails, another program uses one of the ports, or
                the server does not respond in time (with the end of its log). Containers that were started keep running
                until :meth:`stop`.
        """
        if not self._root_password:
            raise OmeroError("an OMERO server needs a root_password")
        began = time.monotonic()
        before = self.running()
        if not before:
            self._refuse_taken((self.port, self.secure_port, self.web_port))
        # Another password would recreate running containers, although only the very first start reads it.
        self._compose.run("up", "--detach", *(["--no-recreate"] if before else []), timeout=timeout)
        self._wait(began, timeout, self.running())

    def wait(self, timeout: float) -> None:
        """Wait until the server responds, no matter who started it.

        Args:
            timeout: Seconds to wait.

        Raises:
            OmeroError: If it does not respond in time, or one of the containers exits; with the end of the log.
        """
        self._wait(time.monotonic(), timeout, self.running())

    def is_answering(self) -> bool:
        """Return whether an OMERO server responds on the port, no matter who started it."""
        return answers(self.port, _ASK_SECONDS)

    def stop(self, *, remove_data: bool = False, timeout: float = 120.0) -> None:
        """Stop and remove the containers; does nothing if there are none.

        Args:
            remove_data: Also remove the volumes: the database and all images in it.
            timeout: Seconds to wait.

        Raises:
            OmeroError: If Docker is missing or fails.
        """
        self._compose.run("down", *(["--volumes"] if remove_data else []), timeout=timeout)

    def running(self) -> frozenset[str]:
        """Return the services whose containers are running: database, server and web.

        Raises:
            OmeroError: If Docker is missing or fails.
        """
        listed = self._compose.run("ps", "--services", "--filter", "status=running", timeout=_QUICK_SECONDS)
        return frozenset(listed.split())

    def _wait(self, began: float, timeout: float, services: frozenset[str]) -> None:
        deadline, look_again = began + timeout, time.monotonic() + _LOOK_SECONDS
        pause = threading.Event()  # never set: there is no notification when a container starts to listen
        while not self.is_answering():
            now = time.monotonic()
            if now >= deadline:
                self._fail(f"OMERO is not responding on port {self.port} after {now - began:.0f} s")
            if now >= look_again:
                look_again = now + _LOOK_SECONDS
                if ended := services - self.running():
                    self._fail(f"OMERO containers have exited: {', '.join(sorted(ended))}")
            pause.wait(min(deadline - now, _BETWEEN_SECONDS))

    def _fail(self, message: str) -> NoReturn:
        raise OmeroError(f"{message}; its log ends with:\n{self._log_tail()}")

    def _refuse_taken(self, ports: Sequence[int]) -> None:
        for port in ports:
            if is_listening(port, LOOPBACK, TransportMode.TCP):
                holder = describe_port_holder(port)
                raise OmeroError(f"port {port} is in use by {holder}; stop it, or choose other ports")

    def _log_tail(self) -> str:
        try:
            tail = self._compose.run("logs", "--no-color", "--tail", str(_TAIL_LINES), timeout=_QUICK_SECONDS)
        except OmeroError as error:
            return str(error)
        return tail.rstrip() or "(the log is empty)"

"""Server processes: how a server is described, and how a client starts it."""

import concurrent.futures
import contextlib
import enum
import importlib
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import msgspec

from zmqruntime.address import Address, nobody_there
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ConfigurationError, ConnectionFailedError, ServerStartError
from zmqruntime.frozen import is_frozen, module_command, module_environment
from zmqruntime.process_log import log_tail, open_log
from zmqruntime.server import ZMQServer
from zmqruntime.server_code import target_of

__all__ = ["READY_LINE", "Lifetime", "ServerSpec", "let_go", "seconds_left", "start_server", "start_server_process"]

READY_LINE = b"ready\n"
_END_SECONDS = 2.0
_LET_GO_SECONDS = 10.0


class Lifetime(enum.StrEnum):
    """When a started server ends, other than on request."""

    PERSISTENT = "persistent"
    """Only on request."""
    OWNED = "owned"
    """With the process that started it, even if that is killed."""


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that another process needs to create the same server object.

    Attributes:
        target: ``module:Class``, or ``path/to/file.py:Class`` for a class in a script.
        port: the data port.
        host: the address to bind TCP to.
        transport_mode: IPC or TCP.
        config: settings shared by the server and its clients.
        options: additional keyword arguments for the class.
        sys_path: folders to append to ``sys.path``.
    """

    target: str
    port: int
    host: str | None = None
    transport_mode: TransportMode | None = None
    config: ZMQConfig = ZMQConfig()
    options: dict[str, Any] = {}
    sys_path: list[str] = []

    @classmethod
    def target_of(cls, server_class: type[ZMQServer]) -> str:
        """Return the target by which another process can import ``server_class``.

        Raises:
            ConfigurationError: the class is defined inside a function or not in a file, so no other process can find
                it.
        """
        if "<locals>" in server_class.__qualname__:
            raise ConfigurationError(
                f"{server_class.__qualname__} is defined inside a function, where a worker process cannot find it; "
                "move the class to the top of its module"
            )
        target = target_of(server_class)
        if target.startswith("__main__:") and not is_frozen():
            raise ConfigurationError(
                f"{server_class.__qualname__} was entered at a prompt, in a notebook or through a pipe, where a worker "
                "process cannot find it; move the class to a module and import it"
            )
        return target

    def server_class(self) -> type[ZMQServer]:
        """Import the class that the target names.

        Raises:
            ConfigurationError: the target cannot be imported, or is not a server class.
        """
        sys.path.extend(entry for entry in self.sys_path if entry not in sys.path)
        module_name, _, class_name = self.target.rpartition(":")
        if not module_name:
            raise ConfigurationError(f"{self.target!r} does not name a server class; write module:Class")
        try:
            found: object = _import(module_name)
            for part in class_name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, OSError) as error:
            raise ConfigurationError(f"cannot find the server class {self.target}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, ZMQServer)):
            raise ConfigurationError(f"{self.target} is not a server class")
        return found

    def build(self) -> ZMQServer:
        """Create the server object without starting it.

        Raises:
            ConfigurationError: the target cannot be imported, is not a server class, or does not accept the options.
        """
        found = self.server_class()
        try:
            return found(
                self.port, host=self.host, transport_mode=self.transport_mode, config=self.config, **self.options
            )
        except TypeError as error:
            raise ConfigurationError(
                f"{self.target} cannot be created in its own process: {error}; "
                "all constructor arguments other than the port must be in its options"
            ) from error


def start_server_process(spec: ServerSpec, lifetime: Lifetime, timeout: float) -> "subprocess.Popen[bytes]":
    """Start the server and return once it is listening.

    With ``Lifetime.OWNED`` the server ends when ``stdin`` of the returned process object is closed.

    Raises:
        ServerStartError: it ended or stayed silent for ``timeout`` seconds; the error includes the end of its log.
    """
    log_path = spec.config.server_dir(spec.port) / "server.log"
    log = open_log(log_path, "the server")
    command = [*module_command("zmqruntime.server_process"), lifetime, msgspec.json.encode(spec).decode()]
    with log:
        begin = log.tell()
        start = _Start(command, subprocess.PIPE if lifetime is Lifetime.OWNED else subprocess.DEVNULL, log)
        line = start.first_line(timeout)
    if line == READY_LINE:
        return start.process
    code = start.process.returncode
    what = f"did not answer within {timeout:.3g} s" if line is None else f"ended with exit code {code}"
    raise ServerStartError(f"the server for port {spec.port} {what}; its log is {log_path}", log_tail(log_path, begin))


def start_server(
    address: Address, spec: ServerSpec | None, lifetime: Lifetime, deadline: float
) -> "subprocess.Popen[bytes] | None":
    """Start a server unless one is already listening.

    Args:
        address: where it should listen.
        spec: the server to start; None if the caller may not start one.
        lifetime: whether it outlives this process.
        deadline: in terms of ``time.monotonic()``.

    Returns:
        The process, or None if a server is already listening, including one that another client started meanwhile.

    Raises:
        ConnectionFailedError: nothing is listening and the caller may not start a server, or another client is still
            starting one.
        ServerStartError: it did not come up; the error includes the end of its log.
    """
    if address.is_listening():
        return None
    if spec is None or not address.is_local:
        raise ConnectionFailedError(nobody_there(address))
    lock = address.start_lock()
    if not lock.acquire(timeout=seconds_left(deadline)):
        raise ConnectionFailedError(f"another client is still starting the server on {address.url(address.port)}")
    try:
        return None if address.is_listening() else start_server_process(spec, lifetime, seconds_left(deadline))
    except ServerStartError:
        if address.is_listening():  # one from a terminal, which takes no start lock, was faster and holds the port
            return None
        raise
    finally:
        lock.release()


def let_go(process: "subprocess.Popen[bytes]") -> None:
    """Stop an owned server by closing its stdin; detach from a persistent one."""
    if process.stdin is None:
        if process.poll() is None:
            process.returncode = 0  # it outlives us; keeps Popen from warning about a process that was not waited for
        return
    process.stdin.close()
    try:
        process.wait(_LET_GO_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def seconds_left(deadline: float) -> float:
    """Return the seconds until the deadline, at least 0.1."""
    return max(0.1, deadline - time.monotonic())


class _Start:
    """Starts a process and reads its first line in a separate thread.

    Ctrl-C only reaches the main thread, so it can interrupt neither, and however often it is pressed, no process is
    left unattended.
    """

    def __init__(self, command: list[str], stdin: int, log: IO[bytes]) -> None:
        self.process: subprocess.Popen[bytes]
        self._command = command
        self._stdin = stdin
        self._log = log
        self._line: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        self._is_wanted = True
        self._has_process = False
        self._thread = threading.Thread(target=self._run, name="server-start")

    def first_line(self, timeout: float) -> bytes | None:
        """Return the first line of output; b"" if the process ended instead, None if it did neither and was killed.

        Unless the line is ``READY_LINE``, the process has ended.

        Raises:
            OSError: the process cannot be started.
        """
        try:
            self._thread.start()
            concurrent.futures.wait([self._line], timeout)
            has_answered = self._line.done()
            if not has_answered:
                self._give_up()
            self._thread.join()
            return self._line.result() if has_answered else None
        except BaseException:
            self._give_up()
            if self._line.done() and self._has_process:
                self._end()
            raise

    def _give_up(self) -> None:
        """Kill the process: whichever of the two threads comes later sees what the other did."""
        self._is_wanted = False
        if self._has_process:
            self.process.kill()

    def _run(self) -> None:
        try:
            self.process = subprocess.Popen(
                self._command,
                stdin=self._stdin,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=module_environment(),
                start_new_session=True,
            )
        except OSError as error:
            self._line.set_exception(error)
            return
        self._has_process = True
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            line = stdout.readline() if self._is_wanted else b""
        if not self._is_wanted or line != READY_LINE:
            self._end()
        self._line.set_result(line)

    def _end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self._is_wanted:  # then it has closed its end of the pipe and is ending
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_SECONDS)
        self.process.kill()
        self.process.wait()


def _import(name: str) -> ModuleType:
    """Import a module by name, or a script by path; its folder is then searched last."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.import_module(path.stem)
    if module.__file__ is None or not path.samefile(module.__file__):
        raise ImportError(f"another module is also called {path.stem} ({module.__file__}); rename {path.name}")
    return module

"""Servers as processes of their own: how one is described, and how a client starts it."""

import enum
import importlib
import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import msgspec

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ConfigurationError, ServerStartError
from zmqruntime.server import ZMQServer

__all__ = ["READY_LINE", "Lifetime", "ServerSpec", "start_server_process"]

READY_LINE = b"ready\n"
_LOG_ROTATE_BYTES = 5 * 1024 * 1024
_LOG_TAIL_BYTES = 4096


class Lifetime(enum.StrEnum):
    """When a started server ends, apart from being told to."""

    PERSISTENT = "persistent"
    """Only when told."""
    OWNED = "owned"
    """With the process that started it, also when that one is killed."""


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that another process needs to make the same server object.

    ``target`` is ``module:Class``, or ``path/to/file.py:Class`` for a class of a script; ``options`` are further
    keyword arguments of the class.
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
        """How another process finds ``server_class``.

        Raises:
            ConfigurationError: the class is local to a function, so no other process can find it.
        """
        if "<locals>" in server_class.__qualname__:
            raise ConfigurationError(
                f"{server_class.__qualname__} is defined inside a function, where a worker process cannot find it; "
                "move the class to the top of its module"
            )
        module = server_class.__module__
        if module == "__main__":
            main_spec = getattr(sys.modules["__main__"], "__spec__", None)
            module = main_spec.name if main_spec is not None else module
        if module == "__main__" or not _can_find(module):
            return f"{Path(inspect.getfile(server_class)).resolve()}:{server_class.__qualname__}"
        return f"{module}:{server_class.__qualname__}"

    def build(self) -> ZMQServer:
        """The server object, not started.

        Raises:
            ConfigurationError: the target cannot be imported, is no server class, or refuses the options.
        """
        sys.path.extend(entry for entry in self.sys_path if entry not in sys.path)
        module_name, _, class_name = self.target.rpartition(":")
        try:
            found: object = _import(module_name)
            for part in class_name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, OSError) as error:
            raise ConfigurationError(f"cannot find the server class {self.target}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, ZMQServer)):
            raise ConfigurationError(f"{self.target} is not a server class")
        try:
            return found(
                self.port, host=self.host, transport_mode=self.transport_mode, config=self.config, **self.options
            )
        except TypeError as error:
            raise ConfigurationError(
                f"{self.target} cannot be made in its own process: {error}; "
                "what its constructor needs besides the port must be in its options"
            ) from error


def start_server_process(spec: ServerSpec, lifetime: Lifetime, timeout: float) -> "subprocess.Popen[bytes]":
    """Start the server and return once it listens.

    With ``Lifetime.OWNED`` the server ends when the returned process object's ``stdin`` is closed.

    Raises:
        ServerStartError: it ended or stayed silent for ``timeout`` seconds; the error has the end of its log.
    """
    folder = spec.config.server_dir(spec.port)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log_path = folder / "server.log"
        if log_path.exists() and log_path.stat().st_size > _LOG_ROTATE_BYTES:
            log_path.replace(folder / "server.log.1")
        log = log_path.open("ab")
    except OSError as error:
        raise ServerStartError(f"cannot write the server's log in {folder}: {error.strerror or error}") from error
    with log:
        begin = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "zmqruntime.server_process", lifetime, msgspec.json.encode(spec).decode()],
            stdin=subprocess.PIPE if lifetime is Lifetime.OWNED else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    line = _read_line(process.stdout, timeout, process)
    process.stdout.close()
    if line == READY_LINE:
        return process
    ended = process.poll() is not None or line == b""
    if process.stdin is not None:
        process.stdin.close()
    if not ended:
        process.kill()
    process.wait()
    what = f"ended with exit code {process.returncode}" if ended else f"did not answer within {timeout:g} s"
    raise ServerStartError(f"the server for port {spec.port} {what}; its log is {log_path}", _tail(log_path, begin))


def _read_line(pipe: IO[bytes], timeout: float, process: "subprocess.Popen[bytes]") -> bytes:
    """The first line, b"" if the writer ended before, or what there is once a timer has killed a silent writer."""
    timer = threading.Timer(timeout, process.kill)
    timer.daemon = True
    timer.start()
    try:
        return pipe.readline()
    finally:
        timer.cancel()
        timer.join()


def _tail(path: Path, begin: int) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(begin, size - _LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").strip()


def _can_find(module: str) -> bool:
    """Whether a new process with our ``sys.path`` can import it; that this one has it loaded says nothing."""
    top = module.partition(".")[0]
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return any(finder.find_spec(top, None) is not None for finder in finders)


def _import(name: str) -> ModuleType:
    """A module by its name, or a script by its path, whose folder is then searched last as for any script."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.import_module(path.stem)
    if module.__file__ is None or not path.samefile(module.__file__):
        raise ImportError(f"another module is called {path.stem} too ({module.__file__}); rename {path.name}")
    return module

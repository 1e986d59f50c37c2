"""Which code a server runs: its class, the files that it was read from and the environment, so that a client can tell
whether that is what it names."""

import hashlib
import importlib.util
import inspect
import itertools
import sys
from pathlib import Path

from zmqruntime.base_messages import PongResponse, ServerCode
from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import OutdatedServerError, WrongServerError

__all__ = ["check_server", "code_of", "default_port_of", "target_of"]

_SHARED = ZMQConfig()
_LIBRARY = f"{__package__}."
_DERIVED_PORTS = 6000
_FIRST_DERIVED_PORT = 20_000
_BLOCK = 1000


def target_of(cls: type) -> str:
    """``module:Class`` of a class; its file in place of the module where no other process can import that."""
    module = cls.__module__
    if module == "__main__":
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        module = module if spec is None else spec.name
    file = _file_of_class(cls)
    if file and (module == "__main__" or not _can_find(module)):
        return f"{file}:{cls.__qualname__}"
    return f"{module}:{cls.__qualname__}"


def code_of(cls: type, bases: tuple[type, ...], named: str = "") -> ServerCode:
    """What a server of this class runs, by the files as they are now.

    Args:
        cls: the class of the server.
        bases: the classes that it derives from and that a client may name in its stead.
        named: how the client that started it has named it, which may be by a module that only imports it.
    """
    file = _file_of_class(cls)
    target = target_of(cls)
    return ServerCode(
        target=target,
        file=file,
        bases={
            **{target_of(base): _file_of_class(base) for base in bases},
            **({named: _file_of_module(_module_of(named))} if named else {}),
        },
        digest=_digest(file),
        environment=_environment(),
    )


def check_server(target: str, pong: PongResponse) -> OutdatedServerError | None:
    """Compare the class that a client names with the server of this machine that has answered.

    Args:
        target: ``module:Class`` or ``file.py:Class``.
        pong: what the server says of itself.

    Returns:
        What is to be said when it is that class as it was before its code was changed; None when it is that class.

    Raises:
        WrongServerError: it is of another class, or of another environment.
    """
    code = pong.code
    if code is None:  # a server that is not written in Python, or an earlier one
        return None
    where = f"the server on port {pong.port} (process {pong.pid})"
    file = _file_of_module(_module_of(target))
    classes = {code.target: code.file, **code.bases}
    if not any(_is_same(target, file, other, other_file) for other, other_file in classes.items()):
        raise WrongServerError(
            f"{where} is of class {_in_words(code.target, code.file)}, this client names {_in_words(target, file)}; "
            "name another port for one of them (port=...), or stop that server"
        )
    if code.environment != _environment():
        raise WrongServerError(
            f"{where} runs in the environment {code.environment}, and this client in {_environment()}; "
            "name another port (port=...), or stop that server"
        )
    if not _is_same(target, file, code.target, code.file):
        return None  # of a class that derives from the one that is named: its code is its own matter
    digest = _digest(file)
    if not digest or not code.digest or digest == code.digest:
        return None
    return OutdatedServerError(
        f"{where} still runs {_in_words(target, file)} as it was before its code was changed, and it was not started "
        f"again since it is at work or was not started by a client; stop it when it may end "
        f"('zmqruntime stop --port {pong.port}'), and connect again"
    )


def default_port_of(target: str | None, config: ZMQConfig) -> int:
    """The data port of a server class where none is named.

    Programs that have no ``app_name`` and no ``default_port`` of their own share one application, so each of their
    classes has a port of its own there, derived from ``target``: one of 6,000 between 20000 and 30999, where blocks of
    a thousand take turns for data ports and the control ports above them. It is ``config.default_port`` for all others.
    """
    is_shared = (config.app_name, config.default_port) == (_SHARED.app_name, _SHARED.default_port)
    if target is None or not is_shared or target.startswith(_LIBRARY):
        return config.default_port
    number = int.from_bytes(hashlib.blake2b(target.encode(), digest_size=8).digest()) % _DERIVED_PORTS
    return _FIRST_DERIVED_PORT + number // _BLOCK * 2 * _BLOCK + number % _BLOCK


def _is_same(target: str, file: str, other: str, other_file: str) -> bool:
    """Whether both name one class; by the files, where they are known, since two folders may have equal modules."""
    module, _, name = target.rpartition(":")
    other_module, _, other_name = other.rpartition(":")
    if name != other_name:
        return False
    if not (file and other_file):
        return module == other_module
    return file == other_file or _may_hand_on(Path(file), Path(other_file))


def _may_hand_on(package: Path, file: Path) -> bool:
    """Whether the class may be named by its package: ``package:Class`` for a class of ``package.module``."""
    return package.name == "__init__.py" and package.parent in file.parents


def _module_of(target: str) -> str:
    return target.rpartition(":")[0]


def _in_words(target: str, file: str) -> str:
    module, _, name = target.rpartition(":")
    return f"{name} ({file or module})"


def _environment() -> str:
    return str(Path(sys.prefix).resolve())


def _file_of_class(cls: type) -> str:
    try:
        path = Path(inspect.getfile(cls))
    except (OSError, TypeError):  # typed at a prompt, or in a notebook
        return ""
    return str(path.resolve()) if path.is_file() else ""


def _file_of_module(module: str) -> str:
    """The source file of a module, found without running it; empty where there is none."""
    if module.endswith(".py"):
        return str(Path(module).resolve())
    if module == "__main__":
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        return str(Path(file).resolve()) if file else ""
    loaded = sys.modules.get(module)
    try:
        spec = getattr(loaded, "__spec__", None) if loaded is not None else importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return ""
    origin = getattr(loaded, "__file__", None) or (None if spec is None else spec.origin)
    return str(Path(origin).resolve()) if origin and Path(origin).is_file() else ""


def _digest(file: str) -> str:
    """Of the source: of all files of the package that the file is in, else of the file alone; empty if unknown."""
    if not file:
        return ""
    path = Path(file)
    folders = list(itertools.takewhile(lambda folder: (folder / "__init__.py").is_file(), path.parents))
    files = sorted(folders[-1].rglob("*.py")) if folders else [path]
    digest = hashlib.blake2b(digest_size=16)
    try:
        for each in files:
            digest.update(str(each).encode(errors="replace"))
            digest.update(each.read_bytes())
    except OSError:
        return ""
    return digest.hexdigest()


def _can_find(module: str) -> bool:
    """Whether a new process with our ``sys.path`` can import it; that this one has it loaded says nothing."""
    top = module.partition(".")[0]
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return any(finder.find_spec(top, None) is not None for finder in finders)

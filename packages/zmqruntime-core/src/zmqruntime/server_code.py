"""The code that a server is running: its class, source files and environment, for comparison by clients."""

import hashlib
import importlib.util
import inspect
import itertools
import sys
from pathlib import Path

from zmqruntime.base_messages import PongResponse, ServerCode
from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import OutdatedServerError, WrongServerError
from zmqruntime.frozen import is_frozen

__all__ = ["check_server", "code_of", "default_port_of", "target_of"]

_SHARED = ZMQConfig()
_LIBRARY = f"{__package__}."
_DERIVED_PORTS = 6000
_FIRST_DERIVED_PORT = 20_000
_BLOCK = 1000


def target_of(cls: type) -> str:
    """Return ``module:Class`` of a class, with its file instead of the module if other processes cannot import that."""
    module = cls.__module__
    if module == "__main__":
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        module = module if spec is None else spec.name
    file = _file_of_class(cls)
    if file and (module == "__main__" or not _can_find(module)):
        return f"{file}:{cls.__qualname__}"
    return f"{module}:{cls.__qualname__}"


def code_of(cls: type, bases: tuple[type, ...], named: str = "") -> ServerCode:
    """Return the code that a server of this class is running, according to the files as they are now.

    Args:
        cls: the class of the server.
        bases: the classes that it derives from and that a client may name instead.
        named: the target used by the client that started it, whose module may only import the class.
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
    """Compare the class that a client names with a server on this machine.

    Args:
        target: ``module:Class`` or ``file.py:Class``.
        pong: the identity of the server.

    Returns:
        A warning if the server is running the class as it was before its code changed, otherwise None.

    Raises:
        WrongServerError: the server is of a different class or environment.
    """
    code = pong.code
    if code is None:  # a server not written in Python, or of an earlier release
        return None
    where = f"the server on port {pong.port} (process {pong.pid})"
    file = _file_of_module(_module_of(target))
    classes = {code.target: code.file, **code.bases}
    if not any(_is_same(target, file, other, other_file) for other, other_file in classes.items()):
        raise WrongServerError(
            f"{where} is of class {_in_words(code.target, code.file)}, but this client expects "
            f"{_in_words(target, file)}; use another port for one of them (port=...), or stop that server"
        )
    if code.environment != _environment():
        raise WrongServerError(
            f"{where} is running in the environment {code.environment}, but this client in {_environment()}; "
            "use another port (port=...), or stop that server",
            (code.environment, _environment()),
        )
    if not _is_same(target, file, code.target, code.file):
        return None  # a subclass of the named class: the client cannot judge its code
    digest = _digest(file)
    if not digest or not code.digest or digest == code.digest:
        return None
    return OutdatedServerError(
        f"{where} is still running {_in_words(target, file)} as it was before its code changed; it was not restarted "
        "because it is busy or was not started by a client; stop it when convenient "
        f"('zmqruntime stop --port {pong.port}'), then connect again"
    )


def default_port_of(target: str | None, config: ZMQConfig) -> int:
    """Return the data port of a server class for which no port is given.

    Programs that set neither ``app_name`` nor ``default_port`` share one application, so each of their classes gets a
    separate port derived from ``target``: one of 6,000 between 20000 and 30999, in which blocks of a thousand data
    ports alternate with their control ports. All others use ``config.default_port``.
    """
    is_shared = (config.app_name, config.default_port) == (_SHARED.app_name, _SHARED.default_port)
    if target is None or not is_shared or target.startswith(_LIBRARY):
        return config.default_port
    number = int.from_bytes(hashlib.blake2b(target.encode(), digest_size=8).digest()) % _DERIVED_PORTS
    return _FIRST_DERIVED_PORT + number // _BLOCK * 2 * _BLOCK + number % _BLOCK


def _is_same(target: str, file: str, other: str, other_file: str) -> bool:
    """Return whether both name one class, comparing files if known, because two folders may have equal module names."""
    module, _, name = target.rpartition(":")
    other_module, _, other_name = other.rpartition(":")
    if name != other_name:
        return False
    if not (file and other_file):
        return module == other_module
    return file == other_file or _may_hand_on(Path(file), Path(other_file))


def _may_hand_on(package: Path, file: Path) -> bool:
    """Return whether a class may be named by its package: ``package:Class`` for a class in ``package.module``."""
    return package.name == "__init__.py" and package.parent in file.parents


def _module_of(target: str) -> str:
    return target.rpartition(":")[0]


def _in_words(target: str, file: str) -> str:
    module, _, name = target.rpartition(":")
    return f"{name} ({file or module})"


def _environment() -> str:
    """Return the folder of the Python environment; of a frozen program the program, which may unpack itself anew."""
    return str(Path(sys.executable if is_frozen() else sys.prefix).resolve())


def _file_of_class(cls: type) -> str:
    try:
        path = Path(inspect.getfile(cls))
    except (OSError, TypeError):  # entered at a prompt or in a notebook
        return ""
    return str(path.resolve()) if path.is_file() else ""


def _file_of_module(module: str) -> str:
    """Return the source file of a module, found without importing it; empty if there is none."""
    if module.endswith(".py"):
        return str(Path(module).resolve())
    if module == "__main__":
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        return str(Path(file).resolve()) if file and Path(file).is_file() else ""
    loaded = sys.modules.get(module)
    try:
        spec = getattr(loaded, "__spec__", None) if loaded is not None else importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return ""
    origin = getattr(loaded, "__file__", None) or (None if spec is None else spec.origin)
    return str(Path(origin).resolve()) if origin and Path(origin).is_file() else ""


def _digest(file: str) -> str:
    """Return the digest of all files in the file's package, or of the file alone; empty if unknown."""
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
    """Return whether a new process with our ``sys.path`` can import it; having it loaded here proves nothing."""
    top = module.partition(".")[0]
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return any(finder.find_spec(top, None) is not None for finder in finders)

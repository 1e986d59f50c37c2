"""Functions and types by import path: named in one process, found in another."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from zmqruntime.execution.executor.guards import is_guarded
from zmqruntime.execution.scripts import has_ended_early, is_script, load_script
from zmqruntime.frozen import is_frozen

__all__ = ["NotImportableError", "file_of", "reference_of", "resolve"]


class NotImportableError(TypeError):
    """Another process cannot import the object; the message says why."""


def reference_of(thing: object) -> str:
    """Return the text by which another process finds a function or type: ``module:name`` or ``file.py:name``.

    Raises:
        NotImportableError: It is local to a function, a lambda, a bound method, or not what its name refers to.
    """
    name = getattr(thing, "__qualname__", None)
    if not isinstance(name, str):
        raise NotImportableError(f"{type(thing).__name__} object {_short(thing)} is not a function with a name")
    if "<lambda>" in name:
        raise NotImportableError("a lambda cannot be imported by another process")
    if "<locals>" in name:
        raise NotImportableError(f"{name} is defined inside a function, where another process cannot find it")
    module = _module_of(thing)
    _check_same(thing, module, name)
    return f"{_place_of(module, name)}:{name}"


def resolve(reference: str) -> object:
    """Return the function or type that :func:`reference_of` has named.

    Raises:
        ImportError: Its module cannot be imported, or does not have it.
    """
    place, _, name = reference.rpartition(":")
    found: object = _load(place)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise ImportError(_missing(place, name, found)) from error
    return found


def file_of(thing: object) -> str:
    """Return the source file of the module of a function, or an empty text."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    return str(Path(file).resolve()) if isinstance(file, str) else ""


def _missing(place: str, name: str, module: object) -> str:
    if has_ended_early(module):
        return (
            f"{place} has no {name} above the line where it begins to use an executor, and a worker loads it only up "
            'to there: define it above, or put what the script does into a block if __name__ == "__main__":'
        )
    return f"{place} has no {name}; was it renamed or removed after the submission?"


def _module_of(thing: object) -> ModuleType:
    owner = getattr(thing, "__objclass__", thing)  # of a method of a built-in type
    name = getattr(owner, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None:
        raise NotImportableError(f"{_short(thing)} does not say which module it is from")
    return module


def _check_same(thing: object, module: ModuleType, name: str) -> None:
    """Check that the name in the module refers to the object, or to what a decorator has made of it.

    Raises:
        NotImportableError: It does not.
    """
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is thing or getattr(found, "__wrapped__", None) is thing:
        return
    owner = getattr(thing, "__self__", None)
    if isinstance(owner, type) and found == thing:  # a class method
        return
    if owner is not None and not isinstance(owner, (type, ModuleType)):
        raise NotImportableError(f"{name} is a method of an object, which another process does not have")
    raise NotImportableError(f"{module.__name__}.{name} is not this object but {_short(found)}")


def _place_of(module: ModuleType, name: str) -> str:
    """Return the module's name, or its file if only that can be found by another process.

    Raises:
        NotImportableError: It has no file either.
    """
    if module.__name__ == "__main__":
        _check_not_guarded(module, name)
        spec = getattr(module, "__spec__", None)
        if spec is not None and spec.name:
            return str(spec.name)
        if is_frozen():  # its workers are the same program
            return module.__name__
    elif not is_script(module) and _can_find(module):
        return module.__name__
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or not Path(file).is_file():
        raise NotImportableError(
            f"{name} was entered at a prompt, in a notebook or through a pipe, where another process cannot find it"
        )
    return str(Path(file).resolve())


def _check_not_guarded(module: ModuleType, name: str) -> None:
    """Check that a worker, for which the module is not the main one, defines the name.

    Raises:
        NotImportableError: It does not.
    """
    file = getattr(module, "__file__", None)
    if isinstance(file, str) and is_guarded(file, name.partition(".")[0]):
        raise NotImportableError(
            f'{name} is defined in the block if __name__ == "__main__": of {file}, which another process does not '
            "enter (define it above that block)"
        )


def _can_find(module: ModuleType) -> bool:
    """Return whether a new process with this search path can import it; having it loaded here proves nothing."""
    top = module.__name__.partition(".")[0]
    if top in sys.builtin_module_names:
        return True
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return any(finder.find_spec(top, None) is not None for finder in finders)


def _load(place: str) -> ModuleType:
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if place.endswith(".py"):
        return main if _is_file(place, file) else load_script(place)
    if place in sys.modules:
        return sys.modules[place]
    if getattr(getattr(main, "__spec__", None), "name", None) == place:
        return main
    spec = importlib.util.find_spec(place) if "." not in place else None
    if spec is not None and spec.origin is not None and _is_file(spec.origin, file):
        return main
    return importlib.import_module(place)


def _is_file(path: str, other: object) -> bool:
    return isinstance(other, str) and Path(path).resolve() == Path(other).resolve()


def _short(thing: object) -> str:
    text = repr(thing)
    return text if len(text) <= 80 else f"{text[:77]}..."

"""Names of a package that are imported when they are first used, so that importing the package loads next to nothing.

The stub of the package, ``__init__.pyi``, is the list of the names and of the modules they are in. It is read line by
line: parsing it as Python would take nearly as long as starting the interpreter.
"""

import importlib
import sys
from collections.abc import Callable

__all__ = ["attach"]

_NO_PUNCTUATION = str.maketrans("(),", "   ")


def attach(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` for a package.

    No name may be that of a module of the package, which would take its place once it is imported.

    Args:
        package: the package's ``__name__``.
        file: the package's ``__file__``; its stub is in the same folder.
    """
    homes = _homes(f"{file.rpartition('.')[0]}.pyi")
    modules = {home.split(".")[1] for home in homes.values()}

    def get(name: str) -> object:
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(importlib.import_module(homes[name], package), name)
        setattr(sys.modules[package], name, found)
        return found

    return get, lambda: sorted(homes), sorted(homes)


def _homes(path: str) -> dict[str, str]:
    """Return each name that a stub exports, with the module it takes it from, as a relative import."""
    homes: dict[str, str] = {}
    module = ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.translate(_NO_PUNCTUATION).split()
            if words[:1] == ["from"]:
                module, words = words[1], words[3:]
            homes.update(dict.fromkeys(words[2::3], module))  # NAME as NAME
    return homes

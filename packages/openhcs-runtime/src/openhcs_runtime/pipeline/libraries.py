"""The packages whose functions the window offers as steps: the built-in one and those of other packages.

Packages offer functions by an entry point in the group ``openhcs_runtime.functions``, whose name is their category in
menus and whose value is a module or package with public functions::

    [project.entry-points."openhcs_runtime.functions"]
    my_lab = "my_package.steps"
"""

from dataclasses import dataclass
from importlib.metadata import entry_points

__all__ = ["BUILT_IN", "GROUP", "FunctionLibrary", "function_libraries"]

GROUP = "openhcs_runtime.functions"
BUILT_IN = "openhcs_runtime.functions"


@dataclass(frozen=True, slots=True)
class FunctionLibrary:
    """A module or package with functions for steps.

    Attributes:
        name: Its category in menus.
        module: What steps are imported from.
        package: Name and version of the package that offers it.
    """

    name: str
    module: str
    package: str


def function_libraries() -> tuple[FunctionLibrary, ...]:
    """Return the installed libraries, the built-in one first, without loading them."""
    found = [
        FunctionLibrary(point.name, point.value, f"{point.dist.name} {point.dist.version}" if point.dist else "")
        for point in entry_points(group=GROUP)
    ]
    return tuple(sorted(found, key=lambda library: (library.module != BUILT_IN, library.name)))

"""The viewers that a run can start: napari, Fiji, and those of other packages.

Packages offer viewers by an entry point in the group ``openhcs_runtime.viewers``, whose name is what users write after
``--view`` and whose value is a :class:`ViewerProgram`::

    [project.entry-points."openhcs_runtime.viewers"]
    wall = "my_package.wall:VIEWER"
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs_runtime.choices import alternatives
from openhcs_runtime.exceptions import ViewerError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from zmqruntime import ZMQConfig
    from zmqruntime.streaming import VisualizerProcessManager

__all__ = ["GROUP", "ViewerProgram", "viewer_names", "viewer_program"]

GROUP = "openhcs_runtime.viewers"


@dataclass(frozen=True, slots=True)
class ViewerProgram:
    """A viewer that can be found or started. Importing its module must not load the viewer itself.

    Attributes:
        usual_port: Data port if the user names none.
        manager: Returns the manager of the viewer's process for a port, the component modes that the user chose
            (``{"site": "layer"}``) and the configuration of the run.
        modes: The ways in which it can show a component; none if it offers no choice.
        needs: Module that can be imported if what the viewer needs is installed.
        install: What to install otherwise, as in ``pip install``.
    """

    usual_port: int
    manager: "Callable[[int, Mapping[str, str], ZMQConfig], VisualizerProcessManager]"
    modes: tuple[str, ...] = ()
    needs: str = ""
    install: str = ""


def viewer_names() -> tuple[str, ...]:
    """Return the names of the installed viewers, sorted, without loading them."""
    return tuple(sorted(_points()))


@functools.cache
def viewer_program(name: str) -> ViewerProgram:
    """Load a viewer's program.

    Raises:
        ViewerError: If it is not installed or can't be loaded.
    """
    point = _points().get(name)
    if point is None:
        raise ViewerError(f"unknown viewer {name!r}; choose {alternatives(viewer_names())}")
    package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    try:
        program = point.load()
    except Exception as error:
        what = f"the viewer {name!r} of {package} can't be loaded: {type(error).__name__}: {error}"
        raise ViewerError(f"{what}; repair or uninstall the package") from error
    if not isinstance(program, ViewerProgram):
        raise ViewerError(f"{point.value} of {package} is not a ViewerProgram")
    return program


@functools.cache
def _points() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes 10 ms, and most runs have no viewer

    return {point.name: point for point in entry_points(group=GROUP)}

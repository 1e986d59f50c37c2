"""Starts the viewer that a run is shown in, or finds the one that is there."""

import importlib
import importlib.util
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_target import ViewerKind, ViewTarget
from zmqruntime import ServerStartError, ZMQRuntimeError

if TYPE_CHECKING:
    from zmqruntime.streaming import VisualizerProcessManager

__all__ = ["check_viewer", "open_viewer"]

_START_SECONDS = 60.0


class _Program(NamedTuple):
    module: str
    manager: str
    needs: str
    """What can be imported when its extra is installed."""
    option: str
    """What its manager calls the modes of components."""
    modes: tuple[str, ...]


_PROGRAMS = MappingProxyType(
    {
        ViewerKind.NAPARI: _Program(
            "openhcs_runtime.viewers.napari.process_manager",
            "NapariProcessManager",
            needs="napari",
            option="modes",
            modes=("slider", "layer"),
        ),
        ViewerKind.FIJI: _Program(
            "openhcs_runtime.viewers.fiji.process_manager",
            "FijiProcessManager",
            needs="jpype",
            option="axes",
            modes=("window", "channel", "slice", "frame"),
        ),
    }
)


def open_viewer(
    view: ViewTarget | str,
    components: Mapping[str, str] = MappingProxyType({}),
    timeout: float = _START_SECONDS,
) -> "VisualizerProcessManager":
    """The viewer's process, which answers: the one that is there, or one that is started and outlives this process.

    view: as in `GlobalConfig`; one on another host has to be there already, so it has no process to give.
    components: what becomes of well, site, channel, z_index and timepoint. napari: `slider` or `layer`; Fiji: `window`,
        `channel`, `slice` or `frame`. It matters for a viewer that is started, not for one that is found.
    Raises ViewerError with the end of the viewer's log.
    """
    target = view if isinstance(view, ViewTarget) else ViewTarget.parse(view)
    if target.kind is None:
        raise ViewerError(f"the viewer at {target} can't be started from here: start it there")
    check_viewer(target, components)
    manager = _manager(target.kind, target.port, components)
    if importlib.util.find_spec(_PROGRAMS[target.kind].needs) is None and not manager.is_running:
        raise ViewerError(f"{target.kind} is not installed: pip install 'openhcs-runtime[{target.kind}]'")
    try:
        manager.start(timeout)
    except ServerStartError as error:
        log = error.log_tail or manager.log_tail()
        reason = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")
        raise ViewerError(f"{target} does not start: {reason or str(error).partition(chr(10))[0]}", log) from error
    except (ZMQRuntimeError, OSError) as error:
        raise ViewerError(f"{target} can't be reached: {error}") from error
    return manager


def check_viewer(target: ViewTarget, components: Mapping[str, str]) -> None:
    """Raises ViewerError for components that this viewer does not know."""
    if target.kind is None:
        if components:
            raise ViewerError(f"how {target} shows components was said when it was started: leave that out here")
        return
    modes = _PROGRAMS[target.kind].modes
    for name, mode in components.items():
        if name not in set(Component):
            raise ViewerError(f"{name!r} is no component (these are: {', '.join(Component)})")
        if mode not in modes:
            raise ViewerError(f"{name}={mode}: in {target.kind} a component becomes one of {', '.join(modes)}")


def _manager(kind: ViewerKind, port: int, components: Mapping[str, str]) -> "VisualizerProcessManager":
    program = _PROGRAMS[kind]
    manager = getattr(importlib.import_module(program.module), program.manager)
    found: VisualizerProcessManager = manager(port, config=OPENHCS_CONFIG, **{program.option: dict(components)})
    return found

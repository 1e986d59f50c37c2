"""Starts the viewer of a run, or finds one that is already running."""

import importlib.util
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from openhcs_runtime.choices import alternatives
from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_program import viewer_program
from openhcs_runtime.viewer_target import ViewTarget
from zmqruntime import ServerStartError, ZMQRuntimeError
from zmqruntime.transport import LOOPBACK, get_default_transport_mode, is_listening

if TYPE_CHECKING:
    from zmqruntime.streaming import VisualizerProcessManager

__all__ = ["check_viewer", "is_open", "open_viewer", "what_is_missing"]

_START_SECONDS = 60.0
_ERROR = re.compile(r"(\w+\.)*\w*(Error|Exception)\b.*:")


def open_viewer(
    view: ViewTarget | str,
    components: Mapping[str, str] = MappingProxyType({}),
    timeout: float = _START_SECONDS,
) -> "VisualizerProcessManager":
    """Find the viewer that is running, or start one, which outlives this process.

    Args:
        view: as in ``GlobalConfig``, but only for this machine; a viewer on another host must be started there.
        components: how well, site, channel, z_index and timepoint are shown: ``slider`` or ``layer`` in napari;
            ``window``, ``channel``, ``slice`` or ``frame`` in Fiji. Only used if the viewer is started.
        timeout: seconds to wait for the viewer to start.

    Returns:
        The manager of the viewer process, which is ready.

    Raises:
        ViewerError: with the end of the viewer's log.
    """
    target = view if isinstance(view, ViewTarget) else ViewTarget.parse(view)
    if target.kind is None:
        raise ViewerError(f"the viewer at {target} can't be started from here: start it there")
    check_viewer(target, components)
    program = viewer_program(target.kind)
    manager = program.manager(target.port, components, OPENHCS_CONFIG)
    missing = what_is_missing(target)
    if missing and not manager.is_running:
        raise ViewerError(missing)
    try:
        manager.start(timeout)
    except ServerStartError as error:
        log = error.log_tail or manager.log_tail()
        raise ViewerError(f"{target} did not start: {_reason(log) or str(error).partition(chr(10))[0]}", log) from error
    except (ZMQRuntimeError, OSError) as error:
        raise ViewerError(f"{target} can't be reached: {error}") from error
    return manager


def what_is_missing(target: ViewTarget) -> str:
    """Return what to install before the viewer can be started here, in a sentence; empty if nothing is missing."""
    if target.kind is None:
        return ""
    program = viewer_program(target.kind)
    if not program.needs or importlib.util.find_spec(program.needs) is not None:
        return ""
    return f"{target.kind} is not installed: pip install '{program.install}'"


def is_open(target: ViewTarget) -> bool:
    """Return whether the viewer replies; one that was started elsewhere is taken to be open."""
    if target.kind is None:
        return True
    if not is_listening(target.port, LOOPBACK, get_default_transport_mode(), OPENHCS_CONFIG):
        return False
    return viewer_program(target.kind).manager(target.port, {}, OPENHCS_CONFIG).is_running


def check_viewer(target: ViewTarget, components: Mapping[str, str]) -> None:
    """Check that a viewer supports these components.

    Raises:
        ViewerError: it does not.
    """
    if target.kind is None:
        if components:
            raise ViewerError(f"components can't be set for {target}, which is already running: leave them out")
        return
    modes = viewer_program(target.kind).modes
    if components and not modes:
        raise ViewerError(f"components can't be set for {target.kind}: leave them out")
    for name, mode in components.items():
        if name not in set(Component):
            raise ViewerError(f"unknown component {name!r}; choose {alternatives(Component)}")
        if mode not in modes:
            raise ViewerError(f"unknown mode {name}={mode} in {target.kind}; choose {alternatives(modes)}")


def _reason(log: str) -> str:
    """Return the line of a log that says why a program ended: the last one that is an error, or else the last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or [""])[-1]

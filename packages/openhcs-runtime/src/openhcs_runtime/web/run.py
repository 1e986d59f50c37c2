"""The folder of the run that an execution writes, also while it is running."""

import functools
from pathlib import Path

from openhcs_runtime.outputs.runs import list_runs, results_root
from zmqruntime.execution.web.extensions import PanelError, PanelRequest
from zmqruntime.transport import is_known_host

__all__ = ["run_folder"]


def run_folder(request: PanelRequest) -> Path:
    """Return the folder.

    Raises:
        PanelError: there is none yet, it is on another machine, or it was removed.
    """
    host, execution = request.place.host, request.execution
    if host is not None and not is_known_host(host):
        raise PanelError(f"the results are on {host}: serve the page there")
    result = execution.result
    named = result.get("output_dir") if isinstance(result, dict) else None
    folder = Path(named) if isinstance(named, str) else _begun(execution.plate_id, execution.execution_id)
    if not folder.is_dir():
        raise PanelError(f"the folder {folder} of the run is not there any more")
    return folder


@functools.lru_cache(maxsize=64)
def _begun(plate_path: str, execution_id: str) -> Path:
    """The folder that an execution has begun to write; one that is not there yet is looked for each time."""
    root = Path(str(results_root(Path(plate_path))))
    runs = list_runs(root) if root.is_dir() else ()
    folder = next((run.folder for run in runs if execution_id in run.executions), None)
    if folder is None:
        raise PanelError("the run has not written anything yet, or not next to its plate")
    return folder

"""Services and PyQt6 widgets to run microscopy plates on a background server.

What a window knows and does is in `openhcs_gui_services.services`, without Qt, and its names can be imported from here;
what it shows is in `openhcs_gui_services.widgets`; what is raised on purpose is in `openhcs_gui_services.exceptions`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhcs_gui_services.services import (
        BatchWorkflowService as BatchWorkflowService,
    )
    from openhcs_gui_services.services import (
        CompilationService as CompilationService,
    )
    from openhcs_gui_services.services import (
        ExecutionHost as ExecutionHost,
    )
    from openhcs_gui_services.services import (
        PlateWorkspace as PlateWorkspace,
    )
    from openhcs_gui_services.services import (
        ZMQExecutionService as ZMQExecutionService,
    )


def __getattr__(name: str) -> object:
    """A name of `openhcs_gui_services.services`, which is imported when it is first asked for."""
    services = None if name.startswith("_") else importlib.import_module(f"{__name__}.services")
    if services is None or name not in services.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(services, name)
    globals()[name] = value
    return value

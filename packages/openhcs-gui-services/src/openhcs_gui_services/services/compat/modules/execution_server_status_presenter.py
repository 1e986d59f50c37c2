"""``connection.status`` under the module name of earlier documents."""

from openhcs_gui_services.services.connection.status import (
    ExecutionServerStatusPresenter,
    ServerStatusPresentation,
    present_server_status,
)

__all__ = ["ExecutionServerStatusPresenter", "ServerStatusPresentation", "present_server_status"]

"""``connection.client`` under the module name of earlier documents."""

from openhcs_gui_services.services.connection.client import ZMQClientService

__all__ = ["ZMQClientService"]

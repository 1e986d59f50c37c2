"""``compat.compilation_service`` under the module name of earlier documents."""

from openhcs_gui_services.services.compat.compilation_service import CompilationService

__all__ = ["CompilationService"]

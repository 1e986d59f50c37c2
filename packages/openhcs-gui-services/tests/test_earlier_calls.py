"""The calls of the documents that this package goes back to, each as it is written there but for the import path."""

import importlib
from typing import Any

import pytest
from PyQt6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services import ExecutionHost, ZMQExecutionService
from openhcs_gui_services.services.compat.execution_service import ExecutionHost as HostOfItsModule

NAMES = [
    "BatchWorkflowService",
    "CompilationService",
    "CompileJob",
    "ExecutionHost",
    "IntervalSnapshotPoller",
    "ZMQClientService",
    "ZMQExecutionService",
]


class MyWidget(QWidget, ExecutionHost):
    """As the documents have it."""

    def __init__(self) -> None:
        super().__init__()
        self.execution_state = "idle"
        self.plate_execution_ids: dict[str, str] = {}
        self.plate_execution_states: dict[str, str] = {}
        self.orchestrators: dict[str, Any] = {}
        self.plate_compiled_data: dict[str, Any] = {}
        self.global_config: Any = None
        self.current_execution_id: str | None = None
        self.said: list[str] = []
        self.completed: list[tuple[str, str]] = []
        self.execution_service = ZMQExecutionService(host=self, port=7777)

    def emit_status(self, msg: str) -> None:
        self.said.append(msg)

    def on_plate_completed(self, plate_path: str, status: str, result: dict[str, Any]) -> None:
        self.completed.append((plate_path, status))


def test_a_widget_may_have_the_host_as_a_base(qtbot: QtBot) -> None:
    widget = MyWidget()  # type: ignore[abstract]  # it has what the test needs
    qtbot.addWidget(widget)
    assert isinstance(widget, QWidget)
    assert widget.execution_service.host is widget
    assert ExecutionHost is HostOfItsModule


@pytest.mark.parametrize("name", NAMES)
def test_names_can_be_imported_from_the_root(name: str) -> None:
    root = importlib.import_module("openhcs_gui_services")
    assert getattr(root, name) is getattr(importlib.import_module("openhcs_gui_services.services"), name)
    with pytest.raises(AttributeError):
        root.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    "module",
    [
        "services.zmq_execution_service",
        "services.compilation_service",
        "services.batch_workflow_service",
        "services.execution_server_status_presenter",
        "services.progress_batch_reset",
        "services.plate_config_resolver",
        "services.zmq_client_service",
        "widgets.plate_manager",
        "main",
    ],
)
def test_modules_are_where_the_documents_have_them(module: str) -> None:
    assert importlib.import_module(f"openhcs_gui_services.{module}")

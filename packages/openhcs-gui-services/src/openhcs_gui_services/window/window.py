"""Creates the window of ``openhcs-gui``, runs asyncio on Qt's event loop, and shuts both down."""

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING

from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QApplication
from qasync import QEventLoop  # type: ignore[import-untyped]

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.settings.dialog import load_settings
from openhcs_gui_services.window.interrupts import InterruptListener
from openhcs_gui_services.window.main_window import MainWindow
from openhcs_gui_services.window.panes import WindowPanes, run_settings
from openhcs_gui_services.window.screen import screen_needed
from openhcs_runtime.builtin_files import builtin_text
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.service.client import read_pipeline_file

if TYPE_CHECKING:
    from openhcs_gui_services.window.cli import Options

__all__ = ["show_window"]

_THREADS = 4
_READ_AGAIN = (PlateStatus.CREATED, PlateStatus.READY)


def show_window(options: "Options", on_usable: Callable[[], None] = lambda: None) -> int:
    """Show the window until it is closed.

    Args:
        options: options of the command line.
        on_usable: called once the window can be used.

    Returns:
        The exit code, 0.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; everything has been shut down.
    """
    with screen_needed():
        application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("openhcs-gui")
    application.setOrganizationName("OpenHCS")
    application.setQuitOnLastWindowClosed(False)  # the shutdown that follows needs the loop
    listener = InterruptListener()
    try:
        with asyncio.Runner(loop_factory=functools.partial(QEventLoop, application)) as runner:
            runner.run(_attend(options, on_usable))
    finally:
        listener.close()
    return 0


async def _attend(options: "Options", on_usable: Callable[[], None]) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))  # qasync's are Qt's, ten at once
    settings = QSettings()
    known = load_settings(settings)
    host, port = options.host or known.host or None, options.port or known.port
    workspace = PlateWorkspace(port, host=host, settings=run_settings(known))
    window = MainWindow(workspace, settings, WindowPanes(workspace, settings, host, port))
    hook, sys.excepthook = sys.excepthook, functools.partial(_show_bug, window, sys.excepthook)
    closed = asyncio.Event()
    window.closed.connect(closed.set)
    usable = asyncio.Event()
    tasks = BackgroundTasks(functools.partial(window.manager.show_message, is_error=True))
    window.usable.connect(on_usable)
    window.usable.connect(usable.set)
    try:
        window.show()
        tasks.start(_open(window, workspace, options, usable), "Opening the window")
        await closed.wait()
    finally:
        sys.excepthook = hook
        window.hide()
        await tasks.close()
        await window.end()
        await workspace.close()
        window.deleteLater()


async def _open(window: MainWindow, workspace: PlateWorkspace, options: "Options", usable: asyncio.Event) -> None:
    """Restore the plates of the last session, then add those of the command line."""
    await usable.wait()
    workspace.default_pipeline = await asyncio.to_thread(_first_pipeline)
    await workspace.reattach()
    await workspace.look_at_server()
    resting = [row.path for row in workspace.rows() if row.snapshot.state in _READ_AGAIN]
    if options.pipeline is not None:
        built_in = builtin_text(options.pipeline)
        try:
            workspace.default_pipeline = built_in or read_pipeline_file(options.pipeline)
            workspace.default_pipeline_file = "" if built_in else os.path.abspath(options.pipeline.expanduser())
        except PipelineError as error:
            window.manager.show_message(str(error), True)
    window.manager.add_plates(options.plates)
    await workspace.initialise([path for path in resting if not workspace.wells(path)])


def _first_pipeline() -> str:
    from openhcs_runtime.builtin import builtin_source  # noqa: PLC0415  loads numpy, which the window doesn't need yet

    return builtin_source()


def _show_bug(
    window: MainWindow,
    print_it: Callable[[type[BaseException], BaseException, TracebackType | None], object],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    """Show an unhandled exception in a widget; without this hook it would end the window."""
    print_it(kind, error, traceback)
    if not isinstance(error, KeyboardInterrupt):
        window.manager.show_message(f"Unexpected error in the window: {kind.__name__}: {error}", True)

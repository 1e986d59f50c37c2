"""Qt without a screen and with an asyncio loop, homes and plates for real servers, and nothing left behind."""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyqt6")
os.environ.setdefault("PYTEST_QT_API", "pyqt6")

import qasync  # type: ignore[import-untyped]
from PyQt6.QtWidgets import QApplication

from openhcs_runtime.plates import make_plate
from openhcs_runtime.testing import display, gate
from zmqruntime.testing import isolated_home, no_leaks

__all__ = ["display", "gate", "isolated_home", "no_leaks"]


@pytest.fixture
def qt_loop(qapp: QApplication) -> Iterator[qasync.QEventLoop]:
    """An asyncio loop that is Qt's: ``qt_loop.run_until_complete(...)``."""
    qapp.setQuitOnLastWindowClosed(False)  # else the loop ends with the window, and not with the test
    loop = qasync.QEventLoop(qapp)
    loop.set_default_executor(ThreadPoolExecutor(8))  # qasync's own leaves the threading module thinking of its threads
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def small_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three wells of one site and one channel, 64 x 64 pixels. Read only."""
    return make_plate(tmp_path_factory.mktemp("plates") / "small", wells=3, sites=1, channels=1, size=64)

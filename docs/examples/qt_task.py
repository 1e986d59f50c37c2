"""A window with a bar and a cancel button for a task that goes on if the window is closed: python qt_task.py"""

import sys
import time

from PyQt6.QtWidgets import QApplication, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from openhcs_gui_services import TaskSignals
from zmqruntime import ProgressUpdate
from zmqruntime.execution import Executor, TaskFuture, track


def count_cells(images: int, seconds: float = 0.2) -> int:
    """Take a while; runs in a worker process of the background server."""
    cells = 0
    for image in track(range(images), "images"):
        time.sleep(seconds)
        cells += 17 + image % 5
    return cells


class TaskWindow(QWidget):
    """Shows one task from its start to its end."""

    def __init__(self, task: TaskFuture[int]) -> None:
        super().__init__()
        self.setWindowTitle("Counting cells")
        self.label = QLabel("queued")
        self.bar = QProgressBar()
        self.button = QPushButton("Cancel")
        line = QHBoxLayout()
        line.addWidget(self.bar)
        line.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.label)
        layout.addLayout(line)
        self.signals = TaskSignals(task, parent=self)
        self.signals.started.connect(lambda: self.label.setText("running"))
        self.signals.progress.connect(self.show_progress)
        self.signals.succeeded.connect(lambda cells: self.label.setText(f"{cells} cells"))
        self.signals.failed.connect(lambda error: self.label.setText(f"failed: {error}"))
        self.signals.cancelled.connect(lambda: self.label.setText("cancelled"))
        self.signals.finished.connect(lambda: self.button.setEnabled(False))
        self.button.clicked.connect(task.cancel)

    def show_progress(self, update: ProgressUpdate) -> None:
        """Move the bar."""
        self.label.setText(f"image {update.completed} of {update.total}")
        self.bar.setRange(0, update.total)
        self.bar.setValue(update.completed)


if __name__ == "__main__":
    app = QApplication(sys.argv)
    executor = Executor("cells")
    window = TaskWindow(executor.submit(count_cells, 50))
    window.show()
    code = app.exec()
    executor.shutdown(wait=False)
    sys.exit(code)

"""Edit a pipeline file; "Check" compiles it on a plate: python gui_pipeline_pane.py PIPELINE.py PLATE"""

import asyncio
import sys
from pathlib import Path

import qasync  # type: ignore[import-untyped]
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.widgets import PipelinePane
from openhcs_runtime.service.client import PlateExecution, ZMQExecutionClient


def compiled(client: ZMQExecutionClient, source: str, plate: Path) -> PlateExecution:
    """Compile on the server and wait for the result; don't call this on Qt's thread."""
    return client.wait(client.compile_pipeline(plate, source).execution_id)


async def check(pane: PipelinePane, source: str, plate: Path, client: ZMQExecutionClient) -> None:
    """Mark the problems of the pipeline with this plate, without blocking the window."""
    ended = await asyncio.to_thread(compiled, client, source, plate)
    pane.show_problems(ended.refusal.problems if ended.refusal else [])


if __name__ == "__main__":
    app = QApplication(sys.argv)
    with qasync.QEventLoop(app) as loop, ZMQExecutionClient(persistent=True) as client:
        pane = PipelinePane()
        pane.open_file(Path(sys.argv[1]))
        pane.check_requested.connect(lambda text: loop.create_task(check(pane, text, Path(sys.argv[2]), client)))
        pane.resize(1000, 600)
        pane.show()
        loop.run_forever()

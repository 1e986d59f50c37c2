"""The numbers pane with a table of a million objects: frames while scrolling, sorting, filtering, gates and densities.

    python tools/bench/numbers_pane.py [--rows 1000000] [--columns 40] [--json FILE]

A frame is the time that Qt's thread needs to scroll the table by a page and to draw it. On a busy machine it waits for
the processor, too, so that the processor time of a frame is printed as well.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import figures
import numpy as np
from figures import Figure, Report

_BAR_FRAME_MS = 16.0
_BAR_SORT_SECONDS = 2.0
_FRAMES = 400


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=40)
    with figures.report(parser) as (options, report):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        with tempfile.TemporaryDirectory() as folder:
            run = make_run(Path(folder), options.rows, options.columns)
            measure(report, run, Path(folder), options.rows)
    sys.exit(report.missed > 0)


def make_run(folder: Path, rows: int, columns: int) -> Path:
    """Run a small plate, and put a large table in the place of its objects."""
    import msgspec  # noqa: PLC0415  with the rest, which is slow to load
    import pyarrow  # noqa: PLC0415

    from openhcs_runtime import (  # noqa: PLC0415
        ExecutionMode,
        FunctionStep,
        GlobalConfig,
        Measure,
        PipelineOrchestrator,
        TableKind,
        TableSchema,
        make_plate,
    )
    from openhcs_runtime.functions import measure_objects, segment_nuclei  # noqa: PLC0415
    from openhcs_runtime.outputs.runs import PROVENANCE_NAME, find_run  # noqa: PLC0415
    from openhcs_runtime.tables.schema import OBJECT_KEYS  # noqa: PLC0415
    from openhcs_runtime.tables.write import write_table  # noqa: PLC0415

    plate = make_plate(folder / "plate", wells=4, sites=1, channels=1, size=64)
    steps = [FunctionStep(segment_nuclei), FunctionStep(measure_objects)]
    with PipelineOrchestrator(plate, steps, GlobalConfig(1, ExecutionMode.THREADS)) as orchestrator:
        orchestrator.run()
    run = find_run(plate).run.folder
    random = np.random.default_rng(0)
    wells = np.array([f"{chr(65 + number // 24)}{number % 24 + 1:02}" for number in range(384)])
    data: dict[str, object] = {"plate": np.full(rows, "plate"), "well": np.sort(random.choice(wells, rows))}
    data |= {key: np.ones(rows, dtype=np.int64) for key in ("site", "z", "t")}
    data["label"] = np.arange(1, rows + 1)
    names = [f"measure{number:02}" for number in range(columns - len(OBJECT_KEYS))]
    data |= {name: random.lognormal(5, 0.5, rows) for name in names}
    measures = {name: Measure(measure=name) for name in names}
    schema = TableSchema(table="nuclei", kind=TableKind.OBJECTS, keys=OBJECT_KEYS, measures=measures)
    path = run / "tables" / "nuclei.parquet"
    write_table(path, schema, pyarrow.table({name: pyarrow.array(data[name]) for name in schema.columns}))
    document = msgspec.json.decode((run / PROVENANCE_NAME).read_bytes())
    for table in document["tables"]:
        if table["name"] == "tables/nuclei.parquet":
            table["size"] = path.stat().st_size
    (run / PROVENANCE_NAME).write_bytes(msgspec.json.encode(document))
    return run


def measure(report: Report, run: Path, folder: Path, rows: int) -> None:
    """Show the run in the pane and measure what a person does with it."""
    import qasync  # type: ignore[import-untyped]  # noqa: PLC0415  after the platform is chosen
    from PyQt6.QtWidgets import QApplication  # noqa: PLC0415

    app = QApplication([])
    loop = qasync.QEventLoop(app)
    loop.set_default_executor(ThreadPoolExecutor(4))
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_scene(report, run, folder, rows, app.processEvents))
    finally:
        loop.close()


async def _scene(report: Report, run: Path, folder: Path, rows: int, draw: Callable[[], None]) -> None:
    from openhcs_gui_services.services.numbers.gates import GateStore, RectangleGate  # noqa: PLC0415
    from openhcs_gui_services.widgets.numbers.pane import NumbersPane  # noqa: PLC0415

    def tell(what: str, value: float, unit: str, bar: float | None = None, note: str = "") -> None:
        report.tell(Figure(f"numbers pane, {rows:,} objects: {what}", value, unit, bar=bar, note=note))

    pane = NumbersPane(GateStore(folder / "gates"))
    pane.resize(900, 800)
    pane.show()
    begin = time.perf_counter()
    pane.show_run(run, "plate")
    await pane.settle()
    tell("words and the first measurement", time.perf_counter() - begin, "s")
    tab = pane.table_tab
    begin = time.perf_counter()
    tab.chosen.setCurrentText("nuclei")
    await pane.settle()
    tell("first rows of the table", time.perf_counter() - begin, "s")
    frames = _scroll(tab.view, draw)
    tell("frame while scrolling, p99", *frames)
    for column in ("measure07", "well"):
        begin = time.perf_counter()
        tab._on_header(tab.model.columns.index(column))
        await pane.settle()
        tell(f"sort by {column}", time.perf_counter() - begin, "s", _BAR_SORT_SECONDS)
    frames = _scroll(tab.view, draw)
    tell("frame while scrolling sorted rows, p99", *frames)
    begin = time.perf_counter()
    tab.where.setText("measure03 > 200 and measure04 < 100")
    tab.read()
    await pane.settle()
    tell("filter by two measurements", time.perf_counter() - begin, "s", note=f"{tab.model.rowCount():,} rows")
    pane.tabs.setCurrentWidget(pane.plot_tab)
    begin = time.perf_counter()
    pane.plot_tab.kind.setCurrentText("Scatter plot")
    await pane.settle()
    tell("scatter plot", time.perf_counter() - begin, "s")
    gate = RectangleGate(
        name="g", table="nuclei", x="measure00", y="measure01", x_low=100.0, x_high=200.0, y_low=100.0, y_high=200.0
    )
    begin = time.perf_counter()
    pane.plot_tab.add_gate(gate)
    while pane.plot_tab.counted is None:
        await asyncio.sleep(0)
    tell("exact count of a gate", time.perf_counter() - begin, "s", note=pane.plot_tab.counted.sentence("nuclei"))
    await pane.settle()
    pane.hide()
    await pane.close_work()


def _scroll(view: object, draw: Callable[[], None]) -> tuple[float, str, float, str]:
    """Scroll through a table, mostly by pages, and return the p99 of the frames with its unit, limit and note."""
    from PyQt6.QtWidgets import QTableView  # noqa: PLC0415

    assert isinstance(view, QTableView)
    bar = view.verticalScrollBar()
    assert bar is not None
    frames: list[float] = []
    works: list[float] = []
    random = np.random.default_rng(1)
    for number in range(_FRAMES):
        begin, begin_work = time.perf_counter(), time.thread_time()
        jump = number % 10 == 0
        bar.setValue(int(random.integers(bar.maximum() or 1)) if jump else bar.value() + bar.pageStep())
        draw()
        frames.append(time.perf_counter() - begin)
        works.append(time.thread_time() - begin_work)
    note = f"longest {max(frames) * 1000:.1f} ms, processor time p99 {_p99(works):.1f} ms"
    return _p99(frames), "ms", _BAR_FRAME_MS, note


def _p99(seconds: list[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return float(np.percentile(seconds, 99) * 1000)


if __name__ == "__main__":
    main()

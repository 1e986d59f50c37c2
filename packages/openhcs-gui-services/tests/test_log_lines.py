"""The ring of log lines: bounds, filters, numbers; and the lines of a real execution."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from openhcs_gui_services.services.log import LogFilter, LogLines, entry_text, follow_log
from openhcs_runtime.config import PipelineConfig
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.messages import LogLevel, LogLine

PORT = 7904
PIPELINE = """
import logging
from openhcs_runtime import FunctionStep

def speak(stack):
    logging.getLogger("mine").warning("well is dark")
    return stack

pipeline_steps = [FunctionStep(speak)]
"""


def line(number: int, text: str = "", execution: str = "a" * 32, level: LogLevel = LogLevel.INFO) -> LogLine:
    return LogLine(
        execution_id=execution,
        sequence=number + 1,
        timestamp=1_700_000_000.0 + number,
        level=level,
        logger="log",
        text=text or f"line {number}",
    )


def found(lines: LogLines) -> list[str]:
    while not lines.scan(10):
        pass
    return [lines.entry(lines.found_number(index)).text for index in range(lines.found)]


def test_the_oldest_lines_go_past_the_number() -> None:
    lines = LogLines(max_lines=3)
    lines.add(line(number) for number in range(5))
    assert found(lines) == ["line 2", "line 3", "line 4"]
    assert (len(lines), lines.first_number, lines.next_number) == (3, 2, 5)
    with pytest.raises(KeyError):
        lines.entry(1)


def test_the_oldest_lines_go_past_the_memory_and_the_newest_stays() -> None:
    lines = LogLines(max_bytes=10_000)
    lines.add(line(number, "x" * 1000) for number in range(50))
    assert 5 <= len(lines) <= 9
    assert lines.text_bytes <= 10_000
    lines.add([line(50, "y" * 20_000)])
    assert [text[0] for text in found(lines)] == ["y"]


def test_filters_by_execution_level_and_text() -> None:
    lines = LogLines()
    lines.add([line(0, "Well B06 done"), line(1, "well b06 odd", level=LogLevel.WARNING), line(2, "other", "b" * 32)])
    for wanted, texts in (
        (LogFilter(text="WELL B06"), ["Well B06 done", "well b06 odd"]),
        (LogFilter(level=LogLevel.WARNING), ["well b06 odd"]),
        (LogFilter(execution_id="b" * 32), ["other"]),
        (LogFilter(execution_id="b" * 32, text="well"), []),
        (LogFilter(), ["Well B06 done", "well b06 odd", "other"]),
    ):
        lines.set_filter(wanted)
        assert lines.found == 0
        assert found(lines) == texts


def test_a_scan_looks_at_some_lines_only_and_new_ones_are_looked_at_too() -> None:
    lines = LogLines()
    lines.add(line(number) for number in range(25))
    assert not lines.scan(10)
    assert lines.found == 10
    assert not lines.scan(10)
    assert lines.scan(10)
    assert lines.is_scanned
    lines.add([line(25)])
    assert not lines.is_scanned
    assert len(found(lines)) == 26


def test_what_was_found_goes_with_its_lines() -> None:
    lines = LogLines(max_lines=10)
    lines.add(line(number) for number in range(10))
    lines.set_filter(LogFilter(text="line 3"))
    assert found(lines) == ["line 3"]
    assert (lines.index_of(3), lines.index_of(4)) == (0, None)
    lines.add(line(number) for number in range(10, 14))
    assert lines.found_dropped == 1
    assert found(lines) == []


def test_executions_are_known_as_long_as_they_have_lines() -> None:
    lines = LogLines(max_lines=4)
    lines.add(line(number, execution=name * 32) for number, name in enumerate("aabb"))
    assert lines.executions == ("a" * 32, "b" * 32)
    lines.add([line(4, execution="c" * 32), line(5, execution="c" * 32)])
    assert lines.executions == ("b" * 32, "c" * 32)
    lines.clear()
    assert (len(lines.executions), len(lines), lines.text_bytes) == (0, 0, 0)
    lines.add([line(6)])
    assert found(lines) == ["line 6"]


def test_a_ring_that_was_filled_often_keeps_its_order() -> None:
    lines = LogLines(max_lines=7)
    for number in range(200_000):
        lines.add([line(number)])
        if number % 5 == 0:
            lines.scan(10)
    assert found(lines) == [f"line {number}" for number in range(199_993, 200_000)]


def test_a_ring_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LogLines(max_lines=0)


def test_the_text_of_a_line_says_level_and_logger() -> None:
    lines = LogLines()
    lines.add([line(0, "hello", level=LogLevel.ERROR)])
    assert entry_text(lines.entry(0)).endswith(" ERROR    log: hello")
    lines.add([msgspec.structs.replace(line(1, "dark"), axis_id="B06")])
    assert entry_text(lines.entry(1)).endswith(" INFO     B06 log: dark")


@pytest.mark.usefixtures("isolated_home", "no_leaks")
def test_lines_of_an_execution_of_a_server(small_plate: Path, tmp_path: Path) -> None:
    async def work(execution_id: str) -> LogLines:
        lines = LogLines()
        async with AsyncExecutionClient(PORT, config=OPENHCS_CONFIG) as client, asyncio.timeout(60):
            await follow_log(client, execution_id, lambda event: lines.add([event]))
        return lines

    pipeline = tmp_path / "speak.py"
    pipeline.write_text(PIPELINE)
    config = PipelineConfig(output_dir=str(tmp_path / "out"))
    with ZMQExecutionClient(PORT, persistent=False) as client:
        accepted = client.submit_pipeline(small_plate, pipeline, pipeline_config=config)
        lines = asyncio.run(work(accepted.execution_id))
    lines.set_filter(LogFilter(text="dark", level=LogLevel.WARNING))
    assert found(lines) == ["well is dark"] * 3

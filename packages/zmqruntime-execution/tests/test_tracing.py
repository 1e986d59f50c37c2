"""Spans over the client, the queue and the workers, in a real server; and none where nobody wants them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from zmqruntime import ExecutionStatus
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.tracing import TRACING_VARIABLE, current_trace

HERE = Path(__file__).parent
SERVER = f"{HERE / 'tracing_server.py'}:TracingServer"


@pytest.fixture(scope="module")
def exported() -> Iterator[InMemorySpanExporter]:
    """The spans of this process; a provider is set once in a process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.setenv(TRACING_VARIABLE, "tracing_setup:configure")
    monkeypatch.setenv("SPANS_FILE", str(tmp_path / "spans"))
    return tmp_path / "spans"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_trace_goes_through_client_queue_and_workers(exported: InMemorySpanExporter, spans_file: Path) -> None:
    with ExecutionClient(7777, server=SERVER, persistent=False) as client:
        with trace.get_tracer("test").start_as_current_span("program") as program:
            good = client.submit("span", name="train")
            bad = client.submit("raise", max_retries=1, retry_delay=0.01)
            dead = client.submit("exit")
            requests = [client.request_for("span") for _ in range(2)]
            client.submit_batch(requests)
        ends = {each: client.wait(each, 60).status for each in (good, bad, dead, requests[-1].submission_id)}
        client.shutdown_server()
    assert list(ends.values()) == [
        ExecutionStatus.COMPLETE, ExecutionStatus.FAILED, ExecutionStatus.FAILED, ExecutionStatus.COMPLETE,
    ]  # fmt: skip
    mine = {span.name: span for span in exported.get_finished_spans()}
    submitted = mine["submit train"]
    assert submitted.parent is not None
    assert submitted.parent.span_id == program.get_span_context().span_id
    spans = read(spans_file)
    assert {span["context"]["trace_id"] for span in spans} == {f"0x{program.get_span_context().trace_id:032x}"}

    def of(execution_id: str, what: str) -> list[dict[str, Any]]:
        return [
            span
            for span in spans
            if span["attributes"].get("messaging.message.id") == execution_id and span["name"].startswith(what)
        ]

    (queued,), (run,) = of(good, "queue"), of(good, "run")
    assert (queued["name"], run["name"], run["kind"]) == ("queue train", "run train", "SpanKind.CONSUMER")
    assert submitted.context is not None
    assert {queued["parent_id"], run["parent_id"]} == {f"0x{submitted.context.span_id:016x}"}
    assert queued["end_time"] <= run["end_time"]
    (inside,) = [span for span in spans if span["name"] == "inside" and span["parent_id"] == run["context"]["span_id"]]
    assert inside["context"]["trace_id"] == run["context"]["trace_id"]
    assert [span["attributes"]["zmqruntime.attempt"] for span in of(bad, "run")] == [1, 2]
    assert [span["attributes"]["zmqruntime.attempt"] for span in of(bad, "queue")] == [1, 2]
    failed = of(bad, "run")[0]
    assert failed["status"] == {"status_code": "ERROR", "description": "ValueError: no luck"}
    assert failed["events"][0]["attributes"]["exception.type"] == "ValueError"
    (lost,) = of(dead, "run")
    assert lost["status"]["status_code"] == "ERROR"
    assert "the worker process" in lost["status"]["description"]
    assert len([span for span in spans if span["name"] == "run default"]) >= 5


def test_a_submission_says_the_same_with_another_trace(exported: InMemorySpanExporter, spans_file: Path) -> None:
    with ExecutionClient(7777, server=SERVER, persistent=False) as client:
        request = client.request_for("span")
        for _ in range(2):
            with trace.get_tracer("test").start_as_current_span("program"):
                assert current_trace()
                assert client.submit_batch([request]) == [request.submission_id]
        assert client.wait(request.submission_id, 60).status is ExecutionStatus.COMPLETE


def test_without_opentelemetry_nothing_is_loaded() -> None:
    code = f"""
import sys
from zmqruntime.execution import ExecutionClient
with ExecutionClient(7777, server={SERVER!r}, persistent=False) as client:
    print(client.wait(client.submit("plain"), 60).result, "opentelemetry" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("False False\n", "")

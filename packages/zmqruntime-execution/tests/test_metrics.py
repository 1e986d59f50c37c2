"""Figures for Prometheus, of real servers and over real HTTP."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from zmqruntime.execution import ExecutionClient, metrics
from zmqruntime.execution.metrics import MetricsExporter, ServerCollector
from zmqruntime.messages import QueueState

Command = Callable[..., "subprocess.CompletedProcess[str]"]
StartCommand = Callable[..., "subprocess.Popen[str]"]


def fetch(url: str) -> dict[str, float]:
    """The figures by name and label."""
    with urllib.request.urlopen(url, timeout=30) as reply:
        text = reply.read().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {",".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def test_the_figures_follow_the_server(client: ExecutionClient) -> None:
    with MetricsExporter(ServerCollector(7777), port=0) as exporter:
        before = fetch(exporter.url)
        assert before["zmqruntime_up"] == 1
        assert before["zmqruntime_executions_ended_total,complete"] == 0
        assert before["zmqruntime_memory_bytes,server"] > 1e6
        for task in ({"do": "nothing"}, {"do": "nothing"}, {"do": "raise", "text": "no"}):
            client.wait(client.submit(task), 30)
        waiting = client.submit({"do": "wait"})
        client.submit({"do": "nothing"}, queue="images")
        next(client.events(waiting, after=1))
        after = fetch(exporter.url)
        assert after["zmqruntime_executions_ended_total,complete"] == 2
        assert after["zmqruntime_executions_ended_total,failed"] == 1
        assert (after["zmqruntime_executions_running"], after["zmqruntime_executions_queued"]) == (1, 1)
        assert after["zmqruntime_named_queue_queued,images"] == 1
        assert after["zmqruntime_named_queue_running,default"] == 1
        assert after["zmqruntime_named_queue_paused,images"] == 0
        assert after["zmqruntime_workers"] == 1
        assert after["zmqruntime_memory_bytes,workers"] > 1e6
        assert after["zmqruntime_cpu_seconds_total"] >= before["zmqruntime_cpu_seconds_total"]
        client.shutdown_server()
        client.disconnect()
        assert fetch(exporter.url) == {"zmqruntime_up": 0}


def test_many_queues_have_few_labels() -> None:
    queues = [QueueState(name=f"{number:03}", queued=1, running=2) for number in range(150)]
    queued, running, paused = metrics._queues(queues)
    assert len(queued.samples) == len(running.samples) == 101
    assert (queued.samples[-1].labels, queued.samples[-1].value) == ({"queue": "(others)"}, 50)
    assert (running.samples[-1].value, len(paused.samples)) == (100, 100)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_the_command_serves_until_ctrl_c(start_command: StartCommand, command: Command) -> None:
    exporter = start_command("metrics", "--port", "0", "--server-port", "7800")
    assert exporter.stdout is not None
    line = exporter.stdout.readline()
    url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
    assert fetch(url) == {"zmqruntime_up": 0}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = command("metrics", "--json", "--port", str(taken.getsockname()[1]))
    assert (refused.returncode, json.loads(refused.stdout)["error"]["kind"]) == (2, "port_in_use")
    exporter.send_signal(signal.SIGINT)
    assert exporter.communicate(timeout=60) == ("Stopped.\n", "")
    assert exporter.returncode == 0


def test_without_the_extra_its_name_is_said() -> None:
    code = """
import sys
sys.modules["prometheus_client"] = None
sys.argv = ["zmqruntime", "metrics"]
from zmqruntime.execution.cli import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "pip install 'zmqruntime-execution[metrics]'" in done.stderr

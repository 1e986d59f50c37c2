"""Executions in words and tables."""

import pytest
from msgspec.structs import replace

from openhcs_runtime.cli.endpoint import PlateEndpoint
from openhcs_runtime.cli.executions_view import print_history, print_overview
from openhcs_runtime.terminal.rows import middle_elided
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.cli.sources import Source
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, PongResponse, StatusResponse

SERVER = PongResponse(instance_id="i", pid=1, process_start=0.0, server="S", version="0", app_name="openhcs", port=7777)


def execution(name: str, status: ExecutionStatus, *, resumable: bool = True) -> ExecutionSnapshot:
    return ExecutionSnapshot(execution_id=name, plate_id="p", status=status, submitted_at=0.0, resumable=resumable)


def test_of_a_long_queue_the_first_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    executions = [execution(f"number-{number}", ExecutionStatus.QUEUED) for number in range(30)]
    report = StatusResponse(executions=executions, queued=1030, running=0, workers=1)
    endpoint = PlateEndpoint(7777)
    print_overview(Source(endpoint, ExecutionClient(config=endpoint.config), SERVER), report)
    shown = capsys.readouterr().out
    assert "number-19" in shown
    assert "number-20" not in shown
    assert "1,010 more are queued" in shown


def test_what_can_be_resumed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (execution(name, ExecutionStatus.INTERRUPTED) for name in ("one", "two"))
    for executions, hint in (
        ([first, execution("done", ExecutionStatus.COMPLETE)], "'openhcs-runtime resume' goes on"),
        ([first, second], "'openhcs-runtime resume ID' goes on"),
        ([execution("lost", ExecutionStatus.INTERRUPTED, resumable=False)], ""),
    ):
        print_history(executions)
        printed = capsys.readouterr().out
        assert hint in printed
        assert ("resume" in printed) is bool(hint)


def test_a_long_path_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = "/data/" + "/".join(["Screen_2026-11-29_Wirkstoffbibliothek"] * 3) + "/plate_03"
    print_history([replace(execution("4" * 32, ExecutionStatus.COMPLETE), plate_id=path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Execution", "Status", "Submitted", "Took"]
    assert lines[1].startswith("4" * 32)
    assert lines[2:] == [f"  {path}"]
    print_history([execution("4" * 32, ExecutionStatus.COMPLETE)])
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == "p"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 10, "short"),
        ("/data/screen/plate_03", 12, "/dat…late_03"),
        ("/wells/井井井井", 10, "/we…井井井"),
    ],
)
def test_paths_are_shortened_in_the_middle(text: str, width: int, expected: str) -> None:
    assert middle_elided(text, width) == expected

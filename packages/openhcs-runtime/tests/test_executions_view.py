"""The table of executions."""

import pytest

from openhcs_runtime.cli.executions_view import print_executions
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus, PongResponse, StatusResponse


def test_of_a_long_queue_the_first_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    server = PongResponse(
        instance_id="i", pid=1, process_start=0.0, server="S", version="0", app_name="openhcs", port=7777
    )
    executions = [
        ExecutionSnapshot(
            execution_id=f"number-{number}", plate_id="p", status=ExecutionStatus.QUEUED, submitted_at=0.0
        )
        for number in range(30)
    ]
    report = StatusResponse(
        executions=executions, queued=1030, running=0, workers=1, paused=False, draining=False, ended={}
    )
    print_executions(server, report)
    shown = capsys.readouterr().out
    assert "number-19" in shown
    assert "number-20" not in shown
    assert "1,010 more are queued" in shown

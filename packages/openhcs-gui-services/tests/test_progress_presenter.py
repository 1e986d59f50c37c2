"""Status bar lines."""

from typing import Any

import msgspec
import pytest

from openhcs_gui_services.services import progress_text
from zmqruntime.messages import ProgressPhase, ProgressStatus, ProgressUpdate

UPDATE = ProgressUpdate(
    execution_id="e1",
    plate_id="p1",
    axis_id="B06",
    step_name="SegmentNuclei",
    step_index=2,
    total_steps=7,
    phase=ProgressPhase.PATTERN_GROUP,
    status=ProgressStatus.RUNNING,
    completed=14,
    total=50,
    percent=28.0,
    timestamp=1_700_000_000.0,
    sequence=1,
)
FAILED = {"status": ProgressStatus.ERROR}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "B06: SegmentNuclei (step 3 of 7), 28 %"),
        ({"percent": 99.9}, "B06: SegmentNuclei (step 3 of 7), 99 %"),
        ({"phase": ProgressPhase.STEP_COMPLETED, "percent": 100.0}, "B06: SegmentNuclei (step 3 of 7), 100 %"),
        ({"phase": ProgressPhase.AXIS_STARTED}, "B06 started"),
        ({"phase": ProgressPhase.AXIS_COMPLETED}, "B06 complete"),
        ({"phase": ProgressPhase.COMPILE, "axis_id": "", "step_name": ""}, "Compile, 28 %"),
        ({"phase": ProgressPhase.INIT, "axis_id": "", "step_name": ""}, "Init, 28 %"),
        ({**FAILED}, "B06: SegmentNuclei (step 3 of 7) failed"),
        ({**FAILED, "error": "\n  no such file\nmore"}, "B06: SegmentNuclei (step 3 of 7) failed: no such file"),
        ({**FAILED, "phase": ProgressPhase.AXIS_COMPLETED, "error": "no memory"}, "B06 failed: no memory"),
        ({"status": ProgressStatus.CANCELLED, "phase": ProgressPhase.AXIS_COMPLETED}, "B06 cancelled"),
    ],
)
def test_the_line(changes: dict[str, Any], expected: str) -> None:
    assert progress_text(msgspec.structs.replace(UPDATE, **changes)) == expected

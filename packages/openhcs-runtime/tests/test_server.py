"""What a worker does with a plate task, without a server around it."""

from pathlib import Path

import msgspec
import pytest

from openhcs_runtime.results import PlateResult, ResultStatus, WellResult
from openhcs_runtime.service.worker import failure_text, run_plate_task
from openhcs_runtime.tasks import PlateTask, Refusal, RefusalKind, read_result
from zmqruntime.execution import TaskFailed, local_task
from zmqruntime.messages import LogLine, ProgressPhase, ProgressUpdate

STEPS = "from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig\n"
COUNT = STEPS + (
    "from openhcs_runtime.functions import measure_objects, segment_nuclei\n"
    "pipeline_steps = [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {'name': 'nuclei'}))]\n"
)


def _payload(plate: Path, source: str, **options: object) -> object:
    return msgspec.to_builtins(PlateTask(plate_path=str(plate), source=source, **options))  # type: ignore[arg-type]


def _refusal(payload: object) -> Refusal:
    with pytest.raises(TaskFailed) as failed:
        run_plate_task(payload)
    refusal = read_result(failed.value.result)
    assert isinstance(refusal, Refusal)
    assert str(failed.value) == "; ".join(refusal.problems)
    return refusal


def test_wells_are_announced_before_they_start(plate: Path, tmp_path: Path) -> None:
    events: list[ProgressUpdate | LogLine] = []
    payload = _payload(plate, COUNT, num_workers=1, output_dir="out", base_dir=str(tmp_path))
    with local_task(events.append):
        result = read_result(run_plate_task(payload))
    assert isinstance(result, PlateResult)
    assert result.status is ResultStatus.COMPLETE
    assert result.output_dir == str(tmp_path / "out")
    updates = [event for event in events if isinstance(event, ProgressUpdate)]
    announced = [event.axis_id for event in updates if event.phase is ProgressPhase.COMPILE and event.axis_id]
    assert announced == ["A01", "A02", "A03"]
    phases = [event.phase for event in updates]
    last_announced = max(n for n, update in enumerate(updates) if update.phase is ProgressPhase.COMPILE)
    assert last_announced < phases.index(ProgressPhase.AXIS_STARTED)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("pipeline_steps = (", RefusalKind.PIPELINE),
        ("pipeline_steps = 3", RefusalKind.PIPELINE),
        (COUNT.replace("'name'", "'sise'"), RefusalKind.COMPILE),
        (STEPS + "pipeline_steps = []\nglobal_config = GlobalConfig(num_workers=0)", RefusalKind.PIPELINE),
    ],
)
def test_refusals_say_what_kind_of_input_is_wrong(plate: Path, tmp_path: Path, source: str, kind: RefusalKind) -> None:
    assert _refusal(_payload(plate, source, output_dir=str(tmp_path / "out"))).refused is kind


def test_other_payloads_are_refused(plate: Path, tmp_path: Path) -> None:
    assert _refusal({"plate": "x"}).refused is RefusalKind.TASK
    assert _refusal(None).refused is RefusalKind.TASK
    assert _refusal(_payload(tmp_path / "nowhere", COUNT)).refused is RefusalKind.PLATE


def test_overrides_leave_the_other_settings_of_the_pipeline(plate: Path, tmp_path: Path) -> None:
    source = COUNT + "pipeline_config = PipelineConfig(output_dir='not here', wells=('A02',))\n"
    source += "global_config = GlobalConfig(mode='threads')\n"
    with local_task():
        result = read_result(
            run_plate_task(_payload(plate, source, num_workers=1, output_dir="there", base_dir=str(tmp_path)))
        )
    assert isinstance(result, PlateResult)
    assert [well.well for well in result.wells] == ["A02"]
    assert result.output_dir == str(tmp_path / "there")


def test_failures_stay_short() -> None:
    wells = [WellResult(f"A{n:02d}", ResultStatus.FAILED, error="blurred", step="Segment") for n in range(1, 6)]
    result = PlateResult(ResultStatus.FAILED, "plate", "out", "s", tuple(wells), error="no space left")
    assert failure_text(result) == (
        "5 of 5 wells failed: A01 (Segment): blurred; A02 (Segment): blurred; A03 (Segment): blurred; and 2 more; "
        "no space left"
    )

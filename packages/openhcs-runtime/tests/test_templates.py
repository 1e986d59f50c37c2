"""The built-in pipelines other than the nuclei count: each runs on a plate with the channels that it is for."""

from pathlib import Path

import numpy as np
import pytest

from openhcs_runtime import GlobalConfig, PipelineOrchestrator, builtin_pipeline, make_plate, open_results
from openhcs_runtime.builtin import BuiltinPipeline, builtin_source
from openhcs_runtime.cli.commands.make_plate import make_plate as make_plate_command
from openhcs_runtime.cli.endpoint import PlateEndpoint
from openhcs_runtime.cli.plate_tasks import RunOptions, plate_task
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.functions import segment_cytoplasm


@pytest.mark.parametrize(
    ("name", "channels", "tables"),
    [
        (BuiltinPipeline.NUCLEI_CELLS_CYTOPLASM, 2, {"cells", "cytoplasm", "nuclei"}),
        (BuiltinPipeline.SPOTS_IN_CELLS, 3, {"cells", "nuclei", "spots"}),
        (BuiltinPipeline.CELL_PAINTING, 5, {"cells", "cytoplasm", "nuclei"}),
    ],
)
def test_a_template_makes_a_table_of_each_kind_of_object(
    tmp_path: Path, name: BuiltinPipeline, channels: int, tables: set[str]
) -> None:
    plate = make_plate(tmp_path / "plate", wells=2, sites=1, channels=channels, size=128)
    config = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, builtin_pipeline(name), config) as orchestrator:
        orchestrator.initialize()
        orchestrator.compile()
        result = orchestrator.execute()
    assert not result.error
    assert {*result.tables} == {*tables, "images", "wells"}
    found = open_results(plate)
    cells = found.arrow("cells").to_pydict()
    assert len(cells["label"]) == sum(well.counts["nuclei_count"] for well in result.wells) > 0
    if "cytoplasm" in tables:
        area = next(column for column in cells if column.startswith("area"))
        outer = dict(zip(zip(cells["well"], cells["label"], strict=True), cells[area], strict=True))
        inner = found.arrow("cytoplasm").to_pydict()
        keys = zip(inner["well"], inner["label"], strict=True)
        assert all(size < outer[key] for key, size in zip(keys, inner[area], strict=True))
    else:
        assert sum(cells["spots_count"]) <= sum(well.counts["spots_count"] for well in result.wells)


def test_the_cytoplasm_is_the_cell_without_any_nucleus() -> None:
    cells = np.array([[[7, 7, 7, 0, 9]]], np.int32)
    nuclei = np.array([[[0, 7, 3, 3, 9]]], np.int32)
    stack = np.zeros((1, 1, 5))
    passed, found = segment_cytoplasm(stack, object_sets={"cells": cells, "nuclei": nuclei})
    assert passed is stack
    assert found.tolist() == [[[7, 0, 0, 0, 0]]]
    assert found.dtype == np.int32
    with pytest.raises(ValueError, match=r"no objects 'nuclei' were found before this step: choose cells"):
        segment_cytoplasm(stack, object_sets={"cells": cells})
    with pytest.raises(ValueError, match="both 'cells'"):
        segment_cytoplasm(stack, object_sets={"cells": cells}, nuclei="cells")


def test_a_template_is_run_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate = make_plate(tmp_path / "plate", wells=1, sites=1, channels=1, size=64)
    monkeypatch.chdir(tmp_path)

    def options() -> RunOptions:
        return RunOptions(plate=str(plate), endpoint=PlateEndpoint(7777), pipeline=Path("cell_painting"))

    task = plate_task(options())
    assert (task.source, task.source_name) == (builtin_source("cell_painting"), "cell_painting.py")
    (tmp_path / "cell_painting").write_text("pipeline_steps = []  # mine\n")
    assert plate_task(options()).source == "pipeline_steps = []  # mine\n"


def test_a_suggested_command_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_plate_command(tmp_path / "Screen 2026", wells=1, sites=1, channels=1, size=32)
    assert f"Next: openhcs-runtime run '{tmp_path / 'Screen 2026'}'" in capsys.readouterr().out

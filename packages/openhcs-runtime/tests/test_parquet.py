"""Tables as Parquet: the same as the CSV ones, with types that do not depend on what is in them."""

from pathlib import Path

import numpy as np
import pytest

from openhcs_runtime.components import ImageKey
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.functions import label_objects, measure_objects, threshold
from openhcs_runtime.outputs import parquet as writing
from openhcs_runtime.outputs.parquet import write_parquet
from openhcs_runtime.outputs.tables import write_objects
from openhcs_runtime.pipeline.cells import as_table
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.results import PlateResult

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
STEPS = [FunctionStep([threshold, label_objects, (measure_objects, {"name": "spots"})])]


def run(plate: Path, output: Path, *, as_parquet: bool, events: list[str] | None = None) -> PlateResult:
    config = PipelineConfig(output_dir=str(output), wells=("A01", "A02"), parquet=as_parquet)
    with PipelineOrchestrator(plate, STEPS, GlobalConfig(1, ExecutionMode.THREADS), config) as orchestrator:
        return orchestrator.run(RunChoice(replace=True))


def test_a_run_writes_both_and_takes_old_ones_away(small_plate: Path, tmp_path: Path) -> None:
    tmp_path /= "out"
    result = run(small_plate, tmp_path, as_parquet=True)
    for name in ("measurements", "objects"):
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        lines = (tmp_path / f"{name}.csv").read_text().splitlines()
        assert ",".join(table.column_names) == lines[0]
        assert table.num_rows == len(lines) - 1 > 0
        assert table.schema.field("well").type == pyarrow.string()
        assert table.schema.field("site").type == pyarrow.int64()
    counts = parquet.read_table(tmp_path / "measurements.parquet")["spots_count"].to_pylist()
    assert sum(counts) == result.counts["spots_count"]
    assert run(small_plate, tmp_path, as_parquet=False).measurements
    assert list(tmp_path.glob("*.parquet")) == []


def test_without_pyarrow_the_csv_tables_are_there_and_the_log_says_so(
    small_plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writing, "can_write", lambda: False)
    result = run(small_plate, tmp_path, as_parquet=True)
    assert (result.status.value, result.error) == ("complete", "")
    assert (tmp_path / "measurements.csv").exists()
    assert not list(tmp_path.glob("*.parquet"))
    assert "pip install 'openhcs-runtime[parquet]'" in caplog.text


def test_types_come_from_names_and_empty_cells_are_null(tmp_path: Path) -> None:
    first = {"label": np.array([1, 2]), "area_px2": np.array([3, 4]), "extra": np.array([np.nan, 0.5])}
    tables = [(ImageKey("A01"), "nuclei", as_table(first)), (ImageKey("A02"), "nuclei", as_table({"label": [7]}))]
    kinds = write_objects(tmp_path / "o.csv", tables)
    write_parquet(tmp_path / "o.csv", tmp_path / "o.parquet", kinds)
    table = parquet.read_table(tmp_path / "o.parquet")
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert types == {
        "well": "string",
        "site": "int64",
        "channel": "int64",
        "z_index": "int64",
        "timepoint": "int64",
        "objects": "string",
        "label": "int64",
        "area_px2": "double",
        "extra": "double",
    }
    assert table["area_px2"].to_pylist() == [3.0, 4.0, None]
    assert table["extra"].to_pylist() == [None, 0.5, None]


def test_every_kind_of_value_is_the_same_in_parquet(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        "phase": ["G1", 'a, "b"\nc', ""],
        "ok": [True, False, None],
        "far": [float("inf"), -float("inf"), 1e300],
        "big": [2**53 + 1, 1, 2**63 - 1],
        "number_text": ["007", "true", "nan"],
    }
    table = as_table({"label": [1, 2, 3], **columns})
    kinds = write_objects(tmp_path / "o.csv", [(ImageKey("A01"), "nuclei", table)])
    write_parquet(tmp_path / "o.csv", tmp_path / "o.parquet", kinds)
    found = parquet.read_table(tmp_path / "o.parquet")
    assert {name: found[name].to_pylist() for name in columns} == columns
    assert found.schema.field("ok").type == pyarrow.bool_()


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("well,site,spots_count\n")
    write_parquet(tmp_path / "o.csv", tmp_path / "o.parquet", {})
    assert parquet.read_table(tmp_path / "o.parquet").column_names == ["well", "site", "spots_count"]

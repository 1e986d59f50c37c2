"""The tables of a run: one for each set of objects, one of images, one of wells, joined with the plate map."""

import csv
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from pyarrow import parquet

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import CompileError, DamagedResultError, OutputError
from openhcs_runtime.functions import (
    expand_objects,
    label_objects,
    measure_intensity,
    measure_objects,
    measure_texture,
    relate_objects,
    segment_cells,
    segment_nuclei,
    threshold,
)
from openhcs_runtime.outputs.runs import check_target
from openhcs_runtime.outputs.wells import WellRecord, describe_files
from openhcs_runtime.pipeline.calls import ObjectSet
from openhcs_runtime.pipeline.cells import as_table
from openhcs_runtime.pipeline.decorators import Measurements, OutputKind, Stack, special_outputs
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.service.client import rerun_task
from openhcs_runtime.tables.arrow import arrow_column
from openhcs_runtime.tables.columns import channel_tokens, column_of, measure_of
from openhcs_runtime.tables.image_objects import ImageObjects
from openhcs_runtime.tables.join import object_tables, write_object_table
from openhcs_runtime.tables.map_columns import PlateFacts
from openhcs_runtime.tables.places import plate_map_copy, table_path
from openhcs_runtime.tables.read import open_results
from openhcs_runtime.tables.schema import Measure
from openhcs_runtime.tables.well_tables import set_tables, write_well_table

CHANNEL = Component.CHANNEL
CELLS = [
    FunctionStep({1: segment_nuclei}, group_by=CHANNEL),
    FunctionStep({1: measure_objects, 2: measure_intensity}, group_by=CHANNEL),
    FunctionStep({2: [segment_cells, measure_objects]}, group_by=CHANNEL),
    FunctionStep({1: (relate_objects, {"children": "nuclei", "parents": "cells"})}, group_by=CHANNEL),
]
MAP = "well,compound,dose,Plate,label,µg\nA01,DMSO,0,x,a,\nA02,tricyclic,1.5,x,b,3\n"


def run(plate: Path, steps: list[FunctionStep], output: Path, *, resume: bool = False, **config: Any) -> PlateResult:
    settings = PipelineConfig(output_dir=str(output), **{"wells": ("A01", "A02", "A03"), **config})
    with PipelineOrchestrator(plate, steps, GlobalConfig(1, ExecutionMode.THREADS), settings) as orchestrator:
        return orchestrator.run(RunChoice(resume=resume))


@pytest.fixture(scope="module")
def done(small_plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with nuclei in cells, two channels, and a plate map that does not describe A03."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "map.csv").write_text(MAP)
    result = run(small_plate, CELLS, folder / "out", plate_map=str(folder / "map.csv"), csv=True)
    assert result.status is ResultStatus.COMPLETE, result.wells
    assert result.tables == ("cells", "nuclei", "images", "wells")
    return folder / "out"


def test_a_row_is_an_object_with_all_its_channels_and_its_parent(done: Path) -> None:
    results = open_results(done)
    assert results.schema("nuclei").columns == (
        *("plate", "well", "site", "z", "t", "label", "compound", "dose", "map_Plate", "map_label", "µg"),
        *("centroid_y_px", "centroid_x_px", "area_px2", "intensity_mean_DAPI", "intensity_sum_DAPI", "area_um2"),
        *("parent_cells", "intensity_mean_FITC", "intensity_sum_FITC", "intensity_std_FITC", "intensity_min_FITC"),
        *("intensity_median_FITC", "intensity_max_FITC"),
    )
    assert results.schema("nuclei").measures["area_um2"] == Measure(measure="area", unit="um2")
    assert results.schema("nuclei").measures["intensity_sum_FITC"] == Measure(measure="intensity_sum", channel="FITC")
    nuclei = results.arrow("nuclei").to_pylist()
    keys = [(row["well"], row["site"], row["z"], row["t"], row["label"]) for row in nuclei]
    assert keys == sorted(set(keys))
    for row in nuclei:
        assert row["area_um2"] == pytest.approx(row["area_px2"] * 0.65**2)
        assert row["parent_cells"] == row["label"], "a cell has the number of its nucleus"
    assert {row["compound"] for row in nuclei if row["well"] == "A03"} == {None}
    assert {row["dose"] for row in nuclei if row["well"] == "A02"} == {1.5}
    cells = results.arrow("cells").to_pylist()
    assert [row["nuclei_count"] for row in cells] == [1] * len(nuclei)


def test_images_and_wells_have_a_row_each(done: Path) -> None:
    results = open_results(done)
    nuclei, images, wells = (results.table(name, library="pandas") for name in ("nuclei", "images", "wells"))
    assert list(zip(images["well"], images["site"], strict=True)) == [
        (well, site) for well in ("A01", "A02", "A03") for site in (1, 2)
    ]
    counts = nuclei.groupby(["well", "site"]).size()
    assert images["nuclei_count"].tolist() == counts.tolist() == images["cells_count"].tolist()
    assert wells["nuclei_count"].tolist() == nuclei.groupby("well").size().tolist()
    assert wells["status"].tolist() == ["complete"] * 3
    means = nuclei.groupby("well")["intensity_mean_FITC"].mean()
    assert wells["nuclei_intensity_mean_FITC"].tolist() == pytest.approx(means.tolist())


def test_other_programs_read_the_same(done: Path) -> None:
    path = table_path(done, "nuclei")
    arrow = open_results(done).arrow("nuclei")
    assert pandas.read_parquet(path)["label"].tolist() == arrow["label"].to_pylist()
    assert polars.read_parquet(path)["intensity_sum_FITC"].to_list() == arrow["intensity_sum_FITC"].to_pylist()
    assert polars.scan_parquet(path).filter(polars.col("well") == "A02").collect().height
    with path.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["centroid_x_px"]) for row in rows] == arrow["centroid_x_px"].to_pylist()
    assert [row["compound"] or None for row in rows] == arrow["compound"].to_pylist()


@pytest.mark.parametrize(
    ("where", "wells"),
    [
        ("compound == 'DMSO'", ["A01"]),
        ("compound != 'DMSO'", ["A02", "A03"]),
        ("not compound == 'DMSO'", ["A02", "A03"]),
        ("compound == None", ["A03"]),
        ("dose > 0", ["A02"]),
        ("not dose > 0", ["A01", "A03"]),
        ("dose in (0, None)", ["A01", "A03"]),
        ("well in ('A02', 'A03') and nuclei_count > 0", ["A02", "A03"]),
        ("0 < dose <= 1.5 or well == 'A03'", ["A02", "A03"]),
        ("well in ('a1', 'A3')", ["A01", "A03"]),
        ("nuclei_count < 99999999999999999999", ["A01", "A02", "A03"]),
        ("nuclei_count > 0.5 and nuclei_count != 2.5", ["A01", "A02", "A03"]),
        ("µg == 3", ["A02"]),
    ],
)
def test_rows_are_chosen_as_wells_are_by_the_plate_map(done: Path, where: str, wells: list[str]) -> None:
    assert open_results(done).arrow("wells", ["well"], where)["well"].to_pylist() == wells
    batches = list(open_results(done).batches("wells", ["well"], where))
    assert [well for batch in batches for well in batch["well"].to_pylist()] == wells


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cell",), "has no table 'cell': choose cells, nuclei, images, wells"),
        (("nuclei", ["area"]), "has no column 'area': did you mean 'area_"),
        (("nuclei", None, "area > 3"), "has no column 'area'"),
        (("nuclei", None, "area_um2 > 'big'"), "has numbers, which can't be compared with text"),
        (("nuclei", None, "area_um2 ="), "is not valid"),
    ],
)
def test_what_a_table_lacks_is_said(done: Path, arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(OutputError, match=words.replace("(", r"\(")):
        open_results(done).arrow(*arguments)


def test_columns_of_the_plate_map_have_one_name_in_all_tables(done: Path) -> None:
    results = open_results(done)
    for name in results.tables:
        assert results.schema(name).plate_map == ("compound", "dose", "map_Plate", "map_label", "µg")


def test_a_damaged_table_is_not_read(done: Path, tmp_path: Path) -> None:
    source, copy = table_path(done, "nuclei"), tmp_path / "out"
    shutil.copytree(done, copy)
    data = bytearray(source.read_bytes())
    chunk = parquet.read_metadata(source).row_group(0).column(12)
    data[chunk.data_page_offset + chunk.total_compressed_size - 9] ^= 1
    table_path(copy, "nuclei").write_bytes(data)
    with pytest.raises(DamagedResultError, match=r"nuclei\.parquet can't be read .*: resume the run"):
        open_results(copy).arrow("nuclei")
    table_path(copy, "nuclei").write_bytes(data[:-9])
    with pytest.raises(DamagedResultError, match=r"is not the table that the run wrote, it has .* resume the run"):
        open_results(copy).arrow("nuclei")
    table_path(copy, "images").unlink()
    with pytest.raises(DamagedResultError, match=r"images\.parquet can't be read \(No such file"):
        open_results(copy).arrow("images")


def test_resuming_a_complete_run_writes_a_damaged_table_again(small_plate: Path, tmp_path: Path) -> None:
    for damage in (False, True):
        if damage:
            table_path(tmp_path / "out", "nuclei").write_bytes(b"PAR1")
            table_path(tmp_path / "out", "images").unlink()
        result = run(small_plate, CELLS, tmp_path / "out", resume=damage, wells=("A01",))
        assert result.status is ResultStatus.COMPLETE
        assert [well.reused for well in result.wells] == [damage]
        results = open_results(tmp_path / "out")
        assert results.arrow("nuclei").num_rows == sum(results.arrow("images")["nuclei_count"].to_pylist())


@pytest.mark.parametrize("target", ["out/tables/nuclei.parquet", "out/provenance.json", "out/new/x.csv"])
def test_no_file_of_a_run_is_overwritten(done: Path, target: str) -> None:
    with pytest.raises(OutputError, match="is in the folder of a run"):
        check_target(done.parent / target, open_results(done).found.run)


def test_no_image_of_a_plate_is_overwritten(done: Path, small_plate: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is in the plate"):
        check_target(small_plate / "TimePoint_1" / "x.tif", open_results(done).found.run)
    check_target(tmp_path / "x.csv", open_results(done).found.run)


def test_another_plate_map_is_joined_without_processing_wells_again(small_plate: Path, tmp_path: Path) -> None:
    steps = [FunctionStep({1: [segment_nuclei, measure_objects]}, group_by=CHANNEL)]
    map_file = tmp_path / "map.csv"
    for text in ("DMSO", "water"):
        map_file.write_text(f"well,compound\nA01,{text}\n")
        again = (tmp_path / "out").exists()
        result = run(small_plate, steps, tmp_path / "out", resume=again, plate_map=str(map_file))
        assert result.status is ResultStatus.COMPLETE
        assert [well.reused for well in result.wells] == [again] * 3
        results = open_results(tmp_path / "out")
        assert results.arrow("wells")["compound"].to_pylist() == [text, None, None]
        assert results.plate_map is not None
        assert results.plate_map.value("A1", "compound") == text


@pytest.mark.parametrize("text", ["well,compound\nH12,x\n", "well,compound\nA01,x\nA01,y\n", "compound\nx\n"])
def test_a_plate_map_that_can_not_be_this_one_is_refused_before_the_run(
    small_plate: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(CompileError, match=r"map\.csv"):
        run(small_plate, CELLS, tmp_path / "out", plate_map=str(tmp_path / "map.csv"))


def test_a_set_that_is_found_in_two_channels_has_two_tables(small_plate: Path, tmp_path: Path) -> None:
    result = run(small_plate, [FunctionStep([threshold, label_objects, measure_objects])], tmp_path, wells=("A01",))
    assert result.tables == ("objects_DAPI", "objects_FITC", "images", "wells")
    results = open_results(tmp_path)
    for channel in ("DAPI", "FITC"):
        columns = results.schema(f"objects_{channel}").measures
        assert f"intensity_mean_{channel}" in columns
        assert "area_px2" in columns
    images = results.arrow("images")
    assert images.num_rows == 2
    for channel in ("DAPI", "FITC"):
        count = results.arrow(f"objects_{channel}").num_rows
        assert sum(images[f"objects_count_{channel}"].to_pylist()) == count


def test_two_sets_with_one_name_are_refused(small_plate: Path, tmp_path: Path) -> None:
    steps = [
        FunctionStep({1: [segment_nuclei, measure_objects]}, group_by=CHANNEL),
        FunctionStep({1: [expand_objects, (measure_texture, {"name": "nuclei"})]}, group_by=CHANNEL),
    ]
    result = run(small_plate, steps, tmp_path)
    assert "two sets of objects, nuclei and expanded, are both named nuclei" in result.wells[0].error


def test_names_that_differ_only_in_case_are_refused(small_plate: Path, tmp_path: Path) -> None:
    chain: list[Any] = [segment_nuclei, measure_objects, expand_objects, (measure_texture, {"name": "Nuclei"})]
    result = run(small_plate, [FunctionStep({1: chain}, group_by=CHANNEL)], tmp_path, wells=("A01",))
    assert "objects are named nuclei and Nuclei: give one of them another name" in result.wells[0].error


def test_a_run_is_repeated_with_its_own_copy_of_the_plate_map(done: Path) -> None:
    assert rerun_task(done).plate_map == str(plate_map_copy(done))


@special_outputs(OutputKind.MEASUREMENTS)
def measure_badly(stack: Stack, *, name: str) -> tuple[Stack, list[Measurements]]:
    return stack, [Measurements({}, {"label": [1]}, name=name) for _ in stack]


def test_a_table_that_can_not_be_written_does_not_prevent_the_others(tmp_path: Path) -> None:
    parts = [part(tmp_path, "A01", {"n": [1, 2, 3]}), part(tmp_path, "A02", {"n": ["x", "y", "z"]})]
    good = part(tmp_path, "A03", {"n": [1, 2, 3]}, name="cells")
    tables, problems = object_tables(tmp_path, [*parts, good])
    assert [table.name for table in tables] == ["cells"]
    assert problems == (
        "table nuclei: column n_GFP has whole numbers in well A01 and text in well A02: return values of one kind",
    )


@pytest.mark.parametrize("name", ["images", "../x", "a b", "", "x" * 100])
def test_a_name_that_no_table_can_have_is_refused(small_plate: Path, tmp_path: Path, name: str) -> None:
    steps = [FunctionStep({1: (measure_badly, {"name": name})}, group_by=CHANNEL)]
    result = run(small_plate, steps, tmp_path, wells=("A01",))
    if name:
        assert "measure_badly measures objects named" in result.wells[0].error
    else:
        assert result.tables == ("measure_badly", "images", "wells")


KEY = ImageKey("B02", 1, 2, 3, 4)


def part(run_folder: Path, well: str, columns: dict[str, Any], name: str = "nuclei") -> WellRecord:
    """A well with one measured image, as the engine leaves it."""
    key = ImageKey(well, KEY.site, KEY.channel, KEY.z_index, KEY.timepoint)
    image = ImageObjects()
    image.add(as_table({"label": [1, 2, 5], **columns}), ObjectSet(name, key, name))
    (table,) = set_tables({key: image}, {(name, "area_um2")}, {2: "GFP"})
    tables = [write_well_table(run_folder, well, table)]
    files = describe_files(run_folder, [table.file for table in tables])
    return WellRecord(well=well, signature="", files=files, measured=[], tables=tables, elapsed_s=0.0)


def joined(run_folder: Path, *parts: WellRecord) -> pyarrow.Table:
    tables, problems = object_tables(run_folder, parts)
    if problems:
        raise OutputError(problems[0])
    (table,) = (replace(table, plate=PlateFacts("p")) for table in tables)
    write_object_table(run_folder, table, lambda *_: None)
    return parquet.read_table(table_path(run_folder, table.name))


def test_every_value_is_stored_as_it_is(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "phase": ["G1", 'a, "b"\nc', ""],
        "ok": [True, False, None],
        "far": [math.inf, -math.inf, 5e-324],
        "big": [2**53 + 1, 1, 2**63 - 1],
        "code": ["007", "true", "nan"],
        "area_um2": [1, 2, 3],
        "nothing": [math.nan] * 3,
    }
    table = joined(tmp_path, part(tmp_path, "B02", columns))
    names = {name: column_of(measure_of(name, "" if name == "area_um2" else "GFP")) for name in columns}
    found = {name: table[names[name]].to_pylist() for name in columns}
    assert found == columns | {"nothing": [None] * 3}
    assert table.schema.field("ok_GFP").type == pyarrow.bool_()
    assert table.schema.field("nothing_GFP").type == pyarrow.float64()
    assert table.select(["site", "z", "t", "label"]).to_pylist()[2] == {"site": 1, "z": 3, "t": 4, "label": 5}


def test_wells_with_different_columns_and_types_go_together(tmp_path: Path) -> None:
    first = part(tmp_path, "A01", {"n": [1, 2, 3], "empty": [None] * 3})
    second = part(tmp_path, "A02", {"n": [0.5, 2, None], "more": ["a", None, "c"]})
    table = joined(tmp_path, first, second)
    assert table["n_GFP"].to_pylist() == [1, 2, 3, 0.5, 2, None]
    assert table["more_GFP"].to_pylist() == [None] * 3 + ["a", None, "c"]
    third = part(tmp_path, "A03", {"n": ["x", "y", "z"]})
    with pytest.raises(OutputError, match="column n_GFP has numbers in well A01 and text in well A03"):
        joined(tmp_path, first, second, third)


@pytest.mark.parametrize("cut", [0, 7, -4])
def test_a_part_that_was_cut_is_not_taken_for_fewer_objects(tmp_path: Path, cut: int) -> None:
    parts = [part(tmp_path, well, {"n": [1, 2, 3]}) for well in ("A01", "A02")]
    path = tmp_path / parts[1].tables[0].file
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(OutputError, match=r"A02\.nuclei\.GFP\.parquet can't be read .* redo well A02"):
        joined(tmp_path, *parts)


def test_values_that_should_not_depend_on_the_channel_must_not() -> None:
    image, other = ImageObjects(), ImageObjects()
    objects = ObjectSet("nuclei", KEY, "nuclei")
    image.add(as_table({"label": [1], "area_um2": [3.0]}), objects)
    other.add(as_table({"label": [1], "area_um2": [4.0]}), objects)
    second = ImageKey(KEY.well, KEY.site, 1, KEY.z_index, KEY.timepoint)
    with pytest.raises(OutputError, match="column area_um2 of nuclei was measured twice with different values"):
        set_tables({KEY: image, second: other}, {("nuclei", "area_um2")}, {1: "DAPI", 2: "GFP"})
    (table,) = set_tables({KEY: image, second: other}, set(), {1: "DAPI", 2: "GFP"})
    assert list(table.arrays()) == ["area_DAPI_um2", "area_GFP_um2"]


def test_channels_have_short_names_that_differ() -> None:
    names = {1: "HOECHST 33342", 2: "Alexa-488 (GFP)", 3: "β-actin", 4: "GFP", 5: "gfp", 6: "__"}
    assert channel_tokens(range(1, 8), names) == {
        0: "projection",
        1: "HOECHST_33342",
        2: "Alexa_488_GFP",
        3: "β_actin",
        4: "GFP_ch4",
        5: "gfp_ch5",
        6: "ch6",
        7: "ch7",
    }


def test_children_belong_to_the_parent_that_covers_most_of_them() -> None:
    parents, children = np.zeros((2, 1, 8, 8), np.int32)
    parents[0, :, :4], parents[0, :, 4:6] = 3, 9
    children[0, 0, 3:6], children[0, 2, 0:2], children[0, 4, 3:5], children[0, 6, 6:8] = 2, 4, 5, 7
    _, [(of_children, of_parents)] = relate_objects(
        np.zeros((1, 8, 8)), object_sets={"spots": children, "cells": parents}, children="spots", parents="cells"
    )
    children_columns = as_table(of_children.objects)
    assert children_columns["label"].cells == (2, 4, 5, 7)
    assert children_columns["parent_cells"].cells == (9, 3, 3, None)
    assert of_parents.objects == {"label": [3, 9], "spots_count": [2, 1]}
    assert of_children.summary == {"spots_without_cells_count": 1}
    with pytest.raises(ValueError, match="no objects 'nuclei' were found before this step: choose spots or cells"):
        relate_objects(
            np.zeros((1, 8, 8)), object_sets={"spots": children, "cells": parents}, children="nuclei", parents="cells"
        )


@pytest.mark.parametrize(
    ("cells", "of_type"),
    [
        ([1, None, -(2**62)], pyarrow.int64()),
        ([1, 2.5, None, math.nan], pyarrow.float64()),
        ([True, None, False] * 5, pyarrow.bool_()),
        (["\u00b5m", "", None], pyarrow.string()),
        (np.array([3, -4]), pyarrow.int64()),
        (np.array([3, -4]), pyarrow.float64()),
        (np.array([0.5, np.nan]), pyarrow.float64()),
        ([], pyarrow.string()),
        ([None, None], pyarrow.int64()),
    ],
)
def test_columns_are_those_that_arrow_makes(cells: "list[object]", of_type: pyarrow.DataType) -> None:
    made = arrow_column(cells, of_type)
    made.validate(full=True)
    assert made.equals(pyarrow.array(cells, of_type, from_pandas=True))


@pytest.mark.parametrize(
    ("cell", "of_type", "error"),
    [
        (1.5, pyarrow.int64(), TypeError),
        (True, pyarrow.int64(), TypeError),
        (2**63, pyarrow.int64(), OverflowError),
        (2**53 + 1, pyarrow.float64(), ValueError),
        ("a", pyarrow.bool_(), TypeError),
        (1, pyarrow.string(), TypeError),
        (1, pyarrow.int32(), TypeError),
    ],
)
def test_a_cell_that_a_column_would_change_is_an_error(
    cell: object, of_type: pyarrow.DataType, error: type[Exception]
) -> None:
    with pytest.raises(error):
        arrow_column([cell], of_type)


def test_writing_tables_does_not_load_pandas(plate: Path, tmp_path: Path) -> None:
    code = f"""if True:
    import sys
    from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator
    from openhcs_runtime.functions import measure_objects, segment_nuclei
    steps = [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {{"name": "nuclei"}}))]
    settings = GlobalConfig(mode="threads"), PipelineConfig(output_dir={str(tmp_path / "out")!r})
    with PipelineOrchestrator({str(plate)!r}, steps, *settings) as orchestrator:
        print(orchestrator.run().tables, "pandas" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
    assert "nuclei" in done.stdout

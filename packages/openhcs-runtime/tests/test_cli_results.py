"""The commands on the results of a run: heatmap and export-roi."""

from pathlib import Path

import pytest

from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.functions import measure_objects, outline_objects, segment_nuclei, subtract_background
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.rois import labels_to_rois, read_imagej
from openhcs_runtime.testing import CommandLine


def run(plate: Path, output: Path, *more: FunctionStep) -> Path:
    steps = [FunctionStep({1: [subtract_background, segment_nuclei, measure_objects]}, group_by="channel"), *more]  # type: ignore[arg-type]
    with PipelineOrchestrator(
        plate, steps, GlobalConfig(1, ExecutionMode.THREADS), PipelineConfig(output_dir=str(output))
    ) as orchestrator:
        orchestrator.run()
    return output


@pytest.fixture(scope="module")
def results(small_plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run has left that makes labels, no regions. Four wells, two sites."""
    return run(small_plate, tmp_path_factory.mktemp("results") / "out")


def test_a_heat_map_is_drawn(shared_command: CommandLine, results: Path, tmp_path: Path) -> None:
    people, document, listed = shared_command.together(
        ("heatmap", results, "nuclei_count", "--stat", "sum"),
        ("heatmap", results, "area_px2", "--stat", "median", "--output", tmp_path / "a.png", "--json"),
        ("heatmap", results),
        cwd=tmp_path,
    )
    assert people.code == document.code == listed.code == 0
    assert "Measurements of images:\n  nuclei_count\n" in listed.stdout
    assert "Measurements of nuclei:\n" in listed.stdout
    assert listed.stdout.endswith(f"'openhcs-runtime heatmap {results} nuclei_count' draws the first one.\n")
    assert "nuclei_count of 4 wells" in people.stdout
    assert (tmp_path / "out_nuclei_count_sum.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.png").exists()
    assert list(document.document["wells"]) == ["A01", "A02", "A03", "A04"]
    assert document.document["table"] == "nuclei"


def test_regions_of_labels(shared_command: CommandLine, results: Path, tmp_path: Path) -> None:
    import tifffile

    folder, one = shared_command.together(
        ("export-roi", results, "--wells", "A01, A03", "--output", tmp_path / "sets", "--json"),
        ("export-roi", results, "--output", tmp_path / "all.zip", "--json"),
    )
    assert folder.code == one.code == 0
    assert folder.document["wells"] == ["A01", "A03"]
    names = sorted(path.name for path in (tmp_path / "sets").iterdir())
    assert names == ["A01_s1_w1.zip", "A01_s2_w1.zip", "A03_s1_w1.zip", "A03_s2_w1.zip"]
    labels = tifffile.imread(results / "labels" / "A01_s1_w1.tif")
    assert read_imagej(tmp_path / "sets" / "A01_s1_w1.zip") == labels_to_rois(labels)
    everything = read_imagej(tmp_path / "all.zip")
    assert len(everything) == one.document["rois"] > folder.document["rois"]
    assert everything[0].name == "A01_s1_w1-0001"


def test_regions_of_the_run_itself_come_first(shared_command: CommandLine, small_plate: Path, tmp_path: Path) -> None:
    filled = FunctionStep({1: (outline_objects, {"keep_holes": False})}, group_by="channel")  # type: ignore[arg-type]
    output = run(small_plate, tmp_path / "out", filled)
    done = shared_command("export-roi", output, "--json", cwd=tmp_path)
    assert done.code == 0
    first = sorted((output / "rois").iterdir())[0]
    assert read_imagej(tmp_path / "out_imagej" / first.name) == read_imagej(first)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("heatmap", "RESULTS", "size"), "no measurement 'size' in"),
        (("heatmap", "RESULTS/none", "size"), "has no results: give a plate"),
        (("export-roi", "RESULTS", "--wells", "A01,H12"), "no results of well(s) H12"),
        (("export-roi", "RESULTS/wells"), "has no results: give a plate"),
        (("heatmap", "RESULTS", "nuclei_count", "--channel", "9"), "no measurement 'nuclei_count' of channel 9 in"),
    ],
)
def test_what_can_not_be_done_is_said(
    shared_command: CommandLine, results: Path, arguments: tuple[str, ...], words: str
) -> None:
    ended, as_json = shared_command.both(*(part.replace("RESULTS", str(results)) for part in arguments))
    assert (ended.code, ended.stdout) == (2, "")
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert as_json.document["error"]["kind"] == "not_found"


def test_a_place_that_takes_no_file_is_wrong_use(shared_command: CommandLine, results: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    picture, sets = shared_command.together(
        ("heatmap", results, "nuclei_count", "--output", tmp_path / "file" / "a.png"),
        ("export-roi", results, "--output", tmp_path / "file" / "all.zip"),
    )
    for ended in (picture, sets):
        assert (ended.code, ended.stdout) == (2, "")
        assert "choose another output folder" in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_tables_are_listed_shown_and_written(shared_command: CommandLine, results: Path, tmp_path: Path) -> None:
    listed, shown, written, columns, plain = shared_command.together(
        ("table", results),
        ("table", results, "nuclei", "--where", "well == 'A02' and area_px2 > 0", "--rows", "2"),
        ("table", results, "nuclei", "--columns", "label,area*", "--output", tmp_path / "n.csv", "--json"),
        ("table", results, "nuclei", "--describe", "--json"),
        ("table", results, "wells", "--columns", "well,nuclei_count", "--output", "-"),
    )
    assert [ended.code for ended in (listed, shown, written, columns, plain)] == [0] * 5
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:4]] == ["nuclei", "images", "wells"]
    assert "in all rows shown: plate small, well A02" in shown.stdout.replace("\n", " ")
    assert (tmp_path / "n.csv").read_text().startswith('"label","area_px2","area_um2"\n1,')
    assert written.document["format"] == "csv"
    described = {column["name"]: column for column in columns.document["columns"]}
    assert described["intensity_mean_DAPI"]["channel"] == "DAPI"
    assert described["label"]["role"] == "key"
    assert plain.stdout.splitlines()[:2] == ['"well","nuclei_count"', f'"A01",{plain.stdout.split(",")[2].split()[0]}']


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cell",), "has no table 'cell': choose nuclei, images, wells"),
        (("nuclei", "--columns", "area"), "has no column 'area': did you mean 'area_"),
        (("nuclei", "--where", "size > 3"), "has no column 'size'"),
        (("nuclei", "--output", "n.txt"), "does not say its format"),
        (("--where", "label > 3"), "name a table as well"),
        (("nuclei", "--format", "csv"), "--format is for --output"),
    ],
)
def test_a_table_that_can_not_be_shown_is_said(
    shared_command: CommandLine, results: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (ended,) = shared_command.together(("table", results, *arguments), cwd=tmp_path)
    assert (ended.code, ended.stdout) == (2, "")
    assert words in ended.stderr
    assert not list(tmp_path.iterdir())

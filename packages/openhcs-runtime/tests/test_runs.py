"""Folders of runs: nothing is lost or mixed, what is the same is taken over, and what changed is not."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateResult, load_pipeline
from openhcs_runtime.config import ExecutionMode, ImageFormat
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.functions import denoise, measure_objects, segment_nuclei
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.outputs.roi_export import finished_parts
from openhcs_runtime.outputs.runs import RunStatus, find_run, list_runs, mark_latest, results_root
from openhcs_runtime.pipeline.neighbour_modules import borrowed
from openhcs_runtime.pipeline.source import PipelineFile
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.results import ResultStatus

STEPS = [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {"name": "nuclei"}), materialize=True)]
OTHER = [FunctionStep(denoise), *STEPS]
THREADS = GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS)
NewPlate = Callable[..., Path]

COUNTING = """
import helper
from openhcs_runtime import FunctionStep, Measurements, OutputKind, special_outputs

@special_outputs(OutputKind.MEASUREMENTS)
def measure(stack):
    return stack, [Measurements({"value": helper.value(plane)}) for plane in stack]

pipeline_steps = [FunctionStep(measure)]
"""


@pytest.fixture(autouse=True)
def _nothing_was_read() -> None:
    """What other tests of this process have read is none of this one's."""
    read_recorder().clear()


def run(
    plate: Path, steps: list[FunctionStep] = STEPS, choice: RunChoice | None = None, **config: object
) -> PlateResult:
    settings = PipelineConfig(**config)  # type: ignore[arg-type]
    with PipelineOrchestrator(plate, steps, THREADS, settings) as orchestrator:
        return orchestrator.run(choice)


def run_file(plate: Path, text: str, folder: Path, choice: RunChoice | None = None) -> PlateResult:
    """Run a pipeline file that lies in the folder."""
    with borrowed(str(folder)):
        sys.modules.pop(PipelineFile(text, "count.py", str(folder)).module_name, None)
        pipeline = load_pipeline(text, "count.py", str(folder))
        with PipelineOrchestrator(plate, pipeline, THREADS) as orchestrator:
            return orchestrator.run(choice)


def taken(result: PlateResult) -> list[str]:
    return [well.well for well in result.wells if well.taken_from]


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a run, and what is in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_run_has_a_folder_of_its_own_and_earlier_ones_stay_as_they_are(new_plate: NewPlate) -> None:
    plate = new_plate()
    first = run(plate)
    before = content(Path(first.output_dir))
    second = run(plate, OTHER)
    root = results_root(plate)
    assert Path(first.output_dir).parent == Path(second.output_dir).parent == root
    assert content(Path(first.output_dir)) == before
    assert {"provenance.json", "run.log", "measurements.csv", "tables/nuclei.parquet"} <= before.keys()
    newest, oldest = list_runs(root)
    assert (newest.folder, oldest.folder) == (Path(second.output_dir), Path(first.output_dir))
    assert (newest.status, newest.done, newest.wells_failed) == (RunStatus.COMPLETE, ("A01", "A02", "A03", "A04"), 0)
    assert (root / "latest.txt").read_text().strip() == newest.folder.name
    assert (root / "latest").resolve() == newest.folder


def test_cancelling_a_second_run_leaves_the_first_one_and_the_newest_complete_alone(new_plate: NewPlate) -> None:
    plate = new_plate()
    first = run(plate)
    before = content(Path(first.output_dir))
    with PipelineOrchestrator(plate, OTHER, THREADS) as orchestrator:
        orchestrator.cancel()
        cancelled = orchestrator.run()
    assert cancelled.status is ResultStatus.CANCELLED
    assert content(Path(first.output_dir)) == before
    found = find_run(plate)
    assert found.run.folder == Path(first.output_dir)
    assert [each.folder for each in found.newer] == [Path(cancelled.output_dir)]
    assert cancelled.output_dir.rpartition("/")[2] in found.note()
    assert (results_root(plate) / "latest").resolve() == found.run.folder


def test_a_few_wells_first_and_then_the_plate_works_once_on_each(new_plate: NewPlate) -> None:
    plate = new_plate()
    trial = run(plate, wells=("A01", "A03"))
    whole = run(plate)
    assert taken(trial) == []
    assert taken(whole) == ["A01", "A03"]
    assert {well.taken_from for well in whole.wells if well.taken_from} == {Path(trial.output_dir).name}
    fresh = run(plate, choice=RunChoice(fresh=True))
    assert taken(fresh) == []
    names = [name for name in content(Path(fresh.output_dir)) if not name.endswith((".json", ".log"))]
    assert all(content(Path(fresh.output_dir))[name] == content(Path(whole.output_dir))[name] for name in names)
    shutil.rmtree(trial.output_dir)
    assert all(path.is_file() for path in Path(whole.output_dir).rglob("*.tif"))


def test_wells_of_an_ome_zarr_plate_are_taken_over_whole(new_plate: NewPlate, zarr_ends: None) -> None:
    from openhcs_runtime.plates import open_plate

    plate = new_plate()
    run(plate, wells=("A01",), image_format=ImageFormat.OME_ZARR)
    whole = run(plate, image_format=ImageFormat.OME_ZARR)
    assert taken(whole) == ["A01"]
    made = open_plate(Path(whole.output_dir) / "images" / "images.ome.zarr")
    assert made.wells == ("A01", "A02", "A03", "A04")
    assert made.read(made.images["A01"][0]).shape == (64, 64)


def test_a_changed_image_pipeline_or_setting_is_not_taken_over(new_plate: NewPlate) -> None:
    plate = new_plate()
    run(plate)
    assert len(taken(run(plate))) == 4
    os.utime(next(plate.rglob("*_A04_*.tif")))
    assert taken(run(plate)) == ["A01", "A02", "A03"]
    assert taken(run(plate, OTHER)) == []
    assert taken(run(plate, [FunctionStep((segment_nuclei, {"diameter_px": 31})), *STEPS[1:]])) == []


@pytest.mark.parametrize("change", ["module", "module in a package", "variable", "named file"])
def test_what_the_code_depends_on_is_part_of_what_is_the_same(
    new_plate: NewPlate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    plate, folder = new_plate(wells=2), tmp_path / "code"
    (folder / "parts").mkdir(parents=True)
    factor = folder / "factor.txt"
    factor.write_text("2")
    (folder / "helper.py").write_text(
        "import os\nimport pathlib\nfrom parts import more\n"
        f"def value(plane):\n    named = float(pathlib.Path({str(factor)!r}).read_text())\n"
        "    return more.ONE * named * float(os.environ.get('OPENHCS_TEST_SIGMA', 1))\n"
    )
    (folder / "parts" / "__init__.py").write_text("")
    (folder / "parts" / "more.py").write_text("ONE = 1\n")
    first = run_file(plate, COUNTING, folder)
    assert len(taken(run_file(plate, COUNTING, folder))) == 2
    assert len(taken(run_file(plate, f"# a comment\n{COUNTING}global_config = None\n", folder))) == 2
    match change:
        case "module":
            (folder / "helper.py").write_text("def value(plane):\n    return 7.0\n")
        case "module in a package":
            (folder / "parts" / "more.py").write_text("ONE = 3\n")
        case "variable":
            monkeypatch.setenv("OPENHCS_TEST_SIGMA", "6")
        case "named file":
            factor.write_text("22")
    second = run_file(plate, COUNTING, folder)
    assert taken(second) == []
    tables = [Path(result.measurements).read_bytes() for result in (first, second)]
    assert tables[0] != tables[1]


READING = """
import glob, importlib, os, pathlib, subprocess, sys
import numpy as np
from openhcs_runtime import FunctionStep, Measurements, OutputKind, special_outputs

def number_in(path, otherwise):
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return otherwise

@special_outputs(OutputKind.MEASUREMENTS)
def measure(stack):
    folder = pathlib.Path(FOLDER)
    value = BODY
    return stack, [Measurements({"value": value}) for _ in stack]

pipeline_steps = [FunctionStep(measure)]
"""


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ("importlib.import_module('data_module').VALUE", "module.write_text('VALUE = 22')"),
        ("len(glob.glob(str(folder / 'listed' / '*')))", "(folder / 'listed' / 'new').touch()"),
        ("len((folder / 'link').read_text())", "(folder / 'link').unlink(); (folder / 'link').symlink_to(module)"),
        ("int((folder / 'number').read_text())", "number.write_text('3'); os.utime(number, ns=times)"),
        ("number_in(folder / 'not yet', 1)", "(folder / 'not yet').write_text('8')"),
        ("int(np.load(folder / 'a.npy')[0])", "np.save(folder / 'a.npy', np.array([7]))"),
    ],
)
def test_what_a_function_reads_is_noted_however_it_does(
    new_plate: NewPlate, tmp_path: Path, body: str, change: str
) -> None:
    plate, folder = new_plate(wells=2), tmp_path / "code"
    (folder / "listed").mkdir(parents=True)
    module, number = folder / "data_module.py", folder / "number"
    module.write_text("VALUE = 1\n")
    number.write_text("2")
    (folder / "link").symlink_to(number)
    np.save(folder / "a.npy", np.array([5]))
    times = (number.stat().st_atime_ns, number.stat().st_mtime_ns)
    text = READING.replace("FOLDER", repr(str(folder))).replace("BODY", body)
    first = run_file(plate, text, folder)
    assert len(taken(run_file(plate, text, folder))) == 2
    exec(change, {"folder": folder, "module": module, "number": number, "times": times, "os": os, "np": np})
    second = run_file(plate, text, folder)
    assert taken(second) == []
    assert Path(first.measurements).read_bytes() != Path(second.measurements).read_bytes()


@pytest.mark.parametrize(
    "body",
    [
        "len(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout)",
        "len(pathlib.Path(os.fsdecode(os.fsencode(folder) + bytes([47, 255]))).read_bytes())",
    ],
    ids=["asks another process", "reads a file whose name cannot be kept"],
)
def test_a_well_of_which_not_all_is_known_is_not_taken_over(new_plate: NewPlate, tmp_path: Path, body: str) -> None:
    plate = new_plate(wells=1)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("abc")
    text = READING.replace("FOLDER", repr(str(tmp_path))).replace("BODY", body)
    assert run_file(plate, text, tmp_path).status is ResultStatus.COMPLETE
    assert taken(run_file(plate, text, tmp_path)) == []


def test_a_result_that_was_edited_is_not_taken_over(new_plate: NewPlate) -> None:
    plate = new_plate()
    first = run(plate)
    labels = next(Path(first.output_dir).rglob("labels/**/A02*.tif"))
    data = bytearray(labels.read_bytes())
    data[-1] ^= 1
    labels.write_bytes(data)
    second = run(plate)
    assert taken(second) == ["A01", "A03", "A04"]
    assert second.status is ResultStatus.COMPLETE


def test_a_named_folder_with_results_is_refused_and_replaced_only_by_complete_ones(
    new_plate: NewPlate, tmp_path: Path
) -> None:
    plate, output = new_plate(), tmp_path / "out"
    run(plate, output_dir=str(output))
    (output / "notes.txt").write_text("mine")
    before = content(output)
    with pytest.raises(OutputError, match="already contains the results of a run"):
        run(plate, OTHER, output_dir=str(output))
    image = next(plate.rglob("*_A03_*.tif"))
    whole = image.read_bytes()
    image.write_bytes(whole[:100])
    failed = run(plate, OTHER, RunChoice(replace=True), output_dir=str(output))
    assert failed.status is ResultStatus.FAILED
    assert content(output) == before
    assert Path(failed.output_dir) == tmp_path / "out_replacement"
    image.write_bytes(whole)
    done = run(plate, OTHER, RunChoice(replace=True), output_dir=str(output))
    assert (done.status, Path(done.output_dir)) == (ResultStatus.COMPLETE, output)
    assert read_provenance(output).output_dir == str(output)
    assert Path(done.measurements).parent == output
    assert (output / "notes.txt").read_text() == "mine"
    assert content(output)["measurements.csv"] != before["measurements.csv"]
    assert not list(tmp_path.glob("out_replaced*"))


def test_files_that_no_run_has_written_are_never_replaced(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=1)
    (tmp_path / "mine" / "labels").mkdir(parents=True)
    for choice in (None, RunChoice(replace=True)):
        with pytest.raises(OutputError, match="already contains labels: choose another one"):
            run(plate, choice=choice, output_dir=str(tmp_path / "mine"))
    run(plate)
    with pytest.raises(OutputError, match="already contains the folders of 1 run"):
        run(plate, output_dir=str(results_root(plate)))


def test_resume_goes_on_in_its_folder_and_names_what_it_would_mix(new_plate: NewPlate, tmp_path: Path) -> None:
    plate, folder = new_plate(), tmp_path / "code"
    folder.mkdir()
    helper = folder / "helper.py"
    helper.write_text("def value(plane):\n    return float(plane.mean())\n")
    image = next(plate.rglob("*_A03_*.tif"))
    whole = image.read_bytes()
    image.write_bytes(whole[:100])
    failed = run_file(plate, COUNTING, folder)
    assert [well.well for well in failed.wells_with(ResultStatus.FAILED)] == ["A03"]
    image.write_bytes(whole)
    done = run_file(plate, COUNTING, folder, RunChoice(resume=True))
    assert done.output_dir == failed.output_dir
    assert [well.reused for well in done.wells] == [True, True, False, True]
    before = content(Path(done.output_dir))
    assert run_file(plate, COUNTING, folder, RunChoice(resume=True)).output_dir != done.output_dir
    assert content(Path(done.output_dir)) == before


def test_a_run_of_another_pipeline_is_not_resumed(new_plate: NewPlate, tmp_path: Path) -> None:
    plate, output = new_plate(wells=1), str(tmp_path / "out")
    run(plate, output_dir=output)
    before = content(tmp_path / "out")
    with pytest.raises(OutputError, match=r"cannot be resumed because it was begun with another .*steps"):
        run(plate, OTHER, RunChoice(resume=True), output_dir=output)
    assert content(tmp_path / "out") == before
    again = run(plate, choice=RunChoice(resume=True), output_dir=output)
    assert [well.reused for well in again.wells] == [True]
    assert content(tmp_path / "out") == before


VANISHING = """
import shutil
from openhcs_runtime import FunctionStep, Measurements, OutputKind, special_outputs
from zmqruntime.execution import current_task

@special_outputs(OutputKind.MEASUREMENTS)
def measure(stack):
    return stack, [Measurements({"mean": float(plane.mean())}) for plane in stack]

def vanish(stack, folder):
    import pathlib
    parts = list(pathlib.Path(folder).glob("*/wells/*.json"))
    if len(parts) == 2:
        WHAT
    return stack

pipeline_steps = [FunctionStep(measure), FunctionStep((vanish, {"folder": FOLDER}))]
"""


@pytest.mark.parametrize(
    "what", ["parts[0].unlink()", "shutil.rmtree(parts[0].parents[1])", "parts[0].write_text('{')"]
)
def test_results_that_vanish_during_the_run_fail_their_wells_and_resume_repairs(
    new_plate: NewPlate, tmp_path: Path, what: str
) -> None:
    plate, marker = new_plate(), tmp_path / "gone"
    root = results_root(plate)
    once = f"pathlib.Path({str(marker)!r}).touch(); {what}"
    text = VANISHING.replace("WHAT", once).replace("FOLDER", repr(str(root)))
    text = text.replace("if len(parts) == 2:", f"if len(parts) == 2 and not pathlib.Path({str(marker)!r}).exists():")
    pipeline = load_pipeline(text, "vanish.py", "")
    one = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, pipeline, one) as orchestrator:
        result = orchestrator.run()
        assert result.status is ResultStatus.FAILED
        lost = result.wells_with(ResultStatus.FAILED)
        assert lost
        assert all("json" in well.error for well in lost)
        rows = Path(result.measurements).read_text().splitlines()
        assert len(rows) - 1 == len(result.wells_with(ResultStatus.COMPLETE))
        repaired = orchestrator.execute(resume=True)
    assert (repaired.status, repaired.output_dir) == (ResultStatus.COMPLETE, result.output_dir)
    assert len(Path(repaired.measurements).read_text().splitlines()) == 5


def test_a_part_that_is_damaged_is_never_read_as_absent(new_plate: NewPlate) -> None:
    plate = new_plate()
    result = run(plate)
    part = Path(result.output_dir) / "wells" / "A02.json"
    part.write_bytes(part.read_bytes()[:50])
    with pytest.raises(OutputError, match=r"A02\.json is damaged"):
        finished_parts(Path(result.output_dir))
    assert taken(run(plate)) == ["A01", "A03", "A04"]


def test_only_what_a_run_says_is_its_own_is_read(new_plate: NewPlate) -> None:
    plate = new_plate()
    result = run(plate, wells=("A01",))
    other = run(new_plate("other", seed=3))
    folder = Path(result.output_dir)
    shutil.copy(Path(other.output_dir) / "wells" / "A02.json", folder / "wells")
    assert [part.well for part in finished_parts(folder)] == ["A01"]
    shutil.copy(Path(other.output_dir) / "wells" / "A01.json", folder / "wells")
    with pytest.raises(OutputError, match="does not belong to the run"):
        finished_parts(folder)


def test_two_runs_never_write_to_one_folder(new_plate: NewPlate, tmp_path: Path) -> None:
    plate, output = new_plate(wells=1), str(tmp_path / "out")
    inner: list[str] = []

    def again(stack: object) -> object:
        for choice in (RunChoice(), RunChoice(replace=True), RunChoice(resume=True)):
            with pytest.raises(OutputError, match="another run is writing") as refused:
                run(plate, choice=choice, output_dir=output)
            inner.append(str(refused.value))
        return stack

    result = run(plate, [FunctionStep(again, name="again")], output_dir=output)
    assert result.status is ResultStatus.COMPLETE, result.wells
    assert len(inner) == 3


def test_a_run_under_way_and_one_that_was_killed_are_told_apart(new_plate: NewPlate) -> None:
    plate = new_plate(wells=1)
    seen: list[RunStatus] = []

    def look(stack: object) -> object:
        seen.extend(each.status for each in list_runs(results_root(plate)))
        return stack

    result = run(plate, [FunctionStep(look, name="look")])
    assert seen == [RunStatus.RUNNING]
    path = Path(result.output_dir) / "provenance.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "running", "wells": []}))
    (killed,) = list_runs(results_root(plate))
    assert (killed.status, killed.done) == (RunStatus.INTERRUPTED, ("A01",))


def test_a_damaged_provenance_is_said_and_hides_no_other_run(new_plate: NewPlate) -> None:
    plate = new_plate(wells=1)
    first, second = run(plate), run(plate)
    (Path(second.output_dir) / "provenance.json").write_text("{")
    mark_latest(results_root(plate))
    runs = {each.folder.name: each for each in list_runs(results_root(plate))}
    damaged = runs[Path(second.output_dir).name]
    assert damaged.status is RunStatus.DAMAGED
    assert "cannot be read" in damaged.problem
    assert find_run(plate).run.folder == Path(first.output_dir)
    with pytest.raises(OutputError, match="cannot be read"):
        find_run(Path(second.output_dir))


def test_what_a_path_means(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(wells=1)
    with pytest.raises(OutputError, match="has no results"):
        find_run(plate)
    folder = Path(run(plate).output_dir)
    for path in (plate, results_root(plate), folder, results_root(plate) / "latest"):
        found = find_run(path)
        assert found.run.folder == folder
        assert bool(found.note()) == (path in (plate, results_root(plate)))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        find_run(tmp_path / "file")


def test_the_provenance_keeps_modules_settings_and_variables_that_the_code_reads(
    new_plate: NewPlate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plate, folder = new_plate(wells=1), tmp_path / "code"
    folder.mkdir()
    (folder / "helper.py").write_text(
        "import os\ndef value(plane):\n    return float(os.environ['OPENHCS_TEST_SIGMA'])\n"
    )
    monkeypatch.setenv("OPENHCS_TEST_SIGMA", "6")
    monkeypatch.setenv("OPENHCS_TEST_SECRET", "hidden")
    result = run_file(plate, COUNTING, folder)
    text = (Path(result.output_dir) / "provenance.json").read_text()
    known = read_provenance(Path(result.output_dir))
    assert "hidden" not in text
    assert known.environment["OPENHCS_TEST_SIGMA"] == "6"
    assert [(module.name, module.path) for module in known.modules] == [("helper", str(folder / "helper.py"))]
    assert "OPENHCS_TEST_SIGMA" in known.modules[0].text
    assert known.basis["library numpy"]
    assert known.seed == result.seed

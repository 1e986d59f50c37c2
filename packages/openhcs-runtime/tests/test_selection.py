"""Wells and sites chosen by name, by plate map, or as a sample; what is done for them is taken over by later runs."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator, PlateResult
from openhcs_runtime.cli.choice_options import choice_of, keep_of
from openhcs_runtime.cli.declare import BadParameter
from openhcs_runtime.cli.endpoint import PlateEndpoint
from openhcs_runtime.cli.plate_tasks import RunOptions
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.exceptions import CompileError, PipelineError
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.plates import open_plate
from openhcs_runtime.selection import is_wanted, parse_sites, parse_wells, sample_wells
from openhcs_runtime.service.client import rerun_task
from openhcs_runtime.service.worker import run_plate_task
from openhcs_runtime.tasks import Follow, PlateTask
from openhcs_runtime.testing import CommandLine
from openhcs_runtime.wells import well_position
from zmqruntime.execution import TaskFailed
from zmqruntime.execution.cli.failures import CommandError

NewPlate = Callable[..., Path]
STEPS = [FunctionStep(segment_nuclei), FunctionStep((measure_objects, {"name": "nuclei"}))]
MAP = "well,control,dose\nA01,DMSO,0\nA02,,1\nA03,DMSO,2\nA04,other,\n"
TEXT = """
from openhcs_runtime import FunctionStep, GlobalConfig, PipelineConfig
from openhcs_runtime.functions import segment_nuclei
pipeline_steps = [FunctionStep(segment_nuclei)]
global_config = GlobalConfig(1, "threads")
pipeline_config = PipelineConfig(wells=("A04",))
"""
WELLS_96 = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)]


def _compiled(plate: Path, config: PipelineConfig, seed: int | None = None) -> CompiledPlate:
    settings = GlobalConfig(mode=ExecutionMode.THREADS, seed=seed)
    return compile_plate(open_plate(plate), STEPS, settings, config, plate.parent / "out")


def _wells(plate: Path, config: PipelineConfig) -> list[str]:
    return [plan.well for plan in _compiled(plate, config).wells]


def _run(plate: Path, config: PipelineConfig) -> PlateResult:
    settings = GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, STEPS, settings, config) as orchestrator:
        return orchestrator.run()


@pytest.mark.parametrize(
    ("text", "wells"),
    [
        ("a1", ["A01"]),
        ("A01-B02", ["A01", "A02", "B01", "B02"]),
        ("b2 - a1, C3", ["A01", "A02", "B01", "B02", "C03"]),
        ("B", ["B01", "B02", "B03"]),
        ("3,A1", ["A01", "A03", "B03", "C03"]),
        ("B-C,1-2", ["A01", "A02", "B01", "B02", "B03", "C01", "C02", "C03"]),
    ],
)
def test_forms_of_names(text: str, wells: list[str]) -> None:
    blocks = parse_wells([text])
    plate = [f"{row}{column:02d}" for row in "ABC" for column in (1, 2, 3)]
    assert [well for well in plate if any(block.has(well) for block in blocks)] == wells


@pytest.mark.parametrize("text", ["A01-3", "A-B2", "A01:B02", "AZ1", "A00", "A01-B02-C03", "1A", "Ä1", "A49"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(PipelineError, match=r"does not name wells; expected a form like|outside a 1536-well plate"):
        parse_wells([text])


def test_sites() -> None:
    assert parse_sites("1, 3-5") == (1, 3, 4, 5)
    for text in ("", "a", "3-1", "1.5", "-1"):
        with pytest.raises(PipelineError):
            parse_sites(text)


def test_a_sample_is_spread_and_the_same_for_the_same_seed() -> None:
    eight = sample_wells(WELLS_96, 8, 3)
    rows, columns = (Counter(well_position(well)[axis] for well in eight) for axis in (0, 1))
    assert (len(rows), len(columns)) == (8, 8)
    assert eight == sample_wells(WELLS_96, 8, 3) == sample_wells(tuple(reversed(WELLS_96)), 8, 3)[::-1]
    assert eight != sample_wells(WELLS_96, 8, 4)
    assert sample_wells(WELLS_96, 96) == tuple(WELLS_96)
    assert set(Counter(well_position(well)[0] for well in sample_wells(WELLS_96, 24)).values()) == {3}
    assert sample_wells(["A01", "A02"], 1, 1) in {("A01",), ("A02",)}


def test_wells_are_chosen_by_name_map_and_sample(new_plate: NewPlate) -> None:
    plate = new_plate()
    (plate.parent / "platemap.csv").write_text(MAP)
    assert _wells(plate, PipelineConfig(wells=("a2-A3", "A4"))) == ["A02", "A03", "A04"]
    assert _wells(plate, PipelineConfig(where="control == 'DMSO'")) == ["A01", "A03"]
    assert _wells(plate, PipelineConfig(where="dose > 0", wells=("A03", "A04"))) == ["A03"]
    sampled = _compiled(plate, PipelineConfig(where="control != 'DMSO'", sample=1), 7)
    (well,) = (plan.well for plan in sampled.wells)
    assert sampled.choice == f"1 of 4 wells: {well}; where control != 'DMSO' in platemap.csv, a sample with seed 7"
    other = plate.parent / "other.csv"
    other.write_text(MAP.replace("A04", "B01"))
    by_other = _compiled(plate, PipelineConfig(where="dose >= 0", plate_map=str(other)))
    assert [plan.well for plan in by_other.wells] == ["A01", "A02", "A03"]
    assert by_other.plate_map is not None
    assert by_other.plate_map.path == str(other)
    assert by_other.warnings == (
        f"the plate has no images of B01, which plate map {other} describes",
        f"plate map {other} does not describe A04",
    )


def test_single_wells_of_a_plate_that_is_still_acquired_are_wanted_or_not(tmp_path: Path) -> None:
    plate = tmp_path / "plate"
    (tmp_path / "plate_platemap.csv").write_text(MAP)
    config = PipelineConfig(wells=("A",), where="control == 'DMSO'")
    assert [well for well in ("A01", "A02", "A03", "B01") if is_wanted(well, plate, config)] == ["A01", "A03"]
    assert is_wanted("B01", plate, PipelineConfig())
    task = PlateTask(plate_path=str(plate), source=TEXT, sample=1, follow=Follow())
    with pytest.raises(TaskFailed, match="leave it out to follow a plate"):
        run_plate_task(msgspec.to_builtins(task))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (
            PipelineConfig(wells=("A02-B05",)),
            "no images of A05, B02-B05: choose from its wells",
        ),
        (PipelineConfig(wells=("7",)), "no images of 7: choose from its wells, A01-A04"),
        (PipelineConfig(wells=()), "no well is chosen"),
        (PipelineConfig(sites=(1, 5)), "no site 5: choose from 1-2"),
        (PipelineConfig(sample=5), "a sample of 5 is asked for, and there are 4 wells"),
        (PipelineConfig(where="dose > 1"), "the plate has no plate map: put platemap.csv"),
        (PipelineConfig(where="dose > 1", plate_map="/nowhere.csv"), "no such plate map: /nowhere.csv"),
    ],
)
def test_what_can_not_be_chosen_is_a_problem_of_compiling(
    small_plate: Path, config: PipelineConfig, problem: str
) -> None:
    with pytest.raises(CompileError, match=problem):
        _compiled(small_plate, config)


def test_a_condition_that_no_well_meets_is_named(new_plate: NewPlate) -> None:
    plate = new_plate()
    (plate / "platemap.csv").write_text(MAP)
    (plate.parent / "other.csv").write_text("well,dose\nA01,1\nB01,3\n")
    for config, problem in (
        (PipelineConfig(where="dose > 7"), r"'dose > 7' is true for no well of plate map .*platemap\.csv: change"),
        (
            PipelineConfig(where="dose > 0", wells=("A01", "A04")),
            "'dose > 0' is true for A02-A03, but the wells chosen by name are A01, A04: choose other wells",
        ),
        (
            PipelineConfig(where="dose > 2", plate_map=str(plate.parent / "other.csv")),
            "'dose > 2' is true for B01, of which the plate has no images: choose from its wells, A01-A04",
        ),
    ):
        with pytest.raises(CompileError, match=problem):
            _compiled(plate, config)
    for sites in ("1", (0,), (True,), 1):
        with pytest.raises(PipelineError, match="sites takes a tuple of numbers from 1"):
            PipelineConfig(sites=sites)  # type: ignore[arg-type]  # what someone may write
    with pytest.raises(PipelineError, match="wells takes names such as 'A01'"):
        PipelineConfig(wells=(1,))  # type: ignore[arg-type]  # what someone may write
    with pytest.raises(PipelineError, match="where takes a text"):
        PipelineConfig(where=1)  # type: ignore[arg-type]  # what someone may write
    with pytest.raises(PipelineError, match="sample 0 is not a whole number from 1"):
        PipelineConfig(sample=0)


@pytest.mark.parametrize(
    "empty",
    [{"wells": ("",)}, {"wells": ("A01", " ,")}, {"where": ""}, {"where": " "}, {"plate_map": ""}, {"keep": ("",)}],
)
def test_an_empty_choice_is_not_all_wells(small_plate: Path, empty: dict[str, str | tuple[str, ...]]) -> None:
    (name,) = empty
    with pytest.raises(PipelineError, match=rf"PipelineConfig: {name} .*(is empty|has an empty name): (give|name)"):
        PipelineConfig(**empty)  # type: ignore[arg-type]
    task = PlateTask(plate_path=str(small_plate), source=TEXT, **empty)  # type: ignore[arg-type]
    with pytest.raises(TaskFailed, match=rf"PipelineConfig: {name} "):
        run_plate_task(msgspec.to_builtins(task))


def test_a_signature_depends_on_the_images_of_the_well_only(small_plate: Path) -> None:
    whole = {plan.well: plan.signature for plan in _compiled(small_plate, PipelineConfig()).wells}
    some = _compiled(small_plate, PipelineConfig(wells=("A02", "A03"), sites=(1, 2))).wells
    assert {plan.well: plan.signature for plan in some} == {well: whole[well] for well in ("A02", "A03")}
    (one_site,) = _compiled(small_plate, PipelineConfig(wells=("A02",), sites=(2,))).wells
    assert one_site.signature != whole["A02"]
    assert {image.key.site for image in one_site.images} == {2}


def test_wells_that_were_tried_are_taken_over_by_the_whole_plate_and_equal_to_one_run(
    new_plate: NewPlate, tmp_path: Path
) -> None:
    plate = new_plate(sites=2)
    (plate / "platemap.csv").write_text(MAP)
    tried = _run(plate, PipelineConfig(results_dir=str(tmp_path / "results"), where="dose >= 0"))
    assert [well.well for well in tried.wells] == ["A01", "A02", "A03"]
    known = read_provenance(Path(tried.output_dir))
    assert known.plate_map is not None
    assert (known.plate_map.path, len(known.plate_map.digest)) == (str(plate / "platemap.csv"), 32)
    whole = _run(plate, PipelineConfig(results_dir=str(tmp_path / "results")))
    assert [bool(well.taken_from) for well in whole.wells] == [True, True, True, False]
    once = _run(plate, PipelineConfig(results_dir=str(tmp_path / "other")))
    assert not any(well.reused for well in once.wells)
    assert _bytes_of(Path(whole.output_dir)) == _bytes_of(Path(once.output_dir))


def test_a_repeated_run_has_the_same_wells_when_the_map_has_changed(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate()
    (plate / "platemap.csv").write_text(MAP)
    first = _run(plate, PipelineConfig(results_dir=str(tmp_path / "results"), where="control == 'DMSO'", sample=1))
    (plate / "platemap.csv").write_text("well,control\nA04,DMSO\n")
    task = rerun_task(Path(first.output_dir))
    assert task.pipeline_config is not None
    assert task.pipeline_config.wells == (first.wells[0].well,)
    assert (task.pipeline_config.where, task.pipeline_config.sample) == (None, None)


def test_a_task_overrides_the_choice_of_the_pipeline(new_plate: NewPlate, tmp_path: Path) -> None:
    plate = new_plate(sites=2)
    (tmp_path / "map.csv").write_text(MAP)
    task = PlateTask(plate_path="plate", source=TEXT, base_dir=str(tmp_path), wells=("A01-A03",), sites=(2,))
    result = run_plate_task(_plain(task, where="dose > 0", plate_map="map.csv"))
    assert [well["well"] for well in result["wells"]] == ["A02", "A03"]
    assert sorted(path.name for path in (plate.parent / "plate_results").rglob("labels/*.tif")) == [
        "A02_s2_w1.tif",
        "A03_s2_w1.tif",
    ]


def test_the_command_line_says_which_wells_were_chosen(shared_command: CommandLine, new_plate: NewPlate) -> None:
    plate = new_plate()
    (plate / "platemap.csv").write_text(MAP)
    compiled, ran, unknown = shared_command.together(
        ("compile", plate, "--wells", "1-2", "--sites", "1", "--where", "dose >= 0"),
        ("run", plate, "--wells", "A01-A03", "--sample", "1"),
        ("compile", plate, "--wells", "H12"),
    )
    assert compiled.stdout.startswith("2 of 4 wells: A01, A02, site 1; where dose >= 0 in platemap.csv; 4 steps")
    assert "\n1 of 4 wells: A0" in ran.stdout
    message = "Error: the plate has no images of H12: choose from its wells, A01-A04\n"
    assert (unknown.code, unknown.stderr) == (2, message)


def test_what_was_typed_wrongly_is_refused_before_anything_is_submitted(small_plate: Path) -> None:
    for arguments, problem in (
        (("A01-3", None, None, None, None), "'A01-3' does not name wells"),
        ((None, "x", None, None, None), "'x' is not the number of a site"),
        ((None, None, "dose = 1", None, None), "write == to compare"),
        (("", None, None, None, None), "--wells is empty: give a value, or leave --wells out to use all wells"),
        ((" ,", None, None, None, None), "--wells is empty"),
        ((None, "", None, None, None), "--sites is empty"),
        ((None, None, " ", None, None), "--where is empty"),
        ((None, None, None, Path(""), None), "--platemap is empty"),
    ):
        with pytest.raises(BadParameter, match=problem):
            choice_of(*arguments)
    with pytest.raises(BadParameter, match="--keep is empty"):
        keep_of(["Segment", ""])
    choice = choice_of(None, None, None, None, 2)
    with pytest.raises(CommandError, match="leave it out with --follow"):
        RunOptions(plate=str(small_plate), endpoint=PlateEndpoint(7777, None), choice=choice, follow=Follow())


def _plain(task: PlateTask, **changes: object) -> object:
    return msgspec.to_builtins(msgspec.structs.replace(task, **changes))


def _bytes_of(folder: Path) -> dict[str, bytes]:
    """The content of every result file but those that tell times."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".log")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

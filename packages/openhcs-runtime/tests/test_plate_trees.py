"""Folders of several plates: found, listed, compiled and run, one line each."""

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import find_plates, make_plate
from openhcs_runtime.tasks import USE_SERVER
from openhcs_runtime.testing import CommandLine, Gate

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plates of different formats in folders of days. Read only."""
    folder = tmp_path_factory.mktemp("trees") / "screen"
    make_plate(folder / "day1" / "p1", wells=2, sites=1, channels=1, size=64)
    make_plate(folder / "day2" / "p2", wells=1, sites=1, channels=1, size=64, format="yokogawa_cv")
    return folder


@pytest.fixture
def with_wrong_one(screen: Path, tmp_path: Path) -> Path:
    """The same two plates, and one whose only image is where it does not belong."""
    folder = tmp_path / "screen"
    shutil.copytree(screen, folder)
    (folder / "day2" / "p3" / "TimePoint_1").mkdir(parents=True)
    (folder / "day2" / "p3" / "x_A01_s1_w1.tif").touch()
    return folder


def test_plates_are_found_up_to_two_levels_below(screen: Path, tmp_path: Path) -> None:
    found = find_plates(screen)
    assert [(each.path, each.format) for each in found] == [
        (screen / "day1" / "p1", "imagexpress"),
        (screen / "day2" / "p2", "yokogawa_cv"),
    ]
    assert find_plates(screen / "day1") == found[:1]
    assert find_plates(found[0].path) == found[:1]
    assert find_plates(tmp_path) == ()
    with pytest.raises(PlateError, match="no such plate"):
        find_plates(tmp_path / "gone")


@pytest.mark.usefixtures("zarr_ends")
def test_a_folder_that_looks_like_two_formats_is_found_without_a_format(
    new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    both = new_plate("screen/both", wells=1)
    shutil.copytree(new_plate("other", wells=1, format="ome_zarr"), both, dirs_exist_ok=True)
    new_plate("screen/single", wells=1)
    assert [(each.path.name, each.format) for each in find_plates(tmp_path / "screen")] == [
        ("both", ""),
        ("single", "imagexpress"),
    ]


def test_info_lists_plates_and_says_which_can_not_be_opened(shared_command: CommandLine, with_wrong_one: Path) -> None:
    for_people, as_json = shared_command.both("info", with_wrong_one)
    lines = for_people.stdout.splitlines()
    assert lines[0] == f"3 plates in {with_wrong_one}"
    assert [line.split() for line in lines[2:6]] == [
        ["PLATE", "FORMAT", "WELLS", "SITES", "CHANNELS", "IMAGES", "PROBLEMS"],
        ["day1/p1", "imagexpress", "2", "1", "1", "DAPI", "2", "none"],
        ["day2/p2", "yokogawa_cv", "1", "1", "1", "DAPI", "1", "none"],
        ["day2/p3", "imagexpress", "-", "-", "-", "-", "can't", "be", "opened"],
    ]
    assert for_people.stdout.count("no plate images in") == 1
    assert (for_people.code, for_people.stderr) == (2, "Error: 1 of 3 plates can't be opened\n")
    plates = as_json.document["plates"]
    assert [(each["plate_path"], each.get("images")) for each in plates] == [
        (str(with_wrong_one / "day1" / "p1"), 2),
        (str(with_wrong_one / "day2" / "p2"), 1),
        (str(with_wrong_one / "day2" / "p3"), None),
    ]
    assert [bool(each["error"]) for each in plates] == [False, False, True]


def test_run_and_compile_take_all_plates_and_a_wrong_one_stops_no_other(
    shared_command: CommandLine, with_wrong_one: Path, tmp_path: Path
) -> None:
    compiled = shared_command("compile", with_wrong_one)
    assert (compiled.code, compiled.stderr) == (2, "Error: 1 of 3 plates failed\n")
    assert compiled.stdout.count("openhcs-runtime run --compiled ") == 2
    ran = shared_command("run", with_wrong_one)
    assert (ran.code, ran.stderr) == (2, "Error: 1 of 3 plates failed\n")
    assert f"Plate 2 of 3: {with_wrong_one / 'day2' / 'p2'}, execution " in ran.stdout
    rows = ran.stdout.split("RESULT\n")[1].splitlines()
    for row, plate, words in zip(rows, ("day1/p1", "day2/p2"), ("2 complete", "1 complete"), strict=False):
        path = str(with_wrong_one / plate)
        assert row.split()[:4] == [path, "ok", *words.split()[:1], f"{words.split()[1]};"]
        assert f"{path}_results" in row
    assert "failed  no plate images in" in rows[2]
    results = tmp_path / "results"
    as_json = shared_command("run", with_wrong_one, "--results-dir", results, "--json")
    plates = as_json.document["plates"]
    assert [(each["exit_code"], each["status"]) for each in plates] == [(0, "complete"), (0, "complete"), (2, "failed")]
    assert Path(plates[1]["result"]["output_dir"]).parent == results / "day2" / "p2_results"
    assert as_json.document["exit_code"] == as_json.code == 2


@posix_only
def test_ctrl_c_cancels_all_plates(shared_command: CommandLine, screen: Path, gate: Gate, tmp_path: Path) -> None:
    run = shared_command.start("run", screen, "--pipeline", gate.pipeline, "--results-dir", tmp_path / "results")
    gate.wait_for_well()
    run.send_signal(signal.SIGINT)
    finished = shared_command.finish(run)
    assert (finished.code, finished.stderr) == (130, "Error: cancelled with Ctrl-C, 0 of 2 plates done\n")
    executions = shared_command("status", "--json").document["executions"]
    assert [each["status"] for each in executions[:2]] == ["cancelled"] * 2


def test_plates_are_run_without_a_server(command: CommandLine, with_wrong_one: Path) -> None:
    command.environment[USE_SERVER] = "false"
    ran = command("run", with_wrong_one)
    assert (ran.code, ran.stderr) == (2, "Error: 1 of 3 plates failed\n")
    assert "ok      2 complete; " in ran.stdout
    assert command("status", "--json").document["server"] is None


@posix_only
def test_ctrl_c_leaves_out_plates_that_are_still_to_be_run_here(
    command: CommandLine, screen: Path, gate: Gate, tmp_path: Path
) -> None:
    command.environment[USE_SERVER] = "false"
    run = command.start("run", screen, "--pipeline", gate.pipeline, "--results-dir", tmp_path / "results")
    gate.wait_for_well()
    run.send_signal(signal.SIGINT)
    finished = command.finish(run)
    assert (finished.code, finished.stderr) == (130, "Error: cancelled with Ctrl-C, 0 of 2 plates done\n")
    assert "failed  not run" in finished.stdout


@pytest.mark.parametrize("option", [("--output", "out"), ("--follow",)])
def test_what_is_for_one_plate_is_refused(shared_command: CommandLine, screen: Path, option: tuple[str, ...]) -> None:
    finished = shared_command("run", screen, *option)
    assert (finished.code, finished.stdout, finished.stderr.count("\n")) == (2, "", 1)
    assert f"{option[0]} is for one plate, and {screen} has 2 plates" in finished.stderr

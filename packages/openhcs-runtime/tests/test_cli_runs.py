"""The folders of runs from the command line, and what a run takes from the shell that it was typed in."""

import signal
from collections.abc import Callable
from pathlib import Path

from openhcs_runtime.testing import CommandLine, Finished, Gate

SCALED = """
import os
from openhcs_runtime import FunctionStep, Measurements, OutputKind, special_outputs

@special_outputs(OutputKind.MEASUREMENTS)
def measure(stack):
    sigma = float(os.environ.get("SIGMA", 0))
    here = open("here.txt").read().strip()
    return stack, [Measurements({"sigma": sigma, "here": here}) for _ in stack]

pipeline_steps = [FunctionStep(measure)]
"""


def measured(finished: Finished) -> list[str]:
    """The last two cells of the first row of its measurements."""
    assert finished.code == 0, finished.stderr
    path = Path(finished.document["result"]["measurements"])
    return path.read_text().splitlines()[1].split(",")[-2:]


def test_a_run_computes_with_the_variables_the_folder_and_the_code_of_its_shell(
    command: CommandLine, plate: Path, tmp_path: Path
) -> None:
    pipeline = tmp_path / "scaled.py"
    pipeline.write_text(SCALED)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "here.txt").write_text(name)
    arguments = "run", plate, "--pipeline", pipeline, "--results-dir", tmp_path / "results", "--json"
    command.environment["SIGMA"] = "1"
    assert measured(command(*arguments, cwd=tmp_path / "one")) == ["1.0", "one"]
    server = command("status", "--json").document["server"]["pid"]
    command.environment["SIGMA"] = "6"
    assert measured(command(*arguments, cwd=tmp_path / "one")) == ["6.0", "one"]
    assert measured(command(*arguments, cwd=tmp_path / "two")) == ["6.0", "two"]
    again = command(*arguments, cwd=tmp_path / "two")
    assert measured(again) == ["6.0", "two"]
    assert all(well["taken_from"] for well in again.document["result"]["wells"])
    assert command("status", "--json").document["server"]["pid"] == server


def test_ctrl_c_over_a_finished_plate_leaves_its_results(
    command: CommandLine, plate: Path, gate: Gate, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    first = command("run", plate, "--results-dir", folder, "--json")
    kept = Path(first.document["result"]["output_dir"])
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    second = command.start("run", plate, "--pipeline", gate.pipeline, "--results-dir", folder)
    gate.wait_for_well()
    second.send_signal(signal.SIGINT)
    assert command.finish(second).code == 130
    gate.open()
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before
    listed = command("results", folder, "--json").document["runs"]
    assert [run["status"] for run in listed] == ["cancelled", "complete"]
    assert [run["latest"] for run in listed] == [False, True]
    drawn = command("heatmap", folder, "nuclei_count", cwd=tmp_path)
    assert drawn.code == 0, drawn.stderr
    assert f"Using the newest complete run: {kept}" in drawn.stdout
    assert "cancelled" in drawn.stdout
    assert list(tmp_path.glob("*_nuclei_count_mean.png"))
    assert not list(kept.glob("*.png"))


def test_a_named_folder_is_not_written_over_unless_that_is_asked_for(
    shared_command: CommandLine, plate: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert shared_command("run", plate, "--output", output).code == 0
    refused = shared_command("run", plate, "--output", output)
    assert (refused.code, refused.stderr.count("\n")) == (2, 1)
    assert "already contains the results of a run" in refused.stderr
    assert "--replace" in refused.stderr
    compiled = shared_command("compile", plate, "--output", output)
    assert compiled.code == 2
    replaced = shared_command("run", plate, "--output", output, "--replace", "--fresh", "--json")
    assert replaced.code == 0, replaced.stderr
    assert replaced.document["result"]["output_dir"] == str(output)
    assert not any(well["reused"] for well in replaced.document["result"]["wells"])


def test_options_that_contradict_each_other_are_refused(
    shared_command: CommandLine, plate: Path, new_plate: Callable[..., Path]
) -> None:
    for options in (("--output", "a", "--results-dir", "b"), ("--replace",)):
        refused = shared_command("run", plate, *options)
        assert (refused.code, refused.stderr.count("\n")) == (2, 1)
    nothing = shared_command("results", new_plate(wells=1))
    assert (nothing.code, nothing.stderr.count("\n")) == (2, 1)
    assert "has no results" in nothing.stderr

"""``run --follow`` as a process: a plate that is copied well by well, cancelled, resumed, and with a server killed."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from openhcs_runtime.testing import CommandLine

FOLLOW = ("--follow", "--settle", "1s", "--until-idle", "1h")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")


class Microscope:
    """Writes a plate of three wells, first its description: with all wells, the acquisition has ended."""

    def __init__(self, finished: Path, plate: Path) -> None:
        self._finished, self.plate = finished, plate

    def begin(self) -> None:
        """Make the folder, with the description."""
        (self.plate / "TimePoint_1").mkdir(parents=True)
        (description,) = self._finished.glob("*.HTD")
        shutil.copy(description, self.plate)

    def take(self, well: str, most: int | None = None) -> None:
        """Write the images of a well, or only the first ones."""
        for path in sorted((self._finished / "TimePoint_1").glob(f"*_{well}_*.tif"))[:most]:
            shutil.copyfile(path, self.plate / "TimePoint_1" / path.name)


@pytest.fixture
def microscope(new_plate: Callable[..., Path], tmp_path: Path) -> Microscope:
    return Microscope(new_plate("finished", wells=3, sites=2), tmp_path / "plate")


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """Read what a command prints up to a line with these words."""
    assert process.stdout is not None
    read = ""
    while words not in (line := process.stdout.readline()):
        assert line, read
        read += line
    return read + line


def test_a_plate_is_followed_from_before_its_folder_is_there(
    shared_command: CommandLine, microscope: Microscope
) -> None:
    run = shared_command.start("run", microscope.plate, *FOLLOW)
    assert "while it is acquired, until nothing has changed for 1 h" in read_until(run, "Running")
    read_until(run, "Waiting for images: no plate yet, nothing new for ")
    microscope.begin()
    read = ""
    microscope.take("A01")
    microscope.take("A02", most=1)
    read += read_until(run, "Waiting for images: 1 well done, nothing new for ")
    microscope.take("A02")
    read += read_until(run, "Waiting for images: 2 wells done, nothing new for ")
    microscope.take("A03")
    finished = shared_command.finish(run)
    assert (finished.code, finished.stderr) == (0, "")
    assert "3 complete" in finished.stdout
    assert "Warning" not in read + finished.stdout, "what was missing for a while is not a problem"
    logged = shared_command("logs", shared_command("status", "--json").document["executions"][0]["execution_id"])
    assert "waiting for images: 1 well done, nothing new for " in logged.stdout
    whole = shared_command("run", microscope.plate, "--fresh", "--json").document["result"]
    runs = sorted(microscope.plate.with_name("plate_results").glob("*_*"))
    assert [str(each) for each in runs[1:]] == [whole["output_dir"]], "one folder for all rounds"
    assert (runs[0] / "measurements.csv").read_bytes() == Path(whole["measurements"]).read_bytes()


@posix_only
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on_following(
    shared_command: CommandLine, microscope: Microscope
) -> None:
    microscope.begin()
    run = shared_command.start("run", microscope.plate, *FOLLOW)
    microscope.take("A01")
    microscope.take("A02", most=1)
    read_until(run, "Waiting for images: 1 well done")
    run.send_signal(signal.SIGINT)
    cancelled = shared_command.finish(run)
    assert cancelled.code == 130
    assert "Error: cancelled with Ctrl-C, 1 of 2 wells done and kept in " in cancelled.stderr
    assert cancelled.stdout.endswith("' finishes this run.\n")
    kept = next(Path(cancelled.stderr.split("kept in ")[1].strip()).glob("wells/A01.json"))
    before = kept.stat().st_mtime_ns
    execution_id = shared_command("status", "--json").document["executions"][0]["execution_id"]
    resumed = shared_command.start("resume", execution_id)
    read_until(resumed, "Waiting for images: 1 well done")
    microscope.take("A02")
    microscope.take("A03")
    finished = shared_command.finish(resumed)
    assert (finished.code, finished.stderr) == (0, "")
    assert "3 complete" in finished.stdout
    assert kept.stat().st_mtime_ns == before, "not processed again"


@posix_only
def test_the_server_after_a_killed_one_goes_on_following(command: CommandLine, microscope: Microscope) -> None:
    microscope.begin()
    run = command.start("run", microscope.plate, *FOLLOW)
    microscope.take("A01")
    microscope.take("A02", most=1)
    read_until(run, "Waiting for images: 1 well done")
    psutil.Process(command("status", "--json").document["server"]["pid"]).kill()
    read_until(run, "The server answers again")
    read_until(run, "Waiting for images: 1 well done")
    microscope.take("A02")
    microscope.take("A03")
    finished = command.finish(run)
    assert (finished.code, finished.stderr) == (0, "")
    assert "3 complete" in finished.stdout
    (execution,) = command("status", "--json").document["executions"]
    assert (execution["status"], execution["attempts"]) == ("complete", 2)
    assert len(list(microscope.plate.with_name("plate_results").glob("*/measurements.csv"))) == 2, "one run, and latest"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--until-idle", "10m"), "add --follow"),
        (("--settle", "10s"), "add --follow"),
        (
            ("--follow", "--until-idle", "10"),
            "'10' is not a duration; give a number with its unit, as in 90s, 10m or 2h",
        ),
        (("--follow", "--settle", "0s"), "'0s' is not a duration"),
        (("--follow", "--until-idle", "20s"), "--settle (30 s) has to be shorter than --until-idle (20 s)"),
        (("--follow", "--compiled", "abc"), "--compiled says all there is to run"),
    ],
)
def test_options_that_do_not_go_together(shared_command: CommandLine, options: tuple[str, ...], message: str) -> None:
    plate = () if "--compiled" in options else ("plate",)
    finished = shared_command("run", *plate, *options)
    assert (finished.code, finished.stdout) == (2, "")
    assert message in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_a_wrong_format_is_said_at_once(shared_command: CommandLine, tmp_path: Path) -> None:
    finished = shared_command("run", tmp_path / "plate", *FOLLOW, "--format", "frobnicate")
    assert finished.code == 2
    assert "unknown plate format 'frobnicate'" in finished.stderr

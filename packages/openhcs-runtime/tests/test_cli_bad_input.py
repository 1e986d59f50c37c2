"""Whatever is wrong with what was typed: one clear line, exit code 2, the same as a document with ``--json``."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from openhcs_runtime.tasks import USE_SERVER
from openhcs_runtime.testing import CommandLine

STEPS = "from openhcs_runtime import FunctionStep\nfrom openhcs_runtime.functions import segment_nuclei\n"


BAD_PIPELINES = [
    ("steps = (\n", "bad0.py:1: syntax error: "),
    ("steps = '\0'\n", "bad1.py:1: syntax error: "),
    ("steps = []\n", "bad2.py: does not define pipeline_steps"),
    ("pipeline_steps = []\n", "the pipeline has no enabled steps: add"),
    ("raise ValueError('one\\n  two')\n", "bad4.py:1: ValueError: one two\n"),
    ("import no_such_module\n", "(install it, or put it next to the pipeline file)"),
    ("\npipeline_steps = [no_such_name]\n", "bad6.py:2: NameError: name 'no_such_name'"),
    ("from openhcs_runtime.functions import nothing_like_it\n", "bad7.py:1: ImportError: "),
    (STEPS + "pipeline_steps = [FunctionStep((segment_nuclei, {'sise': 3}))]\n", "'sise'"),
    (STEPS + "pipeline_steps = [FunctionStep(segment_nuclei, sise=3)]\n", "bad9.py:3: TypeError: "),
    (STEPS + "pipeline_steps = [FunctionStep(len)]\n", "step 1 'len': len is a Python built-in"),
]


def test_bad_pipelines(shared_command: CommandLine, plate: Path, tmp_path: Path) -> None:
    for number, (source, _) in enumerate(BAD_PIPELINES):
        (tmp_path / f"bad{number}.py").write_text(source, encoding="utf-8")
    commands = [("run", plate, "--pipeline", f"bad{number}.py") for number in range(len(BAD_PIPELINES))]
    for finished, (source, line) in zip(shared_command.together(*commands, cwd=tmp_path), BAD_PIPELINES, strict=True):
        assert finished.code == 2, source
        assert finished.stderr.startswith("Error: ")
        assert finished.stderr.count("\n") == 1
        assert line in finished.stderr


def test_all_problems_are_listed(shared_command: CommandLine, plate: Path, tmp_path: Path) -> None:
    wrong = "FunctionStep((segment_nuclei, {'sise': 3}))"
    (tmp_path / "bad.py").write_text(STEPS + f"pipeline_steps = [{wrong}, {wrong}]\n", encoding="utf-8")
    finished, as_json = shared_command.both("run", plate, "--pipeline", tmp_path / "bad.py")
    assert (finished.code, as_json.code, as_json.stderr) == (2, 2, "")
    assert as_json.document["error"]["kind"] == "compile"
    assert len(as_json.document["error"]["problems"]) == 2
    first, *others = finished.stderr.splitlines()
    assert first == "Error: 2 problems found before any image was read:"
    assert [other.startswith("  - step ") for other in others] == [True, True]


def test_bad_plates(shared_command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    for name, line in (("nowhere", "no such plate"), ("empty", "no images in"), ("file", "not a plate")):
        finished, as_json = shared_command.both("run", tmp_path / name)
        assert (finished.code, as_json.code, as_json.stderr) == (2, 2, "")
        assert as_json.document["error"]["kind"] == "plate"
        assert finished.stderr.startswith("Error: ")
        assert finished.stderr.count("\n") == 1
        assert line in finished.stderr
        assert str(tmp_path / name) in finished.stderr


def test_a_channel_that_the_plate_does_not_have(command: CommandLine, new_plate: Callable[..., Path]) -> None:
    plate = new_plate(channels=2)
    for name in ("run", "compile"):
        finished, as_json = command.both(name, plate, "--channel", "9")
        assert (finished.code, finished.stdout) == (2, "")
        assert finished.stderr == "Error: --channel 9: the plate has channels 1 DAPI, 2 FITC\n"
        assert as_json.document["error"]["kind"] == "usage"
    assert command.processes() == [], "it is said before anything is submitted"


def test_bad_pipeline_files(shared_command: CommandLine, plate: Path, tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    bad = {"nowhere.py": "no such pipeline file", ".": "can't be read", "binary.py": "UTF-8"}
    all_finished = shared_command.together(*(("run", plate, "--pipeline", tmp_path / name) for name in bad))
    for finished, line in zip(all_finished, bad.values(), strict=True):
        assert finished.code == 2
        assert line in finished.stderr
        assert finished.stderr.count("\n") == 1


def test_output_that_cannot_be_written(shared_command: CommandLine, plate: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    bad = [tmp_path / "file", tmp_path / "file" / "below"]
    if sys.platform == "linux":
        bad.append(Path("/proc/results"))
    if os.name == "posix" and os.getuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        bad.append(tmp_path / "closed" / "results")
    for folder, finished in zip(
        bad, shared_command.together(*(("run", plate, "--output", folder) for folder in bad)), strict=True
    ):
        assert finished.code == 2, folder
        assert finished.stderr.startswith(f"Error: output folder {folder} ")
        assert "choose another output folder" in finished.stderr
        assert finished.stderr.count("\n") == 1


def test_a_full_disk_is_no_wrong_use(shared_command: CommandLine, plate: Path, tiny_disk: Path) -> None:
    with contextlib.suppress(OSError), (tiny_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    finished, as_json = shared_command.both("run", plate, "--output", tiny_disk / "out")
    assert finished.code == as_json.code == 1
    remedy = "free some space or choose another output folder"
    assert finished.stderr == f"Error: no space left in {tiny_disk / 'out'}: {remedy}\n"
    assert as_json.document["error"]["kind"] == "disk_full"


def test_bad_ids_and_folders(shared_command: CommandLine, plate: Path) -> None:
    assert shared_command("run", plate, "--output", shared_command.home / "out").code == 0
    *unknown, taken = shared_command.together(("status", "nosuch"), ("cancel", "nosuch"), ("make-plate", plate))
    for finished in unknown:
        assert finished.code == 2
        assert finished.stderr.startswith("Error: this server has no execution nosuch")
    assert taken.code == 2
    assert "not empty" in taken.stderr


def test_numbers_are_said_with_their_range(shared_command: CommandLine) -> None:
    wrong = {
        ("status", "--port", "abc"): "'--port': 'abc' is not a whole number from 1 to 64535",
        ("status", "--port", "64536"): "'--port': '64536' is not a whole number from 1 to 64535",
        ("make-plate", "new", "--size", "3"): "'--size': '3' is not a whole number from 32",
        ("cancel", "abc", "--force", "--grace", "-1"): "'--grace': '-1' is not a number of seconds from 0",
        ("make-plate", "new", "--format", "foo"): "'--format': 'foo' is not one of 'imagexpress', 'opera_phenix'",
        ("run", ""): "'PLATE': it is empty: name the folder of a plate (see",
        ("info", ""): "'PLATE': it is empty: name the folder of a plate (see",
        ("compile", ""): "'PLATE': it is empty: name the folder of a plate (see",
        ("run", "demo", "--output", ""): "'--output': it is empty: name a folder, or leave the option out",
        ("run", "demo", "--results-dir", ""): "'--results-dir': it is empty: name a folder, or leave the option out",
        ("run", "demo", "--pipeline", ""): "'--pipeline': it is empty: name a pipeline file, or leave",
        ("run", "demo", "--gpus", ""): "'--gpus': it is empty: name GPUs as in 0,1, or give auto or none",
        ("run", "demo", "--dask", ""): "'--dask': '' is neither 'local' nor an address",
        ("run",): "Error: name the folder of a plate, or --compiled ID (see",
        ("cancel", "abc", "--grace", "3"): "Error: --grace says when processes are killed; add --force",
    }
    for finished, message in zip(shared_command.together(*wrong), wrong.values(), strict=True):
        assert finished.code == 2
        assert message in finished.stderr
        assert finished.stderr.count("\n") == 1


def test_what_is_named_but_is_not_there(shared_command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    wrong: dict[tuple[str | Path, ...], tuple[int, str]] = {
        ("rerun", tmp_path / "nowhere"): (2, f"{tmp_path / 'nowhere'} has no results: give a plate"),
        ("rerun", tmp_path): (2, f"{tmp_path} has no results: give a plate"),
        ("rerun", file): (2, f"{file} is a file: give a plate"),
        ("make-plate", file): (2, f"{file} is a file: give a new folder"),
        ("cancel", "abc", "--well", "Q"): (2, "'Q' is not a well name; expected a form like B06"),
        ("cancel", "abc", "--well", "Q99"): (2, "'Q99' is not a well of a 1536-well plate (A01 to AF48)"),
        ("status", "--host", "nobody.invalid"): (1, "cannot resolve the host name nobody.invalid; check it"),
    }
    for finished, (code, message) in zip(shared_command.together(*wrong), wrong.values(), strict=True):
        assert finished.code == code, message
        assert message in finished.stderr
        assert finished.stderr.count("\n") == 1


def test_a_variable_that_says_neither_yes_nor_no(command: CommandLine, plate: Path) -> None:
    command.environment[USE_SERVER] = "flase"
    finished = command("run", plate)
    assert finished.code == 2
    assert (
        finished.stderr
        == f"Error: the environment variable {USE_SERVER} is 'flase': set it to true or false, or unset it\n"
    )

"""Multi-page TIFF files that don't say what their pages are, and ``--pages``."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs_runtime import Component, FunctionStep, GlobalConfig, PipelineConfig, PipelineOrchestrator
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.functions import denoise
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.plates import Plate, ProblemKind, open_plate
from openhcs_runtime.plates.pages import PageOrder
from openhcs_runtime.service.overrides import with_plate_settings
from openhcs_runtime.tasks import PlateTask
from openhcs_runtime.testing import CommandLine

PAGES = np.arange(6, dtype=np.uint16)[:, None, None] + np.zeros((6, 4, 5), np.uint16)


def write(folder: Path, name: str = "p_A01_s1_w1.tif", pages: np.ndarray = PAGES) -> None:
    with tifffile.TiffWriter(folder / name) as file:
        for page in pages:
            file.write(page, metadata=None, contiguous=False)


def shown(plate: Plate) -> dict[tuple[int, int, int], int]:
    """Return the page of each (channel, z, time point)."""
    images = plate.images["A01"]
    return {
        (image.key.channel, image.key.z_index, image.key.timepoint): int(plate.read(image)[0, 0]) for image in images
    }


def test_without_the_option_the_message_names_it(tmp_path: Path) -> None:
    write(tmp_path)
    (problem,) = open_plate(tmp_path).problems
    assert problem.kind is ProblemKind.UNREADABLE
    assert "it has 6 pages but does not say what they are: use --pages, or pages= in PipelineConfig" in problem.message


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ("z", {(1, n + 1, 1): n for n in range(6)}),
        ("channel", {(n + 1, 1, 1): n for n in range(6)}),
        ("Time", {(1, 1, n + 1): n for n in range(6)}),
        ("C2Z", {(c + 1, z + 1, 1): 3 * c + z for c in range(2) for z in range(3)}),
        ("ZC2", {(c + 1, z + 1, 1): 2 * z + c for c in range(2) for z in range(3)}),
        ("t3c2", {(c + 1, 1, t + 1): 2 * t + c for c in range(2) for t in range(3)}),
        ("T1C2Z3", {(c + 1, z + 1, 1): 3 * c + z for c in range(2) for z in range(3)}),
    ],
)
def test_what_pages_are(tmp_path: Path, pages: str, expected: dict[tuple[int, int, int], int]) -> None:
    write(tmp_path)
    plate = open_plate(tmp_path, pages=pages)
    assert (plate.problems, shown(plate)) == ((), expected)


@pytest.mark.parametrize("pages", ["", "x", "CZ", "C2C3", "C0Z", "2C", "z2z", "channels"])
def test_what_is_not_an_order_of_pages(pages: str) -> None:
    with pytest.raises(PlateError, match=f"pages '{pages}'"):
        PageOrder.parse(pages)


def test_a_number_of_pages_that_does_not_fit(tmp_path: Path) -> None:
    write(tmp_path)
    (problem,) = open_plate(tmp_path, pages="C4Z").problems
    assert "it has 6 pages, which does not fit --pages" in problem.message


def test_files_that_describe_their_pages_keep_to_it(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "p_A01_s1_w1.tif", PAGES, imagej=True, metadata={"axes": "TYX"})
    assert open_plate(tmp_path, pages="z").components[Component.TIMEPOINT] == (1, 2, 3, 4, 5, 6)


def test_pages_and_names_that_tell_the_same(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "p_A01_s1_w2.tif")
    (problem,) = open_plate(tmp_path, pages="channel").problems
    assert "the file names of the plate distinguish channels as well" in problem.message
    assert len(shown(open_plate(tmp_path, pages="z"))) == 12


def test_the_command_line_takes_pages_and_a_format(tmp_path: Path, shared_command: CommandLine) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    write(folder, pages=np.random.default_rng(1).integers(90, 110, (3, 64, 64)).astype(np.uint16))
    finished, as_json = shared_command.both("info", folder, "--pages", "z", "--format", "imagexpress")
    assert (finished.code, as_json.code) == (0, 0)
    assert as_json.document["z"] == [1, 2, 3]
    refused = shared_command("info", folder, "--pages", "CZ")
    assert refused.code != 0
    assert "leaves more than one length open" in refused.stdout + refused.stderr


def test_a_run_reads_pages_and_records_the_format(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    write(folder)
    step = FunctionStep(denoise, name="denoise", materialize=True, variable_components=(Component.Z_INDEX,))
    config = PipelineConfig(output_dir=str(tmp_path / "out"), plate_format="imagexpress", pages="z")
    machine = GlobalConfig(num_workers=1, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(folder, [step], machine, config) as orchestrator:
        orchestrator.initialize()
        orchestrator.compile()
        orchestrator.run()
    known = read_provenance(tmp_path / "out")
    assert (known.plate_format, known.pipeline_config.plate_format, known.pipeline_config.pages) == (
        "imagexpress",
        "imagexpress",
        "z",
    )
    assert len(known.inputs) == 6


@pytest.mark.parametrize(
    ("task", "config"),
    [
        ({"plate_format": "squid", "pages": "z"}, PipelineConfig(plate_format="squid", pages="z")),
        ({"pattern": "(?P<well>.*)"}, PipelineConfig(pattern="(?P<well>.*)", pages="t")),
        ({}, PipelineConfig(plate_format="columbus", pages="t")),
    ],
)
def test_what_is_typed_goes_before_what_the_pipeline_says(task: dict[str, str], config: PipelineConfig) -> None:
    typed = PlateTask(plate_path="p", source="", **task)  # type: ignore[arg-type]
    assert with_plate_settings(PipelineConfig(plate_format="columbus", pages="t"), typed) == config


def write_ome(folder: Path, well: str, *names: str, axes: str = "CZYX", channel: str = "") -> None:
    shape = (2, 3, 4, 5) if axes == "CZYX" else (6, 4, 5)
    metadata = {"axes": axes, "Channel": {"Name": list(names) if axes == "CZYX" else names[0]}}
    tifffile.imwrite(
        folder / f"p_{well}_s1{channel}.ome.tif", PAGES.reshape(shape), photometric="minisblack", metadata=metadata
    )


def test_channel_names_in_ome_xml(tmp_path: Path) -> None:
    write_ome(tmp_path, "A01", "DAPI", "GFP")
    assert open_plate(tmp_path).channel_names == {1: "DAPI", 2: "GFP"}
    write_ome(tmp_path, "A02", "DAPI", "Cy5")
    assert open_plate(tmp_path).channel_names == {1: "DAPI"}


def test_the_channel_of_a_stack_is_that_of_its_file_name(tmp_path: Path) -> None:
    write_ome(tmp_path, "A01", "DAPI", axes="ZYX", channel="_w1")
    write_ome(tmp_path, "A01", "GFP", axes="ZYX", channel="_w2")
    assert open_plate(tmp_path).channel_names == {1: "DAPI", 2: "GFP"}

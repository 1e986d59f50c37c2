"""The report of a run: what it says of complete, failed and odd runs, and how a browser shows it."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pyarrow
import pytest
import tifffile
from numpy.typing import NDArray

from openhcs_runtime import (
    Component,
    ExecutionMode,
    FunctionStep,
    GlobalConfig,
    Measure,
    OutputError,
    PipelineConfig,
    PipelineOrchestrator,
    PlateMapError,
    TableKind,
    TableSchema,
    make_plate,
    write_report,
)
from openhcs_runtime.cli.commands import report as command
from openhcs_runtime.components import well_name
from openhcs_runtime.functions import measure_objects, measure_quality, segment_nuclei
from openhcs_runtime.outputs.provenance import WellRecord, read_provenance
from openhcs_runtime.outputs.runs import find_run
from openhcs_runtime.report.write import Report
from openhcs_runtime.tables.schema import IMAGE_KEYS, WELL_KEYS
from openhcs_runtime.tables.write import write_table

BROWSER = Path(__file__).with_name("report_in_browser.py")
ODD = '<script>alert(1)</script> "é" 😀'
DOSES = (0.01, 0.1, 1.0, 10.0)
NUCLEI = FunctionStep(
    {1: [segment_nuclei, (measure_objects, {"name": "nuclei"})]}, name="Nuclei", group_by=Component.CHANNEL
)


class Page(HTMLParser):
    """The texts of a page by section, and what it refers to."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.source = report.path.read_text(encoding="utf-8")
        self.sections: dict[str, str] = {"": ""}
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._section = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.tags.append((tag, known))
        if tag == "section":
            self._section = known["id"]
            self.sections[self._section] = ""

    def handle_data(self, data: str) -> None:
        self.sections[self._section] += data

    def count(self, tag: str, style: str = "") -> int:
        """The number of elements with a name and a CSS class."""
        return sum(name == tag and style in known.get("class", "").split(" ") for name, known in self.tags)


def run(plate: Path, steps: list[FunctionStep], **config: object) -> Path:
    """Run a pipeline; returns the folder of the run."""
    settings = PipelineConfig(**config)  # type: ignore[arg-type]
    with PipelineOrchestrator(plate, steps, GlobalConfig(1, ExecutionMode.THREADS), settings) as orchestrator:
        return Path(orchestrator.run().output_dir)


def fade(plate: Path, well: str, share: float, like: str = "") -> None:
    """Make the nuclei of a well darker, or darker than those of another one."""
    for path in plate.rglob(f"*_{well}_*w1*.tif"):
        with tifffile.TiffFile(path) as file:
            text = file.pages[0].description  # type: ignore[union-attr]
        pixels = tifffile.imread(path.with_name(path.name.replace(well, like or well)))
        dark = float(np.median(pixels))
        faded: NDArray[np.uint16] = (dark + (pixels - dark) * (1 - share)).clip(0).astype(np.uint16)
        tifffile.imwrite(path, faded, description=text)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a plate with controls, four doses of a compound, and a well whose image is damaged. Read only."""
    plate = make_plate(tmp_path_factory.mktemp("report") / "screen", wells=13, sites=1, channels=2, size=96, seed=3)
    quoted = '"' + ODD.replace('"', '""') + '"'
    lines = ["well,compound,dose_uM,control", "A1,DMSO,0,negative", "A2,DMSO,0,negative"]
    lines += [f"A{column},killer,5,positive" for column in (3, 4)]
    for number, dose in enumerate((*DOSES, *DOSES)):
        lines.append(f"A{number + 5},{quoted},{dose},")
        fade(plate, f"A{number + 5:02d}", 0.8 / (1 + 0.5 / dose), like="A12" if number < 7 else "")
    (plate / "platemap.csv").write_text("\n".join([*lines, "B1,inert,1,"]), encoding="utf-8")
    for well in ("A03", "A04"):
        fade(plate, well, 0.85)
    damaged = next(plate.rglob("*_B01_*w1*.tif"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    return run(plate, [FunctionStep(measure_quality), NUCLEI])


@pytest.fixture(scope="module")
def report(screen: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("written")
    said: list[str] = []
    made = write_report(
        screen, folder / "report.html", measures=["nuclei_intensity_mean_DAPI", "nuclei_count"], on_progress=said.append
    )
    assert said[0] == "reading the tables"
    assert said[-1] == "drawing"
    return made


def test_it_says_what_was_run_and_what_came_of_it(report: Report, screen: Path) -> None:
    page = Page(report)
    assert list(page.sections) == [
        *("", "heat-maps", "controls", "doses", "replicates", "quality", "failures", "examples", "made")
    ]
    assert "of 13 wells, 12 are complete and 1 failed" in page.sections[""]
    assert page.count("svg", "plate") >= 2
    assert page.count("rect", "negative") == page.count("rect", "positive") > 4
    assert "control == 'negative', 2 wells" in page.sections["controls"]
    assert "Z'" in page.sections["controls"]
    assert page.count("path", "curve") == 1
    assert ODD in page.sections["doses"]
    assert re.search(r"EC50 0\.\d+ uM \(", page.sections["doses"])
    assert "are replicating" in page.sections["replicates"] or "Nothing is said" in page.sections["replicates"]
    assert "focus score, DAPI" in page.sections["quality"]
    assert "B01" in page.sections["failures"]
    assert "compound inert, dose_uM 1" in page.sections["failures"]
    assert read_provenance(screen).wells[-1].error in page.sections["failures"]
    assert "same contrast in all wells" in page.sections["examples"]
    assert page.count("img", "outlines") == sum("data:image/jpeg" in one.get("src", "") for _, one in page.tags) >= 4
    assert "µm" in page.sections["examples"]
    for text in ("segment_nuclei", "platemap.csv", "numpy", str(screen), "Seed", "Python"):
        assert text in page.sections["made"]
    assert report.measures == ("nuclei_intensity_mean_DAPI", "nuclei_count")
    assert report.size == report.path.stat().st_size < 1_000_000


def test_everything_is_escaped_and_nothing_is_loaded(report: Report) -> None:
    page = Page(report)
    assert "<script>alert" not in page.source
    assert [tag for tag, _ in page.tags].count("script") == 1
    addresses = {known.get(name, "data:")[:5] for _, known in page.tags for name in ("src", "xlink:href")}
    assert addresses == {"data:"}
    assert all(known["href"].startswith("#") for _, known in page.tags if "href" in known)
    assert not [known for _, known in page.tags if "style" in known or any(name.startswith("on") for name in known)]
    policy = next(known["content"] for _, known in page.tags if known.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it(report: Report, tmp_path: Path, scheme: str) -> None:
    command_line = [sys.executable, str(BROWSER), str(report.path), str(tmp_path), scheme]
    done = subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert (seen["requests"], seen["console"]) == ([], [])
    for width in (390, 1280):
        at = seen[str(width)]
        assert at["overflow"] <= 0
        assert min(at["plates"]) > 250
        assert min(at["curves"]) > 100
        assert all(natural > 0 and 80 < shown <= width for natural, shown in at["images"])
        light = sum(map(int, re.findall(r"\d+", at["background"])[:3]))
        assert light == 3 * 255 if scheme == "light" else light < 150
    assert seen["focused"].startswith("A01: ")
    assert seen["focused"].endswith("negative control\ncompound: DMSO\ndose_uM: 0\ncontrol: negative")
    assert seen["right"].startswith("A02: ")
    assert seen["escaped"] == ""
    assert seen["hovered"].startswith("A03: ")
    assert (tmp_path / f"{scheme}.pdf").read_bytes().startswith(b"%PDF")


def no_plate_map(plate: Path) -> Path:
    return run(plate, [NUCLEI])


def moved(plate: Path) -> Path:
    made = run(plate, [NUCLEI])
    plate.rename(plate.with_name("elsewhere"))
    return made


def without_measurements(plate: Path) -> Path:
    return run(plate, [FunctionStep(segment_nuclei)])


def without_objects(plate: Path) -> Path:
    for path in plate.rglob("*.tif"):
        tifffile.imwrite(path, np.zeros((64, 64), np.uint16))
    return run(plate, [NUCLEI])


def interrupted(plate: Path) -> Path:
    """The run of a process that was killed when one of two wells was done, before there were tables."""
    made = run(plate, [NUCLEI])
    known = read_provenance(made)
    msgspec.structs.replace(known, status="running", ended_at="", wells=[], tables=[]).write(made)
    shutil.rmtree(made / "tables")
    (made / "wells" / "A02.json").unlink()
    return made


def cancelled(plate: Path) -> Path:
    made = run(plate, [NUCLEI])
    known = read_provenance(made)
    wells = [known.wells[0], msgspec.structs.replace(known.wells[1], status="cancelled")]
    msgspec.structs.replace(known, status="cancelled", wells=wells).write(made)
    return made


@pytest.mark.parametrize(
    ("options", "make", "said"),
    [
        ({}, no_plate_map, "The plate has no plate map, so the wells show only their names and values."),
        ({"wells": 1}, no_plate_map, "There are no dose responses, as the plate has no plate map."),
        ({"z": 2}, no_plate_map, "Nothing is said of replicates, as the plate has no plate map."),
        ({}, moved, "There are no example images: the images of the plate are left out: "),
        ({}, without_measurements, "There are no heat maps. The run has no table of wells"),
        ({}, without_objects, "Sharpness, saturation and background were not measured"),
        ({}, interrupted, "The run has no table of images, so there is nothing to say about their quality."),
        ({}, cancelled, "There are no statistics of controls, as the plate has no plate map."),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_odd_runs_have_a_report_that_says_what_is_missing(
    tmp_path: Path, options: dict[str, int], make: object, said: str
) -> None:
    plate = make_plate(tmp_path / "plate", **{"wells": 2, "sites": 1, "channels": 1, "size": 64, **options})  # type: ignore[arg-type]
    made = make(plate)  # type: ignore[operator]
    report = write_report(made, tmp_path / "report.html")
    page = Page(report)
    assert any(sentence.startswith(said) for sentence in report.left_out), report.left_out
    assert said in page.source.replace("&#x27;", "'")
    status = {interrupted: "was interrupted", cancelled: "was cancelled"}.get(make, "is complete")  # type: ignore[call-overload]
    assert status in page.sections[""]
    assert ("Not finished: A02." in page.sections["failures"]) is (make is interrupted)
    assert ("Cancelled: A02." in page.sections["failures"]) is (make is cancelled)
    has_images = make is not moved
    assert (page.count("img") > 0) is has_images


def test_a_whole_plate_of_1536_wells_with_odd_names_is_small(screen: Path, tmp_path: Path) -> None:
    made = shutil.copytree(screen, tmp_path / "run")
    shutil.rmtree(made / "tables")
    wells = [well_name(row, column) for row in range(32) for column in range(48)]
    ended = [
        WellRecord(well=well, status="complete", elapsed_s=1, peak_memory_bytes=None, reused=False) for well in wells
    ]
    altered = msgspec.structs.replace(
        read_provenance(screen), wells=ended, planned=dict.fromkeys(wells, "x"), tables=[]
    )
    altered.write(made)
    names = {
        f"intensity_mean_{ODD}{number}": Measure(measure="intensity_mean", channel=f"{ODD}{number}")
        for number in range(9)
    }
    schema = TableSchema(table="wells", kind=TableKind.WELLS, keys=WELL_KEYS, measures=names)
    columns = {"plate": ["p"] * 1536, "well": wells, **dict.fromkeys(names, np.arange(1536.0))}
    write_table(made / "tables" / "wells.parquet", schema, pyarrow.table(columns))
    focus = np.where(np.isin(np.arange(1536), (40, 42)), 0.001, np.linspace(1, 1.1, 1536))
    saturated = np.where(np.arange(1536) == 41, 2.5, 0.0)
    told = [*[""] * 42, "blurred", *[None] * 1493]
    of_images = {"focus_score_w1": focus, "saturated_w1_percent": saturated, "quality_reason_w1": told}
    schema = TableSchema(
        table="images",
        kind=TableKind.IMAGES,
        keys=IMAGE_KEYS,
        measures={
            "focus_score_w1": Measure(measure="focus_score", channel="w1"),
            "saturated_w1_percent": Measure(measure="saturated", channel="w1", unit="percent"),
            "quality_reason_w1": Measure(measure="quality_reason", channel="w1"),
        },
    )
    keys = {"plate": ["p"] * 1536, "well": wells, **dict.fromkeys(("site", "z", "t"), np.ones(1536, np.int64))}
    write_table(made / "tables" / "images.parquet", schema, pyarrow.table({**keys, **of_images}))
    report = write_report(made, tmp_path / "report.html")
    assert report.size < 5_000_000
    assert report.flagged == 3
    page = Page(report)
    assert page.count("rect", "w") == (8 + 2) * 1536 + 1
    assert "A41site 1focus score in w1 low: 0.001, median 1.05" in page.sections["quality"]
    assert "A42site 1saturated in w1 2.5 % of the pixels" in page.sections["quality"]
    assert page.sections["quality"].count("A43site 1pipeline, w1: blurred") == 1
    assert page.sections["quality"].count("focus score in w1 low") == 1
    assert f"intensity mean, {ODD}0" in page.sections["heat-maps"]
    assert "<script>alert" not in page.source
    assert "1 other measure of wells is not shown" in report.left_out[0]
    assert "3 of 1,536 images are flagged, in 3 wells." in page.sections["quality"]


def test_damaged_tables_and_wrong_names_are_errors_and_leave_no_file(screen: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "report.html"
    with pytest.raises(OutputError, match=r"report.pdf can't be a report, .* end its name in \.html"):
        write_report(screen, target.with_suffix(".pdf"))
    with pytest.raises(OutputError, match="no measure 'nuclei_cont': did you mean 'nuclei_count'"):
        write_report(screen, target, measures=["nuclei_cont"])
    with pytest.raises(PlateMapError, match=r"no well of .* matches"):
        write_report(screen, target, negative="control == 'nothing'")

    def interrupt(what: str) -> None:
        if what == "drawing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(screen, target, on_progress=interrupt)
    made = shutil.copytree(screen, tmp_path / "run")
    table = made / "tables" / "wells.parquet"
    table.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(OutputError, match=re.escape(str(table))):
        write_report(made, target)
    assert not target.parent.exists()


def test_the_command_tells_where_the_report_is_and_opens_it(
    screen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: not opened.append(address))  # type: ignore[func-returns-value]
    monkeypatch.chdir(tmp_path)
    assert command.report(screen.parent, open_it=True) == 0
    file = tmp_path / f"{find_run(screen).run.folder.name}_report.html"
    assert opened == [file.as_uri()]
    assert f"Report of {screen.name} in {file.name}" in capsys.readouterr().out
    assert command.report(screen, Path("other.html"), measure=["nuclei_count"], as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["file"], document["measures"]) == (str(tmp_path / "other.html"), ["nuclei_count"])
    assert document["left_out"]

"""``openhcs-runtime profile``, on a screen that was run with a plate map."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import tifffile

from openhcs_runtime import ExecutionMode, FunctionStep, GlobalConfig, PipelineOrchestrator
from openhcs_runtime.exceptions import DamagedResultError, OutputError, PlateMapError
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.outputs.exclusions import exclude_wells, exclusions_path, include_wells
from openhcs_runtime.profiles import MapRole, Normalisation, Reference, ScreenRequest, profile_screen
from openhcs_runtime.tables.read import open_results
from openhcs_runtime.testing import CommandLine

DOSES = {"A01": 0, "A02": 0, "A03": 0.1, "A04": 1, "A05": 10, "A06": 100, "A07": 1000, "A08": 9, "A09": 9}


@pytest.fixture
def screen(new_plate: Callable[..., Path]) -> Path:
    """Two negative controls, five doses of an acid that dims nuclei, two positive controls."""
    plate, lines = new_plate("screen", wells=9, size=128), ["well,compound,dose_uM,control"]
    for (well, dose), path in zip(DOSES.items(), sorted(plate.rglob("*.tif")), strict=True):
        kind = {"A01": "DMSO", "A02": "DMSO", "A08": "Positive", "A09": "Positive"}.get(well, "")
        assert well in path.name
        lines.append(f"{well},{'killer' if kind == 'Positive' else 'acid'},{dose},{kind}")
        left = 0.2 if kind == "Positive" else 1 - 0.7 * dose / (dose + 5)
        tifffile.imwrite(path, (tifffile.imread(path) * left).astype("uint16"))
    (plate / "platemap.csv").write_text("\n".join(lines))
    steps = [FunctionStep(segment_nuclei), FunctionStep(measure_objects)]
    with PipelineOrchestrator(plate, steps, GlobalConfig(mode=ExecutionMode.THREADS)) as orchestrator:
        assert orchestrator.run().error == ""
    return plate


def test_a_screen_is_profiled(screen: Path, command: CommandLine) -> None:
    everything = ("--measure", "intensity_mean_DAPI", "--hits", "--dose-response", "--threshold", "1e-9")
    shown, parsed, wrong, several = command.together(
        ("profile", screen, "nuclei", *everything, "--to", "plate"),
        ("profile", screen, *everything[:2], "--normalise", "inhibition", "--output", "w.parquet", "--json"),
        ("profile", screen, "--column", "dose=strength"),
        (
            "profile",
            screen,
            *everything[:2],
            "--measure",
            "area_px2, intensity_sum_DAPI",
            "--output",
            "s.csv",
            "--json",
        ),
    )
    measured = [quality["measure"] for quality in several.document["quality"]]
    assert sorted(measured) == ["area_px2", "intensity_mean_DAPI", "intensity_sum_DAPI"]
    assert shown.code == 0, shown.stderr
    for line in (
        "9 wells, 1 measure",
        "Negative controls: control == 'DMSO' (2 wells, found by its usual name)",
        "Positive controls: control == 'Positive' (2 wells, found by its usual name)",
        "Columns of the plate map: compound = compound, dose = dose_uM",
        "hits of intensity_mean_DAPI_robust_z",
        "Dose response of intensity_mean_DAPI_robust_z",
    ):
        assert line in shown.stdout
    stem = next(command.home.glob("*_nuclei_profile.csv")).stem
    assert {path.name for path in command.home.glob(f"{stem}*")} == {
        f"{stem}{name}.csv" for name in ("", "_quality", "_hits", "_dose_response")
    }
    document = parsed.document
    assert (document["normalised"], document["compared_with"], document["wells"]) == ("inhibition", "controls", 9)
    assert document["controls"]["negative"] == {"rule": "control == 'DMSO'", "found": True, "wells": ["A01", "A02"]}
    (quality,) = document["quality"]
    assert quality["measure"] == "intensity_mean_DAPI"
    assert quality["signal_to_background"] < 0.6
    frame = pd.read_parquet(command.home / "w.parquet")
    inhibition = frame.set_index("well")["intensity_mean_DAPI_inhibition"]
    assert inhibition[["A01", "A02"]].mean() == pytest.approx(0)
    assert inhibition[["A08", "A09"]].mean() == pytest.approx(100)
    assert wrong.code == 2
    assert "has no column 'strength' for the dose: choose compound, dose_uM, control" in wrong.stderr


def test_what_does_not_go_together_is_refused(screen: Path) -> None:
    results = open_results(screen)
    with pytest.raises(ValueError, match="leave out --to plate"):
        profile_screen(results, ScreenRequest(method=Normalisation.INHIBITION, to=Reference.PLATE))
    with pytest.raises(ValueError, match="leave out --to controls"):
        profile_screen(results, ScreenRequest(method=Normalisation.B_SCORE, to=Reference.CONTROLS))
    with pytest.raises(PlateMapError, match=r"no value in column 'compound' .*--negative"):
        profile_screen(results, ScreenRequest(columns={MapRole.CONTROL: "compound"}))
    with pytest.raises(ValueError, match="choose --normalise z, robust_z or b_score"):
        profile_screen(results, ScreenRequest(method=Normalisation.NONE, hits=True))
    with pytest.raises(OutputError, match="has no table 'cells': choose nuclei, images, wells"):
        profile_screen(results, ScreenRequest(table="cells"))
    found = profile_screen(results, ScreenRequest(measures=("intensity_mean_DAPI",), dose_response=True))
    with pytest.raises(OutputError, match="only wells that are left out here, such as controls, have the same"):
        profile_screen(results, ScreenRequest(replicates=True))
    with pytest.raises(ValueError, match="in a single row"):
        profile_screen(results, ScreenRequest(method=Normalisation.B_SCORE))
    (acid, killer) = found.responses
    assert (acid.compound, acid.unit, acid.curve.doses, killer.curve.doses) == ("acid", "uM", 6, 1)


def test_excluded_wells_are_left_out_and_named(screen: Path, command: CommandLine) -> None:
    run = open_results(screen).found.run
    exclude_wells(run, ["a3", "A05"], "air\nbubble")
    assert include_wells(run, ["A05"]).sentence() == "1 well is excluded: A03 (air bubble)."
    profile = ("profile", screen, "--measure", "intensity_mean_DAPI", "--output", "w.csv")
    left_out, kept, report, full = command.together(
        profile,
        (*profile[:-1], "k.csv", "--with-excluded", "--json"),
        ("report", screen, "--output", "r.html"),
        ("report", screen, "--output", "k.html", "--with-excluded"),
    )
    assert (left_out.code, report.code, full.code) == (0, 0, 0), left_out.stderr + report.stderr
    assert "8 wells, 1 measure" in left_out.stdout
    assert "Compared with all wells of the plate: only 2 negative controls are left" in left_out.stdout
    assert kept.document["compared_with"] == "plate"
    assert kept.document["compared_because"] == "only 2 negative controls are left"
    assert "1 well is excluded: A03 (air bubble)." in left_out.stdout
    assert kept.document["wells"] == 9
    assert "Excluded wells are included here: A03 (air bubble)." in kept.document["notes"]
    assert "1 well is excluded: A03 (air bubble)." in report.stdout
    assert "Excluded wells are included here: A03 (air bubble)." in full.stdout
    assert "A03" not in set(pd.read_csv(command.home / "w.csv")["well"])
    exclusions_path(run).write_text('{"wells": [{"plate": "screen", "well": "third"}]}')
    with pytest.raises(DamagedResultError, match="delete it to include all wells"):
        profile_screen(open_results(screen), ScreenRequest())

"""Profiles of wells: aggregated, normalised, judged, and searched for hits; checked against pycytominer and papers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openhcs_runtime.exceptions import OutputError, PlateMapError
from openhcs_runtime.profiles import (
    ControlKind,
    Correlation,
    HitDirection,
    HitSide,
    MapColumns,
    MapRole,
    Normalisation,
    Reference,
    WellProfiles,
    assay_quality,
    b_scores,
    control_quality,
    control_wells,
    find_controls,
    find_hits,
    median_polish,
    normalise_profiles,
    replicate_correlation,
    treatments,
    well_profiles,
    write_profiles,
)
from openhcs_runtime.profiles.map_notes import map_notes
from openhcs_runtime.profiles.roles import map_columns
from openhcs_runtime.report.measures import choose_measures
from openhcs_runtime.tables.read import Results
from openhcs_runtime.tables.schema import OBJECT_KEYS, Measure

FOREIGN = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
"""For tests that call other libraries, which warn of each other."""
SaveTable = Callable[..., Results]
WELLS = [f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7)]


def plate_map(well: str) -> dict[str, Any]:
    """Column 1 is negative, column 6 positive; in between are eight compounds, each in two wells."""
    column = int(well[1:])
    if column in (1, 6):
        return {"compound": "DMSO" if column == 1 else "killer", "control": "negative" if column == 1 else "positive"}
    return {"compound": f"{well[0]}{(column - 2) // 2}", "control": None}


@pytest.fixture
def results(save_table: SaveTable) -> Results:
    """A plate of 24 wells with 5 to 9 nuclei each; those of ``killer`` are small, and D05 has none."""
    random = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number, well in enumerate(WELLS):
        of_map = plate_map(well)
        for label in range(0 if well == "D05" else 5 + number % 5):
            area = random.normal(50 if of_map["control"] == "positive" else 100, 8)
            keys = {"plate": "P1", "well": well, "site": 1, "z": 1, "t": 1, "label": label + 1}
            missing = label == 2
            row = {"area_um2": None if missing else area, "touches": label % 2 == 0, "spots": label, "phase": "G1"}
            rows.append({**keys, **of_map, **row})
    random.shuffle(rows)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    save_table("nuclei", columns, plate_map=("compound", "control"))
    maps = [plate_map(well) for well in WELLS]
    of_wells = {"plate": ["P1"] * 24, "well": WELLS, **{name: [row[name] for row in maps] for name in maps[0]}}
    return save_table("wells", {**of_wells, "image_count": [1] * 24}, "wells", ("compound", "control"))


def profiles_of(columns: Mapping[str, list[float]], maps: list[dict[str, Any]] | None = None) -> WellProfiles:
    """Wells in rows of six, from values of each."""
    values = np.array(list(columns.values()), dtype=np.float64).T
    wells = tuple(WELLS[: len(values)])
    maps = maps or [plate_map(well) for well in wells]
    return WellProfiles(
        table="nuclei",
        source="table nuclei",
        plates=("P1",) * len(wells),
        wells=wells,
        plate_map={name: tuple(row[name] for row in maps) for name in maps[0]},
        measures={name: Measure(measure=name) for name in columns},
        values=values,
    )


@FOREIGN
@pytest.mark.parametrize("centre", ["mean", "median"])
def test_wells_are_aggregated_as_pycytominer_does(
    results: Results, centre: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pycytominer import aggregate as aggregated

    monkeypatch.setattr(
        "openhcs_runtime.profiles.aggregate._BLOCK_BYTES", 2000
    )  # a pass over the table for each measure
    ours = well_profiles(results, centre=centre)
    frame = results.table("nuclei", library="pandas")
    frame["spots"] = frame["spots"].astype(float)
    theirs = aggregated(frame, strata=["plate", "well"], features=["area_um2", "spots"], operation=centre)
    theirs = theirs.set_index("well").reindex(WELLS)
    assert ours.wells == tuple(WELLS)
    for measure in ("area_um2", "spots"):
        np.testing.assert_allclose(ours.column(measure), theirs[measure])
    assert list(ours.measures) == ["area_um2", "touches", "spots", "nuclei_count"]
    assert ours.column("nuclei_count")[:6].tolist() == [5, 6, 7, 8, 9, 5]
    assert ours.plate_map["compound"][:3] == ("DMSO", "A0", "A0")


def test_a_well_without_objects_has_a_count_of_0_and_no_values(results: Results) -> None:
    profiles = well_profiles(results, "nuclei")
    row = profiles.wells.index("D05")
    assert profiles.column("nuclei_count")[row] == 0
    assert np.isnan(profiles.column("area_um2")[row])
    assert profiles.row(row) == {"compound": "D1", "control": None}
    of_small = well_profiles(results, "nuclei", measures=["nuclei_count"], where="area_um2 < 75")
    assert of_small.wells == tuple(WELLS)
    assert of_small.column("nuclei_count")[0] == 0
    chosen = well_profiles(results, "nuclei", where="compound == 'D1'")
    assert chosen.wells == ("D04", "D05")
    with pytest.raises(OutputError, match="chooses wells by compound and objects by area_um2"):
        well_profiles(results, "nuclei", where="compound == 'D1' and area_um2 > 3")


def test_places_and_labels_are_not_measures_and_counts_of_sets_come_first(save_table: SaveTable) -> None:
    keys = {"plate": ["P1"], "well": ["A01"], "site": [1], "z": [1], "t": [1], "label": [1]}
    names = ["neighbour_count", "track", "bounding_box_min_y", "eccentricity", "area_um2", "intensity_mean_w1"]
    save_table("cells", {**keys, **{name: [1.5] for name in names}})
    of_wells = {f"cells_{name}": [1.5] for name in [*names, "count", "intensity_mean_w2"]}
    results = save_table("wells", {"plate": ["P1"], "well": ["A01"], "image_count": [1], **of_wells}, "wells")
    measures = ["neighbour_count", "eccentricity", "area_um2", "intensity_mean_w1", "cells_count"]
    assert list(well_profiles(results).measures) == measures
    shown = [measure.column.removeprefix("cells_") for measure in choose_measures(results).shown]
    assert shown[:3] == ["count", "area_um2", "intensity_mean_w1"]
    assert shown[-1] == "neighbour_count"
    assert not {"track", "bounding_box_min_y"} & set(shown)


def test_what_can_not_be_aggregated_is_refused(results: Results, save_table: SaveTable) -> None:
    with pytest.raises(OutputError, match=r"phase .* is a text"):
        well_profiles(results, measures=["phase"])
    with pytest.raises(OutputError, match="no measure 'area': did you mean 'area_um2'"):
        well_profiles(results, measures=["area"])
    with_cells = save_table("cells", {key: ["1"] for key in OBJECT_KEYS})
    with pytest.raises(OutputError, match="several sets of objects: choose cells, nuclei"):
        well_profiles(with_cells)
    assert "image_count" in well_profiles(results, "wells").measures


@FOREIGN
@pytest.mark.parametrize("method", ["z", "robust_z"])
def test_normalised_to_controls_as_pycytominer_does(results: Results, method: str) -> None:
    from pycytominer import normalize

    profiles = well_profiles(results, measures=["area_um2", "spots"])
    ours = normalise_profiles(profiles, method, controls=find_controls(profiles))
    frame = results.table("nuclei", library="pandas")[["well"]].drop_duplicates().set_index("well").reindex(WELLS)
    frame = frame.reset_index().assign(control=profiles.plate_map["control"])
    for place, name in enumerate(profiles.measures):
        frame[name] = profiles.values[:, place]
    theirs = normalize(
        frame,
        features=list(profiles.measures),
        meta_features=["well", "control"],
        samples="control == 'negative'",
        method="standardize" if method == "z" else "mad_robustize",
        mad_robustize_epsilon=0,
    )
    of_population = np.sqrt(3 / 4) if method == "z" else 1.0  # pycytominer divides by n, not by n - 1
    np.testing.assert_allclose(
        ours.column(f"area_um2_{method}"), theirs["area_um2"] * of_population, rtol=1e-4, equal_nan=True
    )
    assert ours.measures[f"area_um2_{method}"].measure == f"area_um2_{method}"


def test_percent_of_control_and_inhibition() -> None:
    maps = [{"control": control} for control in ("negative", "negative", "positive", "positive", None, None)]
    profiles = profiles_of({"signal": [90, 110, 18, 22, 60, 100], "flat": [5.0] * 6}, maps)
    controls = find_controls(profiles)
    with pytest.raises(
        PlateMapError, match=r"has 1 negative control well with results .*: run wells that failed again"
    ):
        normalise_profiles(profiles, controls=find_controls(profiles, negative="well == 'A01'"))
    percent = normalise_profiles(profiles, Normalisation.PERCENT, controls=controls)
    assert percent.column("signal_percent").tolist() == [90, 110, 18, 22, 60, 100]
    inhibition = normalise_profiles(profiles, "inhibition", controls=controls)
    assert inhibition.column("signal_inhibition").tolist() == [12.5, -12.5, 102.5, 97.5, 50, 0]
    assert inhibition.measures["signal_inhibition"].unit == "percent"
    assert np.isnan(inhibition.column("flat_inhibition")).all()
    assert np.isnan(normalise_profiles(profiles, "z", to="plate").column("flat_z")).all()


@pytest.mark.parametrize("method", ["z", "robust_z", "percent", "inhibition"])
def test_rounding_is_no_spread(method: str) -> None:
    maps = [{"control": control} for control in ("negative",) * 3 + ("positive",) * 3]
    values = [1.0, -1, 1e-17, 2, 2, 2] if method == "percent" else [0.1 + 0.2, 0.3, 0.3 - 1e-16, 0.3, 0.3, 0.3]
    profiles = profiles_of({"signal": values}, maps)
    controls = find_controls(profiles)
    assert np.isnan(normalise_profiles(profiles, method, controls=controls).values).all()
    if method == "inhibition":
        assert np.isnan(assay_quality(profiles, controls)[0].z_prime)


def test_each_plate_is_compared_with_itself() -> None:
    one = profiles_of({"signal": [1, 2, 3, 4, 5, 60]})
    both = WellProfiles(
        one.table,
        one.source,
        (*one.plates, *["P2"] * 6),
        one.wells * 2,
        {name: column * 2 for name, column in one.plate_map.items()},
        one.measures,
        np.vstack([one.values, one.values * 10 + 5]),
    )
    alone = normalise_profiles(one, to=Reference.PLATE).column("signal_robust_z")
    assert alone[5] == pytest.approx((60 - 3.5) / (1.4826 * 1.5))
    np.testing.assert_allclose(normalise_profiles(both, to="plate").column("signal_robust_z"), [*alone, *alone])


def test_median_polish_takes_row_and_column_effects_away() -> None:
    """By hand: rows have medians 5, 6, 9; then columns have 0, -4, 1; then the first row has 2, and all others 0."""
    table = np.array([[8.0, 3, 5], [6, 2, 7], [9, 4, 12]])
    assert median_polish(table).tolist() == [[1, 0, -3], [0, 0, 0], [0, -1, 2]]
    additive = np.add.outer([1.0, 5, 2, 9], [3.0, 1, 7, 2, 8])
    additive[1, 2] += 50
    assert median_polish(additive)[1, 2] == 50
    assert np.abs(np.delete(median_polish(additive).ravel(), 7)).max() == 0


def test_b_scores_take_rows_and_columns_away() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(8, 12))
    noise[3, 4] += 20
    plate = noise + np.add.outer(np.arange(8.0) * 5, np.arange(12.0) ** 2)
    plate[0, 0] = np.nan
    scores = b_scores(plate)
    assert np.nanargmax(scores) == 3 * 12 + 4
    assert np.isnan(scores[0, 0])
    assert np.nanmedian(np.abs(scores - np.nanmedian(scores))) * 1.4826 == pytest.approx(1)
    assert np.isnan(b_scores(np.add.outer(np.arange(3) / 7, np.arange(4) / 3))).all(), "no spread is left"
    profiles = profiles_of({"signal": plate[:4, :6].ravel().tolist()})
    by_profiles = normalise_profiles(profiles, Normalisation.B_SCORE).column("signal_b_score")
    np.testing.assert_allclose(by_profiles, b_scores(plate[:4, :6]).ravel())
    with pytest.raises(ValueError, match=r"plate P1 are in a single row, .*choose --normalise robust_z"):
        normalise_profiles(profiles_of({"signal": [1, 2, 3, 4, 5, 60]}), "b_score")


def test_quality_of_an_assay() -> None:
    """By hand: means 100 and 20, standard deviations 10 and 2, medians as the means, MADs 10 and 2."""
    found = control_quality(np.array([90.0, 100, 110]), np.array([18.0, 20, 22]))
    assert found.z_prime == pytest.approx(1 - 3 * 12 / 80)
    assert found.robust_z_prime == pytest.approx(1 - 3 * 1.4826 * 12 / 80)
    assert found.ssmd == pytest.approx(-80 / np.sqrt(104))
    assert found.robust_ssmd == pytest.approx(-80 / (1.4826 * np.sqrt(104)))
    assert (found.signal_to_background, found.cv_negative, found.cv_positive) == pytest.approx((0.2, 10, 10))
    assert np.isnan(control_quality(np.array([1.0]), np.array([1.0, 2])).z_prime)
    assert np.isnan(control_quality(np.array([1.0, 1]), np.array([1.0, 1])).ssmd)


def test_quality_of_a_plate(results: Results) -> None:
    profiles = well_profiles(results, measures=["area_um2"])
    (quality,) = assay_quality(profiles, find_controls(profiles))
    assert (quality.plate, quality.measure, quality.negatives, quality.positives) == ("P1", "area_um2", 4, 4)
    assert quality.z_prime > 0.3
    assert quality.ssmd < -5


def test_controls_are_found_by_usual_names_or_given(results: Results) -> None:
    profiles = well_profiles(results, measures=["area_um2"])
    found = find_controls(profiles)
    assert {kind: (wells.rule, wells.found) for kind, wells in found.items()} == {
        ControlKind.NEGATIVE: ("control == 'negative'", True),
        ControlKind.POSITIVE: ("control == 'positive'", True),
    }
    given = control_wells(profiles, ControlKind.POSITIVE, "compound == 'killer' and well != 'A06'")
    assert [well for well, chosen in zip(profiles.wells, given.chosen, strict=True) if chosen] == ["B06", "C06", "D06"]
    with pytest.raises(PlateMapError, match=r"no well of .* matches \"compound == 'DSMO'\": correct --negative"):
        find_controls(profiles, negative="compound == 'DSMO'")
    with pytest.raises(PlateMapError, match=r"well A01 is a negative control .* and a positive one"):
        find_controls(profiles, positive="compound == 'DMSO'")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"control": ["DMSO", "untreated"]}, "may be 'DMSO' or 'untreated' in column 'control'"),
        ({"control": ["yes", None]}, "no value in column 'control'"),
        ({"compound": ["DMSO", "X"]}, "has columns compound: give them"),
    ],
)
def test_controls_are_never_guessed(values: dict[str, list[str | None]], problem: str) -> None:
    rows = [dict(zip(values, each, strict=True)) for each in zip(*values.values(), strict=True)]
    profiles = profiles_of({"signal": [1, 2]}, rows)
    assert find_controls(profiles) == {}
    with pytest.raises(PlateMapError, match=problem) as raised:
        control_wells(profiles, ControlKind.NEGATIVE)
    assert "--negative" in str(raised.value)
    with pytest.raises(PlateMapError, match="robust_z needs negative controls: give them"):
        normalise_profiles(profiles, controls={})


def test_controls_can_be_named_without_a_plate_map() -> None:
    profiles = profiles_of({"signal": [1, 2]}, [{}, {}])
    with pytest.raises(PlateMapError, match=r"made without a plate map: .* \(--to plate\)"):
        control_wells(profiles, ControlKind.NEGATIVE)
    named = control_wells(profiles, ControlKind.NEGATIVE, "well in ('A01', 'A02')")
    assert named.chosen.tolist() == [True, True]


def test_columns_are_found_in_any_case_and_can_be_named() -> None:
    columns = MapColumns(("Drug", "Conc (uM)", "Control Type", "Cell-Line", "Rep"))
    assert columns.found() == {
        MapRole.COMPOUND: "Drug",
        MapRole.DOSE: "Conc (uM)",
        MapRole.CONTROL: "Control Type",
        MapRole.REPLICATE: "Rep",
        MapRole.CELL_LINE: "Cell-Line",
    }
    assert columns.unit_in_name() == "uM"
    assert MapColumns(("a", "Drug"), {MapRole.COMPOUND: "a"}).need(MapRole.COMPOUND, "a test") == "a"
    with pytest.raises(PlateMapError, match="'Dose' and 'dose' of the plate map could both be the dose"):
        MapColumns(("Dose", "dose")).find(MapRole.DOSE)
    with pytest.raises(PlateMapError, match=r"a test needs a column dose .* \(--column dose=NAME\)"):
        MapColumns(("a",)).need(MapRole.DOSE, "a test")
    with pytest.raises(PlateMapError, match="no column 'b' for the dose: choose a"):
        MapColumns(("a",), {MapRole.DOSE: "b"}).find(MapRole.DOSE)


def test_equal_doses_in_other_units_are_replicates() -> None:
    doses = [(1, "uM"), (1000, "nM"), (0.3, "uM"), (300, "nM"), (1, "nM"), (1, "mg/mL"), (0, "uM"), (0, "%")]
    maps = [{"compound": "X", "dose": float(dose), "unit": unit} for dose, unit in doses]
    profiles = profiles_of({"signal_z": [5.0] * 8}, maps)
    found = treatments(profiles, map_columns(profiles))
    assert [group.rows.tolist() for group in found] == [[0, 1], [2, 3], [4], [5], [6, 7]]
    assert found[0].of == {MapRole.COMPOUND: "X", MapRole.DOSE: 1.0, MapRole.DOSE_UNIT: "uM"}
    assert find_hits(profiles, "signal_z")[0].wells == ("A01", "A02")


def test_what_may_be_a_mistake_in_a_plate_map_is_said() -> None:
    maps: list[dict[str, Any]] = [
        {"compound": "Taxol", "control": "NEG", "control_type": "x"},
        {"compound": "taxol ", "control": "neg", "control_type": "x"},
        {"compound": "DMSO", "control": None, "control_type": None},
    ]
    profiles = profiles_of({"signal": [1, 2, 3]}, maps)
    columns, spellings = map_notes(profiles, map_columns(profiles))
    assert columns.startswith("Column control is the control, and control_type could be it, too")
    assert spellings.startswith("Different spellings in column compound are different: 'Taxol' and 'taxol '.")
    assert find_controls(profiles)[ControlKind.NEGATIVE].chosen.tolist() == [True, True, False]
    assert map_notes(profiles, MapColumns(tuple(maps[0]), {MapRole.CONTROL: "control"})) == (spellings,)


def test_hits_combine_replicates() -> None:
    compounds = ["A", "A", "A", "B", "B", None, None, "DMSO", "C"]
    maps = [{"compound": compound, "dose": 1.0} for compound in compounds]
    profiles = profiles_of({"signal_robust_z": [-9, -4, -1, 5, 2, 3, -2.9, 99, np.nan]}, maps)
    found = find_hits(profiles, "signal_robust_z", controls=profiles.matching("compound == 'DMSO'"))
    assert [(hit.of[MapRole.COMPOUND], hit.value, hit.direction, hit.agreeing) for hit in found] == [
        ("A", -4, HitDirection.DOWN, 2),
        ("B", 3.5, HitDirection.UP, 1),
        (None, 3, HitDirection.UP, 1),
    ]
    assert found[0].wells == ("A01", "A02", "A03")
    up = find_hits(profiles, "signal_robust_z", threshold=3.2, side=HitSide.UP)
    assert [hit.of[MapRole.COMPOUND] for hit in up] == ["DMSO", "B"]
    with pytest.raises(ValueError, match="give one above 0"):
        find_hits(profiles, "signal_robust_z", threshold=0)


@pytest.mark.parametrize("method", list(Correlation))
def test_replicates_are_compared_with_other_compounds(method: Correlation) -> None:
    from scipy import stats

    random = np.random.default_rng(1)
    of_compounds = random.normal(size=(8, 20))
    values = np.repeat(of_compounds, 3, axis=0) + random.normal(scale=0.3, size=(24, 20))
    values[21:] = random.normal(size=(3, 20))  # the wells of the last compound have nothing in common
    maps = [{"compound": f"C{well // 3}"} for well in range(24)]
    profiles = profiles_of({f"m{place}": values[:, place].tolist() for place in range(20)}, maps)
    found = replicate_correlation(profiles, method=method)
    compared = values if method is Correlation.PEARSON else stats.rankdata(values, axis=1)
    pairs = np.asarray(np.corrcoef(compared[:3]))[np.triu_indices(3, 1)]
    assert found.medians[0] == pytest.approx(np.median(pairs))
    assert found.percent_replicating == pytest.approx(100 * 7 / 8)
    assert np.median(found.null) < 0.1 < found.threshold < 0.5
    with pytest.raises(OutputError, match="no replicates: only wells that are left out here, such as controls"):
        replicate_correlation(profiles, chosen=np.arange(24) % 3 == 0)
    values[4], values[::5, 7], values[1:, 3] = np.nan, np.nan, np.nan
    holed = profiles_of({f"m{place}": values[:, place].tolist() for place in range(20)}, maps)
    left = replicate_correlation(holed, method=method)
    assert (left.measures_left_out, left.wells_left_out) == (("m3",), ("A05",))
    assert len(left.groups) == 8
    assert left.percent_replicating == pytest.approx(100 * 7 / 8)
    assert left.notes[1:] == (
        "Left out are measures that most wells lack, or that are equal in all wells: m3.",
        "Left out are wells that lack most measures: A05.",
    )
    with pytest.raises(ValueError, match="draws=0 compares with nothing"):
        replicate_correlation(profiles, draws=0)
    with pytest.raises(OutputError, match="2 measures with different values"):
        replicate_correlation(profiles.only(["m0", "m1"]))


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_profiles_are_written(results: Results, tmp_path: Path, name: str) -> None:
    import pandas as pd

    profiles = well_profiles(results, measures=["area_um2", "nuclei_count"])
    normalised = normalise_profiles(profiles, controls=find_controls(profiles))
    write_profiles(tmp_path / name, profiles, normalised)
    frame = (pd.read_csv if name.endswith("csv") else pd.read_parquet)(tmp_path / name)
    measures = ["area_um2", "nuclei_count", "area_um2_robust_z", "nuclei_count_robust_z"]
    assert list(frame.columns) == ["plate", "well", "compound", "control", *measures]
    np.testing.assert_allclose(frame["area_um2_robust_z"], normalised.column("area_um2_robust_z"), equal_nan=True)
    with pytest.raises(OutputError, match=r"end its name in \.csv or \.parquet"):
        write_profiles(tmp_path / "p.xlsx", profiles)

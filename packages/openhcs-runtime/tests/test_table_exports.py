"""Tables in the formats of other programs, read back by these programs."""

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.plates.ome_zarr.write import OmeZarrPlateWriter, OmeZarrVersion
from openhcs_runtime.tables.export.formats import TableFormat, format_of, write_as, written_text
from openhcs_runtime.tables.read import Results
from openhcs_runtime.tables.schema import Measure

SaveTable = Callable[..., Results]
FOREIGN = pytest.mark.filterwarnings("ignore")
"""For tests that call other libraries, which warn of each other."""
WELLS, SITES, LABELS = ("A01", "A02", "B01", "B02"), (1, 2), range(1, 7)
MAP = ("compound", "dose")
MEASURES = {
    "area_um2": Measure(measure="area", unit="um2"),
    "intensity_mean_DAPI": Measure(measure="intensity_mean", channel="DAPI"),
    "Texture_Entropy_GFP": Measure(measure="Texture_Entropy", channel="GFP"),
    "centroid_x_px": Measure(measure="centroid_x", unit="px"),
    "centroid_y_px": Measure(measure="centroid_y", unit="px"),
}


def of_map(well: str) -> tuple[str | None, float | None]:
    """The compound and the dose; B02 is not in the map."""
    return {"A01": ("DMSO", 0.0), "A02": ("X", 1.5), "B01": ("DMSO", 0.0), "B02": (None, None)}[well]


def object_columns(seed: int) -> dict[str, list[Any]]:
    """Six objects in each of two sites of four wells; those with label 3 have no texture."""
    random = np.random.default_rng(seed)
    rows = [(well, site, label) for well in WELLS for site in SITES for label in LABELS]
    return {
        "plate": ["007"] * len(rows),
        "well": [well for well, _, _ in rows],
        "site": [site for _, site, _ in rows],
        "z": [1] * len(rows),
        "t": [1] * len(rows),
        "label": [label for _, _, label in rows],
        "compound": [of_map(well)[0] for well, _, _ in rows],
        "dose": [of_map(well)[1] for well, _, _ in rows],
        "area_um2": random.normal(100, 9, len(rows)).tolist(),
        "intensity_mean_DAPI": random.normal(500, 90, len(rows)).tolist(),
        "Texture_Entropy_GFP": [None if label == 3 else float(random.normal()) for _, _, label in rows],
        "centroid_x_px": random.uniform(0, 63, len(rows)).tolist(),
        "centroid_y_px": random.uniform(0, 63, len(rows)).tolist(),
        "spots_count": random.integers(0, 2**53, len(rows)).tolist(),
        "at_border": (random.random(len(rows)) < 0.5).tolist(),
        "phase": ["007" if label == 1 else None for _, _, label in rows],
    }


@pytest.fixture
def results(save_table: SaveTable) -> Results:
    """A run with nuclei, cells, cytoplasm, images and wells, and a plate map."""
    for seed, name in enumerate(("nuclei", "cells", "cytoplasm")):
        columns = object_columns(seed)
        if name == "cytoplasm":
            columns |= {"parent_cells": columns["label"], "parent_nuclei": columns["label"]}
        save_table(name, columns, plate_map=MAP, measures=MEASURES)
    images = [(well, site) for well in WELLS for site in SITES]
    keys = {"plate": ["007"] * 8, "well": [well for well, _ in images], "site": [site for _, site in images]}
    keys |= {"z": [1] * 8, "t": [1] * 8}
    maps: dict[str, list[Any]] = {name: [of_map(well)[place] for well, _ in images] for place, name in enumerate(MAP)}
    save_table("images", {**keys, **maps, "nuclei_count": [6] * 8}, "images", MAP)
    maps = {name: [of_map(well)[place] for well in WELLS] for place, name in enumerate(MAP)}
    return save_table("wells", {"plate": ["007"] * 4, "well": WELLS, **maps, "image_count": [2] * 4}, "wells", MAP)


@FOREIGN
def test_h5ad_has_everything(results: Results, tmp_path: Path) -> None:
    import anndata

    assert write_as(results, "cytoplasm", tmp_path / "c.h5ad", "h5ad") == [tmp_path / "c.h5ad"]
    data, expected = anndata.read_h5ad(tmp_path / "c.h5ad"), object_columns(2)
    assert data.shape == (48, 6)
    assert data.X.dtype == np.float64
    np.testing.assert_array_equal(data[:, "area_um2"].X[:, 0], expected["area_um2"])
    assert data[:, "spots_count"].X[:, 0].astype(int).tolist() == expected["spots_count"]
    assert np.isnan(data[:, "Texture_Entropy_GFP"].X[:, 0]).tolist() == [label == 3 for label in expected["label"]]
    assert data.var.loc["intensity_mean_DAPI"].tolist() == ["intensity_mean", "DAPI", ""]
    assert data.obs_names[0] == "007_A01_s1_z1_t1_1"
    assert data.obs_names.is_unique
    assert list(data.obs.columns) == [
        *("plate", "well", "site", "z", "t", "label", "compound", "dose", "at_border", "phase"),
        *("parent_cells", "parent_nuclei"),
    ]
    first, last = data.obs.iloc[0], data.obs.iloc[-1]
    assert (first["plate"], first["phase"], first["compound"], first["dose"]) == ("007", "007", "DMSO", 0.0)
    assert pd.isna([last["compound"], last["dose"], last["phase"]]).all()
    assert data.obs["at_border"].tolist() == expected["at_border"]
    np.testing.assert_array_equal(
        data.obsm["spatial"], np.column_stack([expected["centroid_x_px"], expected["centroid_y_px"]])
    )
    assert (data.uns["openhcs"]["spatial_unit"], list(data.uns["openhcs"]["spatial_axes"])) == ("px", ["x", "y"])
    write_as(results, "nuclei", tmp_path / "c.h5ad", "h5ad", columns=["area_um2"], where="compound == 'X'")
    assert anndata.read_h5ad(tmp_path / "c.h5ad").shape == (12, 1)
    with pytest.raises(OutputError, match="no column 'area': did you mean 'area_um2'"):
        write_as(results, "nuclei", tmp_path / "d.h5ad", "h5ad", columns=["area"])
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["c.h5ad"]


@FOREIGN
@pytest.mark.usefixtures("zarr_ends")
@pytest.mark.parametrize("version", list(OmeZarrVersion))
def test_ngio_reads_the_tables_of_a_plate(results: Results, tmp_path: Path, version: OmeZarrVersion) -> None:
    import ngio
    import zarr

    plate, labels = tmp_path / "p.zarr", np.arange(64, dtype=np.uint16).reshape(8, 8) % 7
    writer = OmeZarrPlateWriter(plate, ("DAPI",), 0.5, version=version)
    with writer.well("A02") as images:
        for site in SITES:
            key = ImageKey("A02", site, 1, 1, 1)
            images.add_site(site, {key: labels}, {"nuclei": {key: labels}})
    writer.finish(["A02"])
    here = "well == 'A02'"
    written = write_as(results, "nuclei", plate, "zarr", where=f"{here} and label != 5")
    opened = ngio.open_ome_zarr_plate(plate)
    for path, site in zip(written, SITES, strict=True):
        image = opened.get_image("A", "02", path.parents[1].name)
        assert image.list_tables() == ["nuclei"]
        table = image.get_feature_table("nuclei")
        assert table.reference_label == "nuclei"
        frame = table.dataframe
        assert (frame.index.name, frame.index.tolist()) == ("label", [1, 2, 3, 4, 6])
        expected = pd.DataFrame(object_columns(0)).query(f"{here} and site == {site} and label != 5")
        np.testing.assert_array_equal(frame["area_um2"], expected["area_um2"])
        assert frame["Texture_Entropy_GFP"].isna().tolist() == [False, False, True, False, False]
        assert frame["compound"].astype(str).tolist() == ["X"] * 5
    if version is OmeZarrVersion.V04:
        return
    with pytest.raises(OutputError, match="nothing is written, as there are no nuclei for which label == 9 is true"):
        write_as(results, "nuclei", plate, "zarr", where="label == 9")
    assert written[1].is_dir()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        fewer = write_as(results, "nuclei", plate, "zarr", where=f"{here} and site == 1 and label == 1")
    assert not [each for each in warned if "sharding" in str(each.message)]
    said = written_text("nuclei", plate, TableFormat.ZARR, written)
    assert said == f"nuclei in tables of 2 images in 1 well of {plate}"
    assert fewer == written[:1]
    opened = ngio.open_ome_zarr_plate(plate)
    assert len(opened.get_image("A", "02", "0").get_feature_table("nuclei").dataframe) == 1
    assert opened.get_image("A", "02", "1").list_tables() == []
    with pytest.raises(OutputError, match="has no image of site 1 in well A01, which has nuclei"):
        write_as(results, "nuclei", plate, "zarr")
    with pytest.raises(OutputError, match="in several planes or time points"):
        write_as(twice(results), "nuclei", plate, "zarr", where=here)
    zarr.open_group(written[0], mode="r+").attrs["written_by"] = "another"
    with pytest.raises(OutputError, match="has a table nuclei of another program"):
        write_as(results, "nuclei", plate, "zarr", where=here)
    zarr.open_array(plate / "A/02/0/labels/nuclei/0")[:] = 1
    with pytest.raises(OutputError, match=r"the labels nuclei of .* have no object 2 of the run: give the plate that"):
        write_as(results, "nuclei", plate, "zarr", where=here)
    for path in written:
        shutil.rmtree(path.parents[1] / "labels")
    with pytest.raises(OutputError, match="is not known to be plate 007 of the run, as it has another name"):
        write_as(results, "nuclei", plate, "zarr", where=here)
    shutil.rmtree(written[0])
    plate = plate.rename(tmp_path / "007.zarr")
    assert len(write_as(results, "nuclei", plate, "zarr", where=f"{here} and t == 1")) == 2


def twice(results: Results) -> Results:
    """The same results, with each nucleus at a second time point."""
    import pyarrow

    from openhcs_runtime.tables.places import table_path
    from openhcs_runtime.tables.write import write_table

    table = results.arrow("nuclei")
    later = table.set_column(4, "t", [[2] * len(table)])
    schema = results.schema("nuclei")
    write_table(table_path(results.folder, "nuclei"), schema, pyarrow.concat_tables([table, later.cast(table.schema)]))
    return Results(results.found)


def test_tables_go_only_into_the_plate_that_was_measured(results: Results, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is in the folder of the run, which stays as it is: give a copy"):
        write_as(results, "nuclei", results.folder / "images" / "p.zarr", "zarr")
    with pytest.raises(OutputError, match="is not an OME-Zarr plate"):
        write_as(results, "nuclei", tmp_path / "nowhere.zarr", "zarr")
    with pytest.raises(OutputError, match="images is not a set of objects"):
        write_as(results, "images", tmp_path / "nowhere.zarr", "zarr")


@FOREIGN
def test_pycytominer_reads_what_is_written_for_it(results: Results, tmp_path: Path) -> None:
    from pycytominer import aggregate, annotate, feature_select, normalize

    written = write_as(results, "", tmp_path / "cp", TableFormat.CELLPROFILER)
    assert [path.name for path in written] == ["Cells.csv", "Cytoplasm.csv", "Nuclei.csv", "Image.csv", "platemap.csv"]
    nuclei, images = (
        pd.read_csv(tmp_path / "cp" / name, dtype={"Metadata_Plate": str}) for name in ("Nuclei.csv", "Image.csv")
    )
    assert list(nuclei.columns) == [
        *("ImageNumber", "ObjectNumber", "Nuclei_Number_Object_Number", "Metadata_Plate", "Metadata_Well"),
        *("Nuclei_Area_um2", "Nuclei_Intensity_Mean_DAPI", "Nuclei_Texture_Entropy_GFP", "Nuclei_Location_Center_X"),
        *("Nuclei_Location_Center_Y", "Nuclei_Children_Spots_Count", "Nuclei_At_Border", "Nuclei_Phase"),
    ]  # fmt: skip
    assert list(images.columns)[:6] == [
        "ImageNumber",
        *(f"Metadata_{key}" for key in ("Plate", "Well", "Site", "Z", "T")),
    ]
    assert images["Metadata_compound"].isna().tolist() == [False] * 6 + [True] * 2
    assert nuclei["ImageNumber"].tolist() == np.repeat(np.arange(1, 9), 6).tolist()
    features = ["Nuclei_Area_um2", "Nuclei_Intensity_Mean_DAPI", "Nuclei_Texture_Entropy_GFP"]
    nuclei = nuclei.drop(columns="Nuclei_Phase")
    profiles = aggregate(nuclei, operation="median")
    np.testing.assert_allclose(
        profiles["Nuclei_Area_um2"], pd.DataFrame(object_columns(0)).groupby("well")["area_um2"].median()
    )
    annotated = annotate(profiles, pd.read_csv(tmp_path / "cp" / "platemap.csv"))
    normalised = normalize(annotated, samples="Metadata_compound == 'DMSO'", method="standardize")
    selected = feature_select(normalised, operation=["variance_threshold", "drop_na_columns"])
    assert set(features) <= set(selected.columns)
    assert {"Metadata_Plate", "Metadata_Well", "Metadata_compound", "Metadata_dose"} <= set(selected.columns)


CONVERT = """
import json, sys
import duckdb_extensions
for name in ("sqlite_scanner", "httpfs"):
    duckdb_extensions.import_extension(name)  # CytoTable would download them
import pandas, parsl
from cytotable import convert
from parsl.config import Config
from parsl.executors import ThreadPoolExecutor
config = Config(executors=[ThreadPoolExecutor(max_threads=1)], run_dir="runs", usage_tracking=0)
path = convert("cp", "joined.parquet", "parquet", source_datatype="csv", preset="cellprofiler_csv", parsl_config=config)
frame = pandas.read_parquet(path).sort_values(["Metadata_ImageNumber", "Metadata_ObjectNumber"])
print(json.dumps({"columns": list(frame.columns), "areas": frame["Nuclei_Area_um2"].tolist()}))
"""


def test_cytotable_joins_what_is_written_for_it(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_as(results, "", tmp_path / "cp", "cellprofiler", columns=["area_um2", "parent_cells", "parent_nuclei"])
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))  # DuckDB installs its extensions there
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CONVERT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    joined = json.loads(done.stdout.splitlines()[-1])
    assert joined["areas"] == object_columns(0)["area_um2"]
    assert {"Metadata_Well", "Metadata_Plate", "Cells_Area_um2", "Cytoplasm_Area_um2"} <= set(joined["columns"])
    assert [name for name in joined["columns"] if "Metadata" in name and not name.startswith("Metadata_")] == []


def test_files_of_cellprofiler_are_refused_if_they_would_mislead(results: Results, tmp_path: Path) -> None:
    with pytest.raises(
        OutputError, match=r"'spots' is not a set of objects of .*: choose cells, cytoplasm, nuclei, images"
    ):
        write_as(results, "spots", tmp_path / "cp", "cellprofiler")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file: give a folder"):
        write_as(results, "nuclei", tmp_path / "file", "cellprofiler")
    (results.folder / "tables" / "images.parquet").unlink()
    with pytest.raises(OutputError, match="has no table images"):
        write_as(Results(results.found), "nuclei", tmp_path / "cp", "cellprofiler")


def test_csv_and_parquet_are_read_by_pandas_polars_and_duckdb(results: Results, tmp_path: Path) -> None:
    import duckdb
    import polars as pl

    expected = object_columns(0)
    for name in ("n.csv", "n.parquet"):
        write_as(results, "nuclei", tmp_path / name, format_of(tmp_path / name))
    frames = [
        pd.read_csv(tmp_path / "n.csv", dtype={"plate": str, "phase": str}, float_precision="round_trip"),
        pd.read_parquet(tmp_path / "n.parquet"),
        pl.read_parquet(tmp_path / "n.parquet").to_pandas(),
        duckdb.sql(f"select * from '{tmp_path / 'n.parquet'}'").df(),
    ]
    for frame in frames:
        assert list(frame.columns) == list(expected)
        assert frame["plate"].tolist() == expected["plate"]
        assert frame["spots_count"].tolist() == expected["spots_count"]
        np.testing.assert_array_equal(frame["area_um2"], expected["area_um2"])
        assert int(frame["Texture_Entropy_GFP"].isna().sum()) == 8
        assert frame["phase"].dropna().unique().tolist() == ["007"]
    write_as(results, "nuclei", tmp_path / "n.csv", "csv", columns=["well", "area_um2"], where="label == 1")
    assert pd.read_csv(tmp_path / "n.csv").shape == (8, 2)
    with pytest.raises(OutputError, match="does not say its format"):
        format_of(tmp_path / "n.xls")


def test_spatialdata_says_what_it_needs(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spatialdata", None)
    with pytest.raises(OutputError, match=r"pip install 'openhcs-runtime\[spatialdata\]'"):
        write_as(results, "nuclei", tmp_path / "s.zarr", "spatialdata")

"""Files that are whole or not there."""

import errno
import math
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import tifffile

from openhcs_runtime.atomic import atomic_file, check_folder, remove_leftovers, sync_files
from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import DamagedResultError, DiskFullError, OutputError
from openhcs_runtime.outputs.images import image_name, write_labels, write_plane
from openhcs_runtime.outputs.wells import (
    OutputFile,
    WellRecord,
    discard_part,
    measured_image,
    read_part,
    write_part,
)
from openhcs_runtime.pipeline.cells import Cell
from openhcs_runtime.tables.measurements import write_measurements

KEY = ImageKey("B02", 1, 2)


def write_and_fail(file: BinaryIO) -> None:
    file.write(b"half")
    raise ZeroDivisionError


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    with atomic_file(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    with pytest.raises(ZeroDivisionError), atomic_file(path) as file:
        write_and_fail(file)
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]
    assert path.read_bytes() == b"whole"


def test_a_full_disk_is_said_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=f"no space left in {tmp_path}"), atomic_file(tmp_path / "f"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_dead_processes_go_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    script = "import os, sys\nfrom openhcs_runtime.atomic import atomic_file\nfrom pathlib import Path\n"
    script += "with atomic_file(Path(sys.argv[1])) as file:\n    file.write(b'x'); file.flush(); os._exit(9)\n"
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "a" / "f")], check=False).returncode == 9
    assert len(list((tmp_path / "a").iterdir())) == 1
    with atomic_file(tmp_path / "b") as file:
        file.write(b"alive")
        remove_leftovers(tmp_path)
    assert list((tmp_path / "a").iterdir()) == []
    assert (tmp_path / "b").read_bytes() == b"alive"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_found(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OutputError, match="choose another output folder"):
        check_folder(tmp_path / "out")


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    check_folder(tmp_path / "new" / "out")
    check_folder(tmp_path / "kept")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


@pytest.mark.parametrize(("highest", "kind"), [(0, np.uint16), (65535, np.uint16), (65536, np.uint32)])
def test_labels_take_the_type_they_need(tmp_path: Path, highest: int, kind: type) -> None:
    labels = np.zeros((16, 17), np.int64)
    labels[3, 4] = highest
    write_labels(tmp_path / "l.tif", labels, 0.5)
    with tifffile.TiffFile(tmp_path / "l.tif") as file:
        page = file.pages.first
        assert page.dtype == kind
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert np.array_equal(page.asarray(), labels)


def test_planes_of_any_type_are_written(tmp_path: Path) -> None:
    for number, kind in enumerate((bool, np.uint8, np.float32, np.int32)):
        write_plane(tmp_path / f"{number}.tif", np.ones((4, 5), kind), None)
        assert tifffile.imread(tmp_path / f"{number}.tif").sum() == 20


def test_names_say_what_the_plate_has_several_of() -> None:
    everything = frozenset(Component)
    assert image_name(KEY, frozenset()) == "B02_s1_w2.tif"
    assert image_name(KEY, everything) == "B02_s1_w2_z1_t1.tif"
    assert image_name(ImageKey("B02", 1, 2, 0), everything) == "B02_s1_w2_t1.tif"


def part(well: str, values: dict[str, Cell], files: list[str] | None = None) -> WellRecord:
    key = ImageKey(well)
    return WellRecord(
        well=well,
        signature="s",
        files=[OutputFile(name, 3, "") for name in files or ()],
        measured=[measured_image(key, values)],
        elapsed_s=1.0,
    )


def test_measurements_become_one_table(tmp_path: Path) -> None:
    parts = [part("A01", {"n": 3, "mean_px2": 1 / 3}), part("B01", {"n": 0, "mean_px2": float("nan"), "more": 1})]
    for entry in parts:
        write_part(tmp_path, entry)
    assert read_part(tmp_path, "A01") == parts[0]
    assert read_part(tmp_path, "C01") is None
    write_measurements(tmp_path / "m.csv", parts)
    assert (tmp_path / "m.csv").read_text() == (
        "well,site,channel,z_index,timepoint,n,mean_px2,more\nA01,1,1,1,1,3,0.3333333333333333,\nB01,1,1,1,1,0,,1\n"
    )


def test_a_column_of_several_kinds_is_refused_by_name_and_well(tmp_path: Path) -> None:
    flags: tuple[Cell, ...] = (True, 1, 0.5, "yes")
    for one in flags:
        for other in flags:
            parts = [part("A01", {"ok": None}), part("A02", {"ok": one}), part("A03", {"ok": other})]
            if type(one) is type(other) or {type(one), type(other)} == {int, float}:
                write_measurements(tmp_path / "m.csv", parts)
                continue
            with pytest.raises(OutputError, match=r"column ok has .* in well A02 and .* in well A03"):
                write_measurements(tmp_path / "m.csv", parts)


def test_no_two_rows_have_the_same_key(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="well A01 has two rows"):
        write_measurements(tmp_path / "m.csv", [part("A01", {"n": 1}), part("A01", {"n": 1})])


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        0,
        1,
        -(2**63),
        2**63 - 1,
        0.1,
        1.0,
        -0.0,
        5e-324,
        1e300,
        math.inf,
        -math.inf,
        None,
        "",
        "nan",
        "inf",
    ],
)
def test_values_of_a_part_are_the_same_when_it_is_read(tmp_path: Path, value: Cell) -> None:
    write_part(tmp_path, part("A01", {"v": value}))
    found = read_part(tmp_path, "A01")
    assert found is not None
    [image] = found.measured
    assert (type(image.values["v"]), repr(image.values["v"])) == (type(value), repr(value))


def test_not_a_number_and_nothing_are_told_apart_in_a_part(tmp_path: Path) -> None:
    write_part(tmp_path, part("A01", {"nan": math.nan, "none": None, "count": 3, "x_count": 2}))
    found = read_part(tmp_path, "A01")
    assert found is not None
    assert isinstance(found.measured[0].values["nan"], float)
    assert found.measured[0].values["none"] is None
    assert found.counts == {"x_count": 2}


def test_a_file_that_the_disk_does_not_take_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with atomic_file(tmp_path / "a", sync=False) as file:
        file.write(b"a")
    sync_files([tmp_path / "a"])
    assert (tmp_path / "a").read_bytes() == b"a"
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DiskFullError, match=f"no space left in {tmp_path} for a"):
        sync_files([tmp_path / "a"])
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_left_for_a_well_goes_but_nothing_outside(tmp_path: Path) -> None:
    output = tmp_path / "out"
    outside = tmp_path / "precious"
    outside.write_text("stay")
    (output / "labels").mkdir(parents=True)
    (output / "labels" / "A01.tif").write_text("old")
    write_part(output, part("A01", {}, ["labels/A01.tif", "labels/gone.tif"]))
    discard_part(output, "A01")
    assert read_part(output, "A01") is None
    assert list((output / "labels").iterdir()) == []
    for name in ("../precious", str(outside)):
        write_part(output, part("A01", {}, [name]))
        with pytest.raises(DamagedResultError, match="lists files outside its folder"):
            read_part(output, "A01")
        discard_part(output, "A01")
        assert outside.exists()


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"well": 3}', b"\xff\xfe", b"null", b"[]", b'{"well": "A01"', b"\0" * 300]
)
def test_a_damaged_part_never_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    write_part(tmp_path, part("A01", {}))
    (tmp_path / "wells" / "A01.json").write_bytes(damage)
    with pytest.raises(DamagedResultError, match=r"A01\.json is damaged .*: resume the run"):
        read_part(tmp_path, "A01")
    discard_part(tmp_path, "A01")
    assert read_part(tmp_path, "A01") is None


def test_a_part_of_another_well_or_that_is_no_file_is_damaged(tmp_path: Path) -> None:
    write_part(tmp_path, part("A01", {}))
    (tmp_path / "wells" / "A01.json").rename(tmp_path / "wells" / "A02.json")
    with pytest.raises(DamagedResultError, match=r"A02\.json belongs to well A01"):
        read_part(tmp_path, "A02")
    (tmp_path / "wells" / "A03.json").mkdir()
    with pytest.raises(DamagedResultError, match=r"A03\.json cannot be read"):
        read_part(tmp_path, "A03")

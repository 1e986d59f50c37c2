"""Files that are whole or not there."""

import csv
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import tifffile

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import DiskFullError, OutputError
from openhcs_runtime.outputs.atomic import atomic_file, check_folder, remove_leftovers, sync_files
from openhcs_runtime.outputs.images import image_name, write_labels, write_plane
from openhcs_runtime.outputs.tables import join_objects, write_measurements, write_objects
from openhcs_runtime.outputs.wells import WellPart, discard_part, measured_image, read_part, write_part

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
    script = "import os, sys\nfrom openhcs_runtime.outputs.atomic import atomic_file\nfrom pathlib import Path\n"
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
    check_folder(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


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


def part(well: str, values: dict[str, int | float], files: list[str] | None = None) -> WellPart:
    key = ImageKey(well)
    return WellPart(
        well=well, signature="s", files=files or [], objects=None, measured=[measured_image(key, values)], elapsed_s=1.0
    )


def test_measurements_become_one_table(tmp_path: Path) -> None:
    parts = [part("A01", {"n": 3, "mean_px2": 1 / 3}), part("B01", {"n": 0, "mean_px2": float("nan"), "more": 1})]
    for entry in parts:
        write_part(tmp_path, entry)
    assert read_part(tmp_path, "A01") == parts[0]
    write_measurements(tmp_path / "m.csv", parts)
    assert (tmp_path / "m.csv").read_text() == (
        "well,site,channel,z_index,timepoint,n,mean_px2,more\nA01,1,1,1,1,3,0.333333333,\nB01,1,1,1,1,0,,1\n"
    )


def test_objects_become_one_table(tmp_path: Path) -> None:
    first = [(KEY, {"label": np.array([1, 2]), "area_px2": np.array([3.0, 4.5])}), (ImageKey("B02", 2), {})]
    write_objects(tmp_path / "1.csv", first)
    write_objects(tmp_path / "2.csv", [(ImageKey("B03"), {"area_px2": np.array([7.0]), "extra": np.array([1])})])
    join_objects(tmp_path / "all.csv", [tmp_path / "1.csv", tmp_path / "2.csv"])
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["well"], row["label"], row["area_px2"], row["extra"]) for row in rows] == [
        ("B02", "1", "3", ""),
        ("B02", "2", "4.5", ""),
        ("B03", "", "7", "1"),
    ]


def test_objects_of_equal_columns_are_joined_line_by_line(tmp_path: Path) -> None:
    for number in (1, 2):
        write_objects(tmp_path / f"{number}.csv", [(ImageKey(f"B0{number}"), {"label": np.array([number])})])
    join_objects(tmp_path / "all.csv", [tmp_path / "1.csv", tmp_path / "2.csv"])
    assert (tmp_path / "all.csv").read_text() == (
        "well,site,channel,z_index,timepoint,label\nB01,1,1,1,1,1\nB02,1,1,1,1,2\n"
    )


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
    write_part(output, part("A01", {}, ["labels/A01.tif", "../precious", "labels/gone.tif"]))
    discard_part(output, "A01")
    assert read_part(output, "A01") is None
    assert list((output / "labels").iterdir()) == []
    assert outside.exists()


def test_a_damaged_part_counts_as_none(tmp_path: Path) -> None:
    write_part(tmp_path, part("A01", {}))
    (tmp_path / "wells" / "A01.json").write_text('{"well": 3}')
    assert read_part(tmp_path, "A01") is None

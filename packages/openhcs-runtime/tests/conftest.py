"""Small plates, and the check that no test leaves anything running."""

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from openhcs_runtime.plates import make_plate
from openhcs_runtime.testing import command, display, free_port, gate, shared_command, shared_home
from zmqruntime.testing import isolated_home, no_leaks, zero_copy_thread

__all__ = [
    "command",
    "display",
    "free_port",
    "gate",
    "isolated_home",
    "no_leaks",
    "shared_command",
    "shared_home",
    "zero_copy_thread",
]


_DASKS_OWN_THREAD = "Dask-Offload"  # for the life of the process


@pytest.fixture(scope="session", autouse=True)
def _libraries_are_not_searched() -> None:
    """The collections after each test need not look through what was imported before the first one."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert multiprocessing.active_children() == []
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert [thread for thread in left if not thread.name.startswith(_DASKS_OWN_THREAD)] == []


@pytest.fixture
def zarr_ends() -> Iterator[None]:
    """zarr keeps threads for the next array; after the test they end."""
    before = set(threading.enumerate())
    yield
    import zarr.core.sync

    zarr.core.sync.cleanup_resources()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)


@pytest.fixture
def save_table(tmp_path: Path) -> Callable[..., Any]:
    """Write a table of a run in a folder of this test; returns the results in it, as ``open_results`` does."""

    def save(
        name: str,
        columns: Mapping[str, Sequence[Any]],
        kind: str = "objects",
        plate_map: Sequence[str] = (),
        measures: Mapping[str, Any] | None = None,
    ) -> Any:
        import pyarrow

        from openhcs_runtime.outputs.runs import FoundRun, RunStatus, RunSummary
        from openhcs_runtime.tables import places, read, schema, write

        keys = {"objects": schema.OBJECT_KEYS, "images": schema.IMAGE_KEYS, "wells": schema.WELL_KEYS}[kind]
        described = schema.TableSchema(
            table=name,
            kind=schema.TableKind(kind),
            keys=keys,
            plate_map=tuple(plate_map),
            measures={
                each: (measures or {}).get(each, schema.Measure(measure=each))
                for each in columns
                if each not in (*keys, *plate_map)
            },
        )
        path = places.table_path(tmp_path / "run", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write.write_table(path, described, pyarrow.table({each: columns[each] for each in described.columns}))
        return read.Results(FoundRun(RunSummary(tmp_path / "run", RunStatus.COMPLETE)))

    return save


@pytest.fixture
def no_dask_threads() -> Iterator[None]:
    """What other people's libraries compute with dask they compute in the test's thread."""
    with import_module("dask").config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="session")
def small_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four wells, two sites, two channels, 64 x 64 pixels. Read only."""
    return make_plate(tmp_path_factory.mktemp("plates") / "small", wells=4, sites=2, channels=2, size=64, seed=5)


@pytest.fixture
def new_plate(tmp_path: Path) -> Callable[..., Path]:
    """Make a plate of this test's own; 4 wells, 1 site, 1 channel, 64 x 64 pixels unless told otherwise."""

    def make(name: str = "plate", **options: Any) -> Path:
        return make_plate(tmp_path / name, **{"wells": 4, "sites": 1, "channels": 1, "size": 64, **options})

    return make


@pytest.fixture(scope="session")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three wells of 128 x 128 pixels. Read only."""
    return make_plate(tmp_path_factory.mktemp("service") / "plate", wells=3, sites=1, channels=1, size=128)


@pytest.fixture
def half_plate(plate: Path, tmp_path: Path) -> Path:
    """The same, but the image of A02 is cut in half."""
    copy = tmp_path / "half"
    shutil.copytree(plate, copy)
    image = next(copy.rglob("*_A02_*.tif"))
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    return copy


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 KiB; skips where this user may not mount one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux to mount a small file system")
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)

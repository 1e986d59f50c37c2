"""Times the opening and the reading of plates: next to a bare listing, to zarr-python and tensorstore, and over HTTP.

    python tools/bench/plates.py

The web server is one of this machine that waits 20 ms before each answer.
"""

import argparse
import contextlib
import functools
import http.server
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from openhcs_runtime.plates import Plate, make_plate, open_plate

ROUNDS = 7
DELAY_SECONDS = 0.02
PARALLEL = 8


def main() -> None:
    """Make the plates and print one line for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--wells", type=int, default=384, help="wells of the plate that is opened [default: 384]")
    wells = parser.parse_args().wells
    with tempfile.TemporaryDirectory() as folder:
        opening(write_files(Path(folder) / "files", wells))
        zarr_planes(make_plate(Path(folder) / "p.zarr", wells=8, sites=2, channels=2, size=1024, format="ome_zarr"))
        over_http(Path(folder), "p.zarr")


def show(what: str, ours: float, peer: float, bar: float) -> None:
    """Print seconds, the ratio to a peer, and the bar."""
    print(f"{what:<64} {ours * 1e3:10.1f} ms  peer {peer * 1e3:10.1f} ms  ratio {ours / peer:5.2f}  bar {bar:g}")


def in_turn(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds of two functions that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        for call, of in zip((ours, peer), times, strict=True):
            begun = time.perf_counter()
            call()
            of.append(time.perf_counter() - begun)
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def write_files(folder: Path, wells: int) -> Path:
    """Write a plate of equal small files, 9 sites and 4 channels each."""
    below = folder / "TimePoint_1"
    below.mkdir(parents=True)
    tifffile.imwrite(below / "first.tif", np.zeros((64, 64), np.uint16))
    data = (below / "first.tif").read_bytes()
    (below / "first.tif").unlink()
    for well in range(wells):
        name = f"{chr(65 + well // 24)}{well % 24 + 1:02d}"
        for site in range(1, 10):
            for channel in range(1, 5):
                (below / f"plate_{name}_s{site}_w{channel}.tif").write_bytes(data)
    return folder


def opening(folder: Path) -> None:
    """Compare opening a plate with a bare listing and one header."""

    def bare() -> None:
        with os.scandir(folder / "TimePoint_1") as entries:
            sizes = {entry.path: entry.stat().st_size for entry in entries}
        with tifffile.TiffFile(next(iter(sizes))) as file:
            assert file.pages.first.shape

    ours, peer = in_turn(lambda: open_plate(folder).pixel_size_um, bare)
    files = len(os.listdir(folder / "TimePoint_1"))
    show(f"open a plate of {files:,} files; os.scandir and a tifffile header", ours, peer, 3)


def zarr_planes(folder: Path) -> None:
    """Compare reading all planes of an OME-Zarr plate with the libraries."""
    plate = open_plate(folder)
    images = [image for of_well in plate.images.values() for image in of_well]
    places = [(image.path, tuple(at for at in image.index if at >= 0)) for image in images]

    def by_us() -> None:
        for image in images:
            assert plate.read(image).ndim == 2

    def by_zarr() -> None:
        for path, index in places:
            assert np.asarray(zarr.open_array(path, mode="r")[index]).ndim == 2

    ours, peer = in_turn(by_us, by_zarr)
    show(f"read {len(images)} planes of OME-Zarr; zarr-python", ours, peer, 1.2)
    if find_spec("tensorstore") is None:
        print("tensorstore is not installed: pip install tensorstore to compare with it")
        return
    import tensorstore  # noqa: PLC0415  optional

    def by_tensorstore() -> None:
        for path, index in places:
            spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}
            assert tensorstore.open(spec).result()[index].read().result().ndim == 2

    ours, peer = in_turn(by_us, by_tensorstore)
    show(f"read {len(images)} planes of OME-Zarr; tensorstore", ours, peer, 1.2)


class _SlowHandler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """Wait, then answer."""
        time.sleep(DELAY_SECONDS)
        super().do_GET()


def over_http(folder: Path, name: str) -> None:
    """Compare 8 wells that are read in parallel over HTTP with the same from disk, each with some computing."""
    local = open_plate(folder / name)
    with contextlib.ExitStack() as stack:
        urls = iter([stack.enter_context(served(folder)) for _ in range(ROUNDS + 1)])
        ours, peer = in_turn(lambda: process(open_plate(f"{next(urls)}/{name}")), lambda: process(local))
    show(f"{PARALLEL} wells in parallel over HTTP with 20 ms a request; disk", ours, peer, 1.5)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder slowly, and yield its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_SlowHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def process(plate: Plate) -> None:
    """Read and filter all images, several wells at a time."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415

    def well(name: str) -> None:
        for image in plate.images[name]:
            gaussian_filter(plate.read(image).astype(np.float32), 4)

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(well, plate.wells))


if __name__ == "__main__":
    main()

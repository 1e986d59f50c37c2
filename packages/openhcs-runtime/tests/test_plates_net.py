"""Plates on the net, read from real servers on this machine: a web server, one that loses connections, and an S3."""

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import from_url

from openhcs_runtime.config import ExecutionMode, GlobalConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.exceptions import ImageError, PlateError
from openhcs_runtime.pipeline.source import load_pipeline
from openhcs_runtime.plates import Plate, find_plates, make_plate, open_plate
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.stores.cache import Cache
from openhcs_runtime.stores.path import StorePath, is_url

pytestmark = pytest.mark.usefixtures("zarr_ends")

FORMATS = ["ome_zarr", "imagexpress", "opera_phenix"]
MORE_FORMATS = [
    "yokogawa_cv",
    "yokogawa_cq1",
    "in_cell",
    "scanr",
    "cellomics",
    "squid",
    "micro_manager",
    "leica_matrix_screener",
]
MEANS = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import measure_intensity, segment_nuclei
pipeline_steps = [FunctionStep(segment_nuclei), FunctionStep(measure_intensity)]
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without printing; loses each connection to a file whose name is in ``server.lost``, once."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """Serve, or close the connection in the middle of the answer."""
        server = self.server
        assert isinstance(server, Web)
        server.requests.append(self.path)
        if self.path in server.lost or self.path.startswith(server.dead):
            server.lost = [path for path in server.lost if path != self.path]
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return
        super().do_GET()


class Web(http.server.ThreadingHTTPServer):
    """A web server of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.lost: list[str] = []
        self.dead: tuple[str, ...] = ()
        """Beginnings of paths for which every connection is lost."""
        self.requests: list[str] = []

    def url(self, name: str) -> str:
        """Return the address of a file or folder."""
        return f"http://127.0.0.1:{self.server_port}/{quote(name)}"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    server = Web(tmp_path)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def assert_equal(remote: Plate, local: Plate) -> None:
    """Check that two plates are the same but for where they are."""
    assert (remote.format, remote.wells, remote.problems) == (local.format, local.wells, local.problems)
    assert (remote.pixel_size_um, remote.z_step_um) == (local.pixel_size_um, local.z_step_um)
    assert (remote.channel_names, remote.positions) == (local.channel_names, local.positions)
    for well in local.wells:
        assert [image.key for image in remote.images[well]] == [image.key for image in local.images[well]]
        for far, near in zip(remote.images[well], local.images[well], strict=True):
            assert np.array_equal(remote.read(far), local.read(near))


@pytest.mark.parametrize("kind", [*FORMATS, *MORE_FORMATS])
def test_a_plate_on_a_web_server_is_the_same(web: Web, tmp_path: Path, kind: str) -> None:
    name = "a plate #1 100%"
    z = 1 if kind == "cellomics" else 2
    make_plate(tmp_path / name, wells=2, sites=2, channels=2, z=z, size=64, format=kind)
    remote = open_plate(web.url(name) + "/")
    assert str(remote.path) == web.url(name)
    assert_equal(remote, open_plate(tmp_path / name))


def test_a_lost_connection_is_tried_again(web: Web, tmp_path: Path) -> None:
    plate = open_plate(make_plate(tmp_path / "p", wells=1, sites=1, channels=1, size=64))
    remote = open_plate(web.url("p"))
    image = remote.images["A01"][0]
    web.lost.append("/" + image.path.split("/", 3)[3])
    fresh = StorePath.parse(image.path.replace("127.0.0.1", "localhost"))  # not in the cache
    assert len(fresh.read_bytes()) == plate.images["A01"][0].size
    assert web.lost == []


def test_a_chunk_that_a_server_lacks_fails_its_well(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plate(tmp_path / "p.zarr", wells=2, sites=1, channels=1, size=64, format="ome_zarr")
    shutil.rmtree(tmp_path / "p.zarr" / "A" / "02" / "0" / "0" / "c")
    pipeline = load_pipeline(MEANS)
    monkeypatch.chdir(tmp_path)
    with PipelineOrchestrator(web.url("p.zarr"), pipeline, GlobalConfig(num_workers=2)) as orchestrator:
        orchestrator.initialize()
        orchestrator.compile()
        result = orchestrator.execute()
    assert [(well.well, well.status) for well in result.wells] == [
        ("A01", ResultStatus.COMPLETE),
        ("A02", ResultStatus.FAILED),
    ]
    assert "A/02/0/0" in result.wells[1].error
    assert Path(result.output_dir).parent == tmp_path / "p.zarr_results"
    assert result.plate_path == web.url("p.zarr")
    assert web.url("p.zarr") in (Path(result.output_dir) / "provenance.json").read_text(encoding="utf-8")


def test_connections_that_stay_lost_fail_only_their_well(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plate(tmp_path / "p.zarr", wells=3, sites=1, channels=1, size=64, format="ome_zarr")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("openhcs_runtime.stores.remote._RETRY_SECONDS", 0.2)
    here = GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS)
    with PipelineOrchestrator(web.url("p.zarr"), load_pipeline(MEANS), here) as orchestrator:
        orchestrator.initialize()
        orchestrator.compile()
        web.dead = ("/p.zarr/A/02/0/0/c",)
        result = orchestrator.execute()
    assert [well.status for well in result.wells] == [
        ResultStatus.COMPLETE,
        ResultStatus.FAILED,
        ResultStatus.COMPLETE,
    ]
    assert "A/02/0/0" in result.wells[1].error
    assert sum(path.startswith("/p.zarr/A/02/0/0/c") for path in web.requests) > 1  # it was tried again


def test_a_run_without_known_times_is_computed_again(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_plate(tmp_path / "p.zarr", wells=1, sites=1, channels=1, size=64, format="ome_zarr")
    monkeypatch.chdir(tmp_path)
    taken = []
    for _ in range(2):
        with PipelineOrchestrator(web.url("p.zarr"), load_pipeline(MEANS), GlobalConfig(num_workers=1)) as orchestrator:
            orchestrator.initialize()
            orchestrator.compile()
            taken += [well.taken_from for well in orchestrator.execute().wells]
    assert taken == ["", ""]


def test_what_is_not_there_and_what_cannot_be_reached_differ(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openhcs_runtime.stores.remote._RETRY_SECONDS", 0.2)
    with pytest.raises(PlateError, match=f"no images at {web.url('nothing')}: give the address"):
        open_plate(web.url("nothing"))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(PlateError, match=rf"http://127.0.0.1:{port}/p can't be read: Connection refused"):
        open_plate(f"http://127.0.0.1:{port}/p")


@pytest.mark.parametrize("url", ["ftp://host/p", "s3:/bucket/p", "https:/host/p", "memory://x", "https://h/p?sig=1"])
def test_a_url_that_cannot_be_read_keeps_its_slashes_in_the_message(url: str) -> None:
    with pytest.raises(PlateError) as refused:
        open_plate(url)
    assert str(refused.value).startswith(f"{url} can't be read")


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/p", "http://[::1/p", "https://me:secret@host/p"])
def test_a_url_that_is_not_valid_is_said_without_its_password(url: str) -> None:
    with pytest.raises(PlateError, match=r"can't be read: (its host or port|a user name or password)") as refused:
        open_plate(url)
    assert "secret" not in str(refused.value)


def test_a_server_that_answers_with_pages_is_no_zarr_group(web: Web, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "zarr.json").write_text("<html>Not what you are looking for</html>")
    with pytest.raises(PlateError, match="no images at"):
        open_plate(web.url("p"))


def test_what_is_a_url() -> None:
    assert [is_url(text) for text in ("s3://b/k", "https:/x", "/a/b", "a/b", "C:/plates", "C:\\plates", "plate:1")] == [
        True,
        True,
        *[False] * 5,
    ]


def test_the_command_line_takes_a_url(web: Web, tmp_path: Path) -> None:
    make_plate(tmp_path / "p.zarr", wells=1, sites=1, channels=1, size=64, format="ome_zarr")
    command = [sys.executable, "-m", "openhcs_runtime.cli", "info", web.url("p.zarr")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert web.url("p.zarr") in shown
    assert "OME-Zarr" in shown


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, str], str]]:
    """Start an S3 server; gives a function that copies a folder there and returns its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    name = f"plates-{port}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=30).close()

    store = from_url(f"s3://{name}", client_options={"allow_http": True})

    def put(folder: Path, key: str) -> str:
        for path in folder.rglob("*"):
            if path.is_file():
                store.put(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"s3://{name}/{key}"

    yield put
    server.stop()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_plate_in_a_bucket_is_the_same(bucket: Callable[[Path, str], str], tmp_path: Path, kind: str) -> None:
    local = make_plate(tmp_path / "p", wells=2, sites=1, channels=2, z=2, size=64, format=kind)
    url = bucket(local, f"sets/{kind} x")
    remote = open_plate(url)
    assert str(remote.path) == url
    assert_equal(remote, open_plate(local))
    image = remote.images["A01"][0]
    assert image.size == open_plate(local).images["A01"][0].size
    assert image.mtime_ns


def test_the_plates_in_a_bucket_are_found(bucket: Callable[[Path, str], str], tmp_path: Path) -> None:
    make_plate(tmp_path / "screen" / "p1", wells=1, sites=1, channels=1, size=32)
    make_plate(tmp_path / "screen" / "p2", wells=1, sites=1, channels=1, size=32, format="ome_zarr")
    url = bucket(tmp_path / "screen", "my screen")
    found = [(str(each.path), each.format) for each in find_plates(url)]
    assert found == [(f"{url}/p1", "imagexpress"), (f"{url}/p2", "ome_zarr")]
    listed = subprocess.run(
        [sys.executable, "-m", "openhcs_runtime.cli", "info", url], capture_output=True, text=True, check=False
    )
    assert (listed.returncode, listed.stderr) == (0, "")
    assert f"2 plates in {url}\n" in listed.stdout
    assert [line.split()[:3] for line in listed.stdout.splitlines()[3:]] == [
        ["p1", "imagexpress", "1"],
        ["p2", "ome_zarr", "1"],
    ]


def test_the_planes_that_a_bucket_lacks_are_missing(bucket: Callable[[Path, str], str], tmp_path: Path) -> None:
    local = make_plate(tmp_path / "p", wells=1, sites=2, channels=1, size=64, format="ome_zarr")
    shutil.rmtree(local / "A" / "01" / "1" / "0" / "c")
    remote = open_plate(bucket(local, "p"))
    assert [key.site for key in remote.missing["A01"]] == [2]


def test_a_pattern_works_in_a_bucket(bucket: Callable[[Path, str], str], tmp_path: Path) -> None:
    make_plate(tmp_path / "p", wells=2, sites=1, channels=1, size=64)
    remote = open_plate(bucket(tmp_path / "p", "q"), pattern=r"TimePoint_1/p_(?P<well>[A-P]\d\d)_s(?P<site>\d)_w1")
    assert (remote.wells, len(remote.images["A01"])) == (("A01", "A02"), 1)


def test_a_damaged_image_in_a_bucket_is_named(bucket: Callable[[Path, str], str], tmp_path: Path) -> None:
    local = make_plate(tmp_path / "p", wells=1, sites=2, channels=1, size=64)
    damaged = sorted((local / "TimePoint_1").glob("*.tif"))[1]
    damaged.write_bytes(damaged.read_bytes()[:5000])
    remote = open_plate(bucket(local, "p"))
    with pytest.raises(ImageError, match=damaged.name):
        remote.read(remote.images["A01"][1])


def test_a_cache_is_bounded_and_forgets() -> None:
    read: list[str] = []

    def reader(key: str, size: int) -> Callable[[], bytes]:
        def now() -> bytes:
            read.append(key)
            if not size:
                raise FileNotFoundError(key)
            return bytes(size)

        return now

    cache: Cache[str] = Cache(most_bytes=3000)
    assert cache.get("a", reader("a", 1000)) == cache.get("a", reader("a", 1000))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            cache.get("none", reader("none", 0))
    assert read == ["a", "none"]
    cache.get("b", reader("b", 2500))
    cache.get("a", reader("a", 1000))
    assert read == ["a", "none", "b", "a"]
    old: Cache[str] = Cache(seconds=-1.0)
    old.get("a", reader("a", 10))
    old.get("a", reader("a", 10))
    assert read[-2:] == ["a", "a"]


def test_a_bucket_without_permission_is_said(
    bucket: Callable[[Path, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = bucket(make_plate(tmp_path / "p", wells=1, sites=1, channels=1, size=64, format="ome_zarr"), "p")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PlateError, match=f"{url} can't be read: access is denied .*AWS_ACCESS_KEY_ID"):
        open_plate(url)

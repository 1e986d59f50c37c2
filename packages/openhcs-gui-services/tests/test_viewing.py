"""Images of a plate in a viewer, as the window asks for them, with a real viewer on a real socket."""

import asyncio
import importlib.machinery
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.viewing import ImagesViewer, ViewRequest
from openhcs_runtime.plates import make_plate
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.streaming import Position, StreamingVisualizerServer

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

PORT = 7892
SECONDS = 60.0


class Viewer(StreamingVisualizerServer):
    """Notes where it goes, and can be held up."""

    def __init__(self) -> None:
        super().__init__(PORT, config=OPENHCS_CONFIG)
        self.went_to: list[Position] = []
        self.has_image = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def display_image(self, image_data: NDArray[Any], metadata: dict[str, Any]) -> None:
        self.has_image.set()
        assert self.may_go_on.wait(SECONDS)

    def navigate(self, position: Position) -> None:
        self.went_to.append(position)


@pytest.fixture
def viewer(isolated_home: Path) -> Iterator[Viewer]:
    with Viewer() as viewer:
        yield viewer


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    return make_plate(tmp_path / "p2", wells=2, sites=1, channels=1, size=64)


def _request(plate: Path, well: str = "", viewer: str = f"fiji:{PORT}") -> ViewRequest:
    return ViewRequest(PlateSource(str(plate)), None, well, viewer)


def _ask(*requests: ViewRequest) -> list[tuple[str, bool]]:
    """What is said, without that something is being opened."""
    said: list[tuple[str, bool]] = []

    async def ask() -> None:
        images = ImagesViewer(lambda text, is_error: said.append((text, is_error)))
        for request in requests:
            await images.show(request)

    asyncio.run(ask())
    return [one for one in said if not one[0].startswith("Opening ")]


def test_a_plate_that_has_not_been_run_is_shown(viewer: Viewer, plate: Path) -> None:
    assert _ask(_request(plate, "A02"), _request(plate, "A02"), _request(plate)) == [
        (f"1 image of well A02 of p2 in fiji:{PORT}", False),
        (f"1 image of well A02 of p2 in fiji:{PORT}", False),
        (f"2 images of p2 in fiji:{PORT}", False),
    ]
    assert [place["well"] for place in viewer.went_to] == ["A02", "A02", "A01"]
    assert {(place["plate"], place["run"]) for place in viewer.went_to} == {(str(plate), "")}


def test_the_newest_well_wins(viewer: Viewer, plate: Path) -> None:
    said: list[str] = []

    async def click_twice() -> None:
        images = ImagesViewer(lambda text, is_error: said.append(text))
        viewer.may_go_on.clear()
        first = asyncio.create_task(images.show(_request(plate, "A01")))
        assert await asyncio.to_thread(viewer.has_image.wait, SECONDS)
        second = asyncio.create_task(images.show(_request(plate, "A02")))
        await first
        viewer.may_go_on.set()
        await second

    asyncio.run(click_twice())
    assert said[-1] == f"1 image of well A02 of p2 in fiji:{PORT}"
    assert not any("image of well A01" in text for text in said)
    assert [place["well"] for place in viewer.went_to] == ["A02"]


def test_a_viewer_that_is_not_installed_is_named_with_the_remedy(plate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    remedy = "napari is not installed: pip install 'openhcs-runtime[napari]', or choose Fiji in Settings"
    assert _ask(_request(plate, viewer="napari:7893")) == [(remedy, True)]


def test_what_can_not_be_shown_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(name, None))
    ((text, is_error),) = _ask(_request(tmp_path / "away", viewer="fiji:7894"))
    assert is_error
    assert text.startswith(f"{tmp_path / 'away'} has neither results nor images that can be shown: no such plate")

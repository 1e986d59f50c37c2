"""The page of ``zmqruntime web`` in a browser: a plate live and after its end, by keyboard, on a phone, and lost."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser

from openhcs_runtime import (
    Component,
    ExecutionMode,
    FunctionStep,
    GlobalConfig,
    PipelineConfig,
    PipelineOrchestrator,
    make_plate,
)
from openhcs_runtime.functions import measure_objects, segment_nuclei
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.cli.commands.web import find_places
from zmqruntime.execution.web.serve import PageServer
from zmqruntime.execution.web.settings import WebSettings

SERVER = Path(__file__).with_name("page_server.py")
PORT = 7777
ODD = "<img src=x onerror=document.title='hacked'>\x1b[31m"
SHOWN = "<img src=x onerror=document.title='hacked'>"
NUCLEI = FunctionStep(
    {1: [segment_nuclei, (measure_objects, {"name": "nuclei"})]}, name="Nuclei", group_by=Component.CHANNEL
)
LINES = "[...document.querySelectorAll('.log .text')].map(one => one.textContent)"
WELL = "document.querySelector('.plate-panel .well').textContent"
STATE = "document.querySelector('h1 + .pill')?.textContent"
VIEW = "document.querySelector('.plate-panel select')"


@contextlib.contextmanager
def served(settings: WebSettings) -> Iterator[PageServer]:
    """The page, from a thread of this process."""
    page = PageServer(find_places, settings)
    thread = threading.Thread(target=page.run)
    thread.start()
    try:
        yield page
    finally:
        page.stop()
        thread.join()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The result of the run of a small plate with a damaged image."""
    plate = make_plate(tmp_path_factory.mktemp("page") / "plate", wells=4, sites=1, channels=1, size=96)
    damaged = next(plate.rglob("*_A02_*"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    config = GlobalConfig(1, ExecutionMode.THREADS)
    with PipelineOrchestrator(plate, [NUCLEI], config, PipelineConfig()) as orchestrator:
        return orchestrator.run().to_dict()


@pytest.fixture
def client(isolated_home: Path) -> Iterator[ExecutionClient]:
    client = ExecutionClient(PORT, server=f"{SERVER}:PageServer", config=OPENHCS_CONFIG, persistent=False)
    client.connect(60)
    yield client
    client.disconnect()


def choose(browser: Browser, view: str) -> None:
    """Choose what the map shows."""
    option = f"[...{VIEW}.options].find(one => one.value.includes({view!r}))"
    browser.run(f"({VIEW}.value = {option}.value, {VIEW}.dispatchEvent(new Event('change')))")


def test_page_in_a_browser(client: ExecutionClient, run: dict[str, object], tmp_path: Path) -> None:
    """One browser for all of it, since each takes seconds to start."""
    go = tmp_path / "go"
    task = {"do": "plate", "count": 4, "failed": {"A02": ODD}, "go": str(go), "result": run}
    execution = client.submit(task, plate_id=ODD)
    settings = WebSettings.safe(port=0, allow_actions=True)
    with Browser(1280, 900) as browser:
        with served(settings) as page:
            port = page.settings.port
            browser.load(page.url)
            browser.until("document.querySelector('.cards a')")
            assert browser.run("location.search") == ""  # the token does not stay in the address
            _by_keyboard(browser)
            browser.until(f"{STATE} === 'running' && {LINES}.length > 3")
            _live_plate(browser)
            known = browser.run(LINES)
        browser.until("document.querySelector('.link.lost')")
        with served(WebSettings(port=port, token=settings.token, allow_actions=True)):
            browser.until(f"{LINES}.length > {len(known) + 3} && document.querySelector('.link.live')")
            texts = browser.run(LINES)
            assert texts == [f"line {number + 1} <i>odd</i>" for number in range(len(texts))]
            go.touch()
            client.wait(execution, 60)
            _ended_plate(browser)
            _on_a_phone(browser, execution)
        assert browser.run("document.title").startswith(execution[:12])
        said = [line for line in browser.console if "Failed to load resource" not in line]
        assert said == []  # no error, and nothing that the policy has refused


def _by_keyboard(browser: Browser) -> None:
    """From the list of servers to an execution, without a pointer."""
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    while browser.run("!document.activeElement.matches('.cards a')"):
        browser.press("Tab")
    browser.press("Return")
    browser.until("document.querySelector('a.row .name')")
    assert browser.run("document.activeElement.id") == "main"
    assert browser.run("document.querySelector('a.row .name').textContent") == SHOWN
    browser.press("Slash")
    assert browser.run("document.activeElement.type") == "search"
    browser.type("nobody")
    browser.until("document.querySelector('section[aria-label=Ended]').innerText.includes('0 found')")
    browser.run("document.querySelector('a.row').focus()")
    browser.press("Return")
    browser.until("document.querySelector('.plate-map')")


def _live_plate(browser: Browser) -> None:
    """The map while the run is under way: arrow keys, and the failed well with its error as text."""
    browser.until("document.querySelector('.plate-panel .count').textContent === '4 wells: 3 running, 1 failed'")
    browser.run("document.querySelector('.plate-map').focus()")
    browser.press("Right")
    assert browser.run(WELL) == "A01"
    browser.press("Right")
    assert browser.run(WELL) == "A02"
    assert browser.run("document.querySelector('.side .quiet').textContent") == f"failed\n{SHOWN}"
    assert browser.run("document.querySelector('.failed-wells').innerText").startswith(f"A02 {SHOWN}")
    assert browser.run("document.querySelectorAll('main img:not(.side img)').length") == 0


def _ended_plate(browser: Browser) -> None:
    """A heat map, thumbnails, and the errors of the result."""
    browser.until(f"{STATE} === 'complete' && {VIEW}.querySelectorAll('optgroup').length")
    assert browser.run("document.querySelector('.plate-panel .count').textContent") == "4 wells: 3 complete, 1 failed"
    assert "A02" in browser.run("document.querySelector('.failed-wells').innerText")
    assert "nuclei count" in browser.run("document.querySelector('.plate-panel .card > .facts').textContent")
    choose(browser, "nuclei_count")
    browser.until("document.querySelector('.scale canvas')")
    browser.run("document.querySelector('.plate-map').focus()")
    browser.press("Home")
    browser.until("document.querySelector('.side').innerText.includes('nuclei count:')")
    browser.until("(image => !image.hidden && image.naturalWidth > 10)(document.querySelector('.side img'))")
    choose(browser, "pictures")
    browser.until("document.querySelector('.key').hidden && document.querySelector('.scale').hidden")
    browser.until("document.querySelector('section[aria-label=Result] dd')")


def _on_a_phone(browser: Browser, execution: str) -> None:
    """Nothing is wider than 390 pixels, on any of the three views."""
    browser.resize(390, 844)
    for place in (f"openhcs:{PORT}/{execution}", f"openhcs:{PORT}", ""):
        browser.run(f"void (location.hash = '#/{place}')")
        browser.until(f"document.querySelector('{'h1 + .pill' if place else '.cards a'}')?.textContent")
        assert browser.run("document.documentElement.scrollWidth") <= 390
    browser.run("history.go(-2)")
    browser.until("document.querySelector('.plate-panel canvas')?.width > 300")
    assert browser.run("document.documentElement.scrollWidth") <= 390

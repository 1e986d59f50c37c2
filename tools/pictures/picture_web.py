"""Make docs/images/web.png, web_dark.png and web_phone.png: the page of a run, in a browser without a screen."""

import os
import sys
import tempfile
import threading
from pathlib import Path

from PIL import Image

from openhcs_runtime import ZMQExecutionClient, make_plate
from zmqruntime.execution.cli.commands.web import find_places
from zmqruntime.execution.web.serve import PageServer
from zmqruntime.execution.web.settings import WebSettings

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from browser import Browser  # noqa: E402

IMAGES = ROOT / "docs" / "images"
FAILED = ("B07", "F03")
CHOSEN = "C05"
PORT = 7777
HIDE_PATH = """(() => {
  const hide = () => {
    const one = document.querySelector("main > .quiet");
    const shown = one?.textContent.replace(/^.*(?=[/]2026)/, "/data");
    if (shown && shown !== one.textContent) one.textContent = shown;
  };
  new MutationObserver(hide).observe(document.body, { subtree: true, childList: true, characterData: true });
  hide();
})() ?? 0"""
"""Shows another path of the plate, which is in a folder of the moment, also after the page has changed."""
DONE = 50
PIPELINE = """
from openhcs_runtime import FunctionStep, Component
from openhcs_runtime.functions import measure_objects, measure_quality, segment_nuclei

pipeline_steps = [
    FunctionStep(measure_quality),
    FunctionStep({1: [segment_nuclei, (measure_objects, {"name": "nuclei"})]}, group_by=Component.CHANNEL),
]
"""


def main() -> None:
    """Run a plate with two damaged images, and take pictures of its page."""
    with tempfile.TemporaryDirectory(prefix="pw") as folder:
        home = Path(folder)
        os.environ["HOME"] = folder
        os.chdir(home)
        plate = make_plate(home / "2026-11-30_kinases", wells=96, sites=2, channels=2, size=256)
        for well in FAILED:
            damaged = next(plate.rglob(f"*_{well}_*w1*.tif"))
            damaged.write_bytes(damaged.read_bytes()[:200])
        (home / "nuclei.py").write_text(PIPELINE, encoding="utf-8")
        with ZMQExecutionClient(PORT, persistent=False) as client:
            client.connect(120)
            task = client.submit_pipeline(plate, home / "nuclei.py")
            page = PageServer(find_places, WebSettings.safe(port=0))
            thread = threading.Thread(target=page.run)
            thread.start()
            try:
                take(f"{page.url}#/openhcs:{PORT}/{task.execution_id}")
            finally:
                page.stop()
                thread.join()
                client.cancel(task.execution_id, grace_seconds=0)
                client.wait(task.execution_id)
    print(f"Made {IMAGES / 'web.png'}, web_dark.png and web_phone.png")


def take(url: str) -> None:
    """Take all pictures."""
    with Browser(1240, 1010) as browser:
        show(browser, url)
        save(browser, IMAGES / "web.png")
        browser.resize(390, 844)
        save(browser, IMAGES / "web_phone.png")
    with Browser(1240, 1010, dark=True) as browser:
        show(browser, url)
        save(browser, IMAGES / "web_dark.png")


def show(browser: Browser, url: str) -> None:
    """Show the plate with a chosen well."""
    browser.load(url)
    browser.until(f"Number(document.body.innerText.match(/(\\d+) complete/)?.[1] ?? 0) >= {DONE}", 600)
    browser.run("document.querySelector('.plate-map').focus({preventScroll: true})")
    browser.press("Home", "Down", "Down", "Right", "Right", "Right", "Right")
    browser.until(f"document.querySelector('.plate-panel .well').textContent === '{CHOSEN}'")
    browser.until("(image => image.complete && !image.hidden)(document.querySelector('.side img'))")
    browser.run("document.activeElement.blur() ?? 0")
    browser.run(HIDE_PATH)


def save(browser: Browser, path: Path) -> None:
    """Save what the browser shows, in few colours.

    Raises:
        RuntimeError: a path of this machine is shown.
    """
    if tempfile.gettempdir() in browser.run("document.body.innerText"):
        raise RuntimeError(f"{path.name} would show a path of this machine: hide it in HIDE_PATH")
    browser.picture(path)
    Image.open(path).convert("RGB").quantize(160).save(path, optimize=True)


if __name__ == "__main__":
    main()

"""Make docs/images/napari.png: the results of a run in napari. Needs a screen, such as that of xvfb-run."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewers.napari import NapariProcessManager
from zmqruntime.streaming import ImageStream

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "napari.png"
PORT = 5636


def main() -> None:
    """Run a pipeline on a synthetic plate, show its results, and take a picture of the window."""
    with tempfile.TemporaryDirectory(prefix="pn") as home:
        os.environ["HOME"] = home
        command("make-plate", "demo", folder=home)
        command("run", "demo", folder=home)
        try:
            command("view", "demo", "--view", f"napari:{PORT}", folder=home)
            with ImageStream(PORT, config=OPENHCS_CONFIG) as stream:
                stream.wait_connected()
                stream.navigate({"well": "A02", "site": 1})
                picture = Image.fromarray(stream.screenshot()[..., :3])
                picture.quantize(128).save(PICTURE, optimize=True)
        finally:
            NapariProcessManager(PORT, config=OPENHCS_CONFIG).stop()
            command("stop", folder=home)
    print(f"Made {PICTURE}")


def command(*arguments: str, folder: str) -> None:
    """Run an openhcs-runtime command."""
    subprocess.run([sys.executable, "-m", "openhcs_runtime.cli", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    main()

"""The examples in the packages' READMEs run as they stand."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from docs_blocks import Kind, blocks

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["zmqruntime-execution", "zmqruntime-streaming", "openhcs-gui-services"]

pytestmark = pytest.mark.skipif(find_spec("openhcs_gui_services") is None, reason="not all packages are installed")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_example_runs(package: str, tmp_path: Path) -> None:
    page = ROOT / "packages" / package / "README.md"
    code = [each.text for each in blocks(page) if each.kind is Kind.PYTHON and each.reason is None]
    assert code
    if package != "zmqruntime-execution":  # whose examples are programs of their own
        code = ["\n".join(code)]
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    env = {**os.environ, **home, "QT_QPA_PLATFORM": "offscreen"}
    wrong = []
    for number, text in enumerate(code):
        named = re.match(r"# (\w+\.py)\n", text)
        example = tmp_path / (named[1] if named else f"example_{number}.py")
        example.write_text(text.replace("app.exec()", "app.processEvents()"), encoding="utf-8")
        command = [sys.executable, "-W", "error", str(example)]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
        wrong += [done.stderr] if done.returncode else []
    if package == "zmqruntime-execution":  # the server of an executor stays, on purpose
        stop = [sys.executable, "-m", "zmqruntime.execution.cli", "stop"]
        subprocess.run(stop, env=env, cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert not wrong, "\n".join(wrong)

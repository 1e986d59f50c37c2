#!/usr/bin/env python3
"""Prepares a release: checks, builds, tries each wheel alone, and prints what is left for a person to do.

    python3 tools/release/release.py             everything; the files are then in dist/
    python3 tools/release/release.py --check     only look at version, change log, pins and the state of the checkout

It uploads nothing, and needs Python 3.11 or later, git and a package index. It stops at the first step that fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from release_checks import PACKAGES, problems, siblings_of, version_of

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("build>=1.2", "twine>=6.1")
# What shows that a wheel works: run in an empty home, by a Python that has nothing but the wheel and what it declares.
SMOKE = {
    "zmqruntime-core": """
from zmqruntime import ZMQClient
class Client(ZMQClient):
    server_target = "zmqruntime.server:ZMQServer"
with Client(7981, persistent=False) as client:
    print("a server answers,", client.server.server)
""",
    "zmqruntime-execution": """
import subprocess, sys
from zmqruntime.execution import ExecutionClient
with ExecutionClient(7982, server="task_server.py:Twice", persistent=False) as client:
    result = client.wait(client.submit(21), 60).result
assert result == 42, result
print("a task ran in a worker process:", result)
""",
    "zmqruntime-streaming": """
import numpy as np, threading
from zmqruntime.streaming import ImageStream, StreamingVisualizerServer
class Viewer(StreamingVisualizerServer):
    def display_image(self, image_data, metadata):
        self.total = int(image_data.sum())
with Viewer(5983) as viewer, ImageStream(5983) as stream:
    stream.wait_connected(20)
    stream.send(np.ones((64, 64), np.uint16))
    stream.settle(20)
assert viewer.total == 4096, viewer.total
print("an image came through shared memory")
""",
    "openhcs-runtime": """
import subprocess, sys
command = [sys.executable, "-m", "openhcs_runtime.cli"]
subprocess.run([*command, "make-plate", "demo", "--wells", "2", "--sites", "1"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([*command, "run", "demo", "--port", "7984"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([*command, "stop", "--port", "7984"], check=True, stdout=subprocess.DEVNULL)
print("a plate was run:", len(open("demo_results/latest/measurements.csv").readlines()) - 1, "rows")
""",
    "openhcs-gui-services": """
import subprocess, sys
import openhcs_gui_services.services
version = subprocess.run([sys.executable, "-m", "openhcs_gui_services", "--version"], check=True, capture_output=True)
print(version.stdout.decode().strip())
""",
}
TASK_SERVER = """
from zmqruntime.execution import ExecutionServer
class Twice(ExecutionServer):
    def execute_task(self, execution_id, request):
        return 2 * request.payload
"""


class ReleaseError(Exception):
    """It can't be released like this; the message says why."""


def main() -> int:
    """Do it; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="look, and build nothing")
    parser.add_argument("--tag", help="the tag that is released; has to be v and the version")
    parser.add_argument("--rehearse", action="store_true", help="go on although the checks complain; for trying it out")
    options = parser.parse_args()
    found = problems(ROOT, options.tag)
    for problem in found:
        print(f"- {problem}", file=sys.stderr)
    if options.check or (found and not options.rehearse):
        print(f"{version_of(ROOT)}: {f'{len(found)} problems' if found else 'can be released'}")
        return 1 if found else 0
    try:
        with tempfile.TemporaryDirectory(prefix="rel") as folder:
            files = build(ROOT, Path(folder))
            for package in PACKAGES:
                try_alone(package, files, Path(folder))
    except ReleaseError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    print(what_is_left(version_of(ROOT), files))
    return 0


def build(root: Path, folder: Path) -> list[Path]:
    """The sdists, and from these the wheels, in dist/; each is what an index would take."""
    dist, version = root / "dist", version_of(root)
    shutil.rmtree(dist, ignore_errors=True)
    python = environment(folder / "tools", TOOLS)
    for package in PACKAGES:
        say(f"building {package} {version}")
        run([python, "-m", "build", "--outdir", dist, root / "packages" / package], quiet=True)
    names = [package.replace("-", "_") for package in PACKAGES]
    wanted = {f"{name}-{version}{end}" for name in names for end in (".tar.gz", "-py3-none-any.whl")}
    files = sorted(dist.iterdir())
    if {file.name for file in files} != wanted:
        raise ReleaseError(f"dist/ should hold {sorted(wanted)}, and holds {[file.name for file in files]}")
    run([python, "-m", "twine", "check", "--strict", *files])
    return files


def try_alone(package: str, files: Sequence[Path], folder: Path) -> None:
    """Install the wheel, with those of the siblings that it needs, into a new environment, and see it work."""
    say(f"trying {package} alone")
    names = tuple(f"{name.replace('-', '_')}-" for name in siblings_of(ROOT, package))
    wheels = [str(file) for file in files if file.suffix == ".whl" and file.name.startswith(names)]
    python = environment(folder / package, wheels)
    with tempfile.TemporaryDirectory(prefix="sm") as home:  # short, because a socket's name has about 100 characters
        (Path(home) / "task_server.py").write_text(TASK_SERVER, encoding="utf-8")
        (Path(home) / "smoke.py").write_text(SMOKE[package], encoding="utf-8")
        env = {**os.environ, "HOME": home, "USERPROFILE": home, "LOCALAPPDATA": home, "QT_QPA_PLATFORM": "offscreen"}
        env.pop("PYTHONPATH", None)
        run([python, "smoke.py"], env=env, cwd=home)
    listed = json.loads(run([python, "-m", "pip", "list", "--format=json"], quiet=True))
    there = {re.sub(r"[-_.]+", "-", entry["name"]).lower() for entry in listed}
    if unwanted := (there & set(PACKAGES)) - set(siblings_of(ROOT, package)):
        raise ReleaseError(f"{package} brings {', '.join(sorted(unwanted))} along, which it does not declare")
    shutil.rmtree(folder / package)


def environment(folder: Path, requirements: Sequence[str]) -> Path:
    """A new virtual environment with these in it; its Python."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], quiet=True)
    return python


def run(
    command: Sequence[str | Path], *, env: dict[str, str] | None = None, cwd: str | None = None, quiet: bool = False
) -> str:
    """Run a program; what it printed, which is shown too unless ``quiet`` and it went well."""
    words = list(map(str, command))
    ended = subprocess.run(words, env=env, cwd=cwd, text=True, capture_output=True, check=False)
    if ended.returncode != 0 or not quiet:
        print(ended.stdout + (ended.stderr if ended.returncode else ""), end="", flush=True)
    if ended.returncode != 0:
        raise ReleaseError(f"exit code {ended.returncode} of {' '.join(words[1:5])}")
    return ended.stdout


def what_is_left(version: str, files: Sequence[Path]) -> str:
    """What a person does now."""
    listed = "\n".join(f"  {hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in files)
    return f"""
{len(files)} files of version {version} are in dist/, and each wheel works alone:

{listed}

To publish them, tag this commit and push the tag; .github/workflows/publish.yml does all of this once more and uploads:

  git tag --annotate v{version} --message "Version {version}"
  git push origin v{version}

Or by hand:  python -m twine upload dist/*
Then write the next number to VERSION, and its heading to docs/changelog.md.
"""


def say(text: str) -> None:
    """Tell what happens now."""
    print(f"-> {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

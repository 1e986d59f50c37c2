"""Make a plate in a folder and count its nuclei on a background server, by the command line of an environment."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from children import end_on_signals, run

# A server of the demo's own: at its end it is stopped, and the user's may be at work.
SERVER = ("--port", "7787")


def show(folder: Path, scripts: Path) -> int:
    """Run the commands, found in ``scripts``, with plate and results in ``folder``; the first code that is not 0."""
    command = shutil.which("openhcs-runtime", path=str(scripts))
    if command is None:
        print(f"openhcs-runtime is not in {scripts}; use: python3 tools/start.py demo", file=sys.stderr)
        return 2
    plate = str(folder / "plate")
    code = _show(command, "make-plate", plate, "--wells", "6", "--sites", "2", "--seed", "0")
    if code != 0:
        return code
    try:
        code = _show(command, "run", plate, *SERVER)
    finally:
        stopped = _show(command, "stop", *SERVER)
    return code or stopped


def _show(command: str, *arguments: str) -> int:
    print(f"\n$ openhcs-runtime {' '.join(arguments)}", flush=True)
    return run([command, *arguments])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: demo.py FOLDER   (the plate and its results are written there)")
    end_on_signals()
    try:
        sys.exit(show(Path(sys.argv[1]), Path(sys.executable).parent))
    except KeyboardInterrupt:
        sys.exit(130)

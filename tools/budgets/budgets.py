"""Where the time goes: tables of processor time by step, function, process, system call and import.

The benchmarks in ``tools/bench`` say how fast something is; these tables say why. ``nox -s profile`` installs what is
needed and prints them all; name some of them to print only those.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from executions import tell_executions
from images import tell_images
from starts import tell_starts

SECTIONS: dict[str, tuple[Callable[[int], None], int]] = {
    "images": (tell_images, 6),
    "executions": (tell_executions, 300),
    "starts": (tell_starts, 4),
}


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)} [default: all]")
    options = parser.parse_args()
    unknown = sorted(set(options.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"unknown section {', '.join(unknown)}: choose from {', '.join(SECTIONS)}")
    with tempfile.TemporaryDirectory(prefix="zp") as home:
        os.environ["HOME"] = home
        for name in options.sections or SECTIONS:
            tell, count = SECTIONS[name]
            tell(count)
    return 0


if __name__ == "__main__":
    sys.exit(main())

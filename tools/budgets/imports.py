"""What importing a module costs, and which packages the time goes to."""

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

__all__ = ["ImportCost", "import_cost"]


@dataclass(frozen=True, slots=True)
class ImportCost:
    """The best of several imports, in milliseconds."""

    module: str
    milliseconds: float
    packages: tuple[tuple[str, float], ...]
    """The packages that took most of it, each without what it imports."""


def import_cost(module: str, rounds: int = 4) -> ImportCost:
    """Import a module in new interpreters.

    Raises:
        subprocess.CalledProcessError: it cannot be imported.
    """
    return min((_once(module) for _ in range(rounds)), key=lambda cost: cost.milliseconds)


def _once(module: str) -> ImportCost:
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    packages: Counter[str] = Counter()
    for line in text.splitlines():
        own, _, name = line.removeprefix("import time:").split("|") if line.count("|") == 2 else ("", "", "")
        if own.strip().isdigit():
            packages[name.strip().split(".")[0]] += int(own)
    largest = tuple((name, own / 1e3) for name, own in packages.most_common(6))
    return ImportCost(module, sum(packages.values()) / 1e3, largest)

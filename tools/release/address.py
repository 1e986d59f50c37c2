#!/usr/bin/env python3
"""Where the repository is, which package indexes show: changes it in all files that name it.

python3 tools/release/address.py                                 says what it is
python3 tools/release/address.py https://github.com/lab/runtime  changes it
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"https://[\w.-]+(?:/[\w.-]+)+")
REMOTE = re.compile(r"(?:\w+://(?:[^@/]+@)?|[^@/]+@)([\w.-]+)(?::\d+)?[:/](.+?)(?:\.git)?/?")


def address_of(root: Path) -> str:
    """The address that the metadata of the core give."""
    text = (root / "packages" / "zmqruntime-core" / "pyproject.toml").read_text(encoding="utf-8")
    found: str = tomllib.loads(text)["project"]["urls"]["Homepage"]
    return found


def address_of_remote(remote: str) -> str | None:
    """The web address of what git calls ``https://host/a/b.git`` or ``git@host:a/b.git``; None for a folder."""
    found = REMOTE.fullmatch(remote)
    return f"https://{found[1]}/{found[2]}" if found else None


def files(root: Path) -> Iterator[Path]:
    """The files that name the address."""
    for pattern in ("packages/*/pyproject.toml", "packages/*/README.md"):
        yield from sorted(root.glob(pattern))


def change(root: Path, new: str) -> int:
    """Write another address to all of them; gives how often it was found."""
    old, count = address_of(root), 0
    for path in files(root):
        text = path.read_text(encoding="utf-8")
        count += text.count(old)
        path.write_text(text.replace(old, new), encoding="utf-8")
    return count


def main(arguments: list[str]) -> int:
    """Do it; gives the exit code."""
    if not arguments:
        print(address_of(ROOT))
        return 0
    new = arguments[0].rstrip("/")
    if len(arguments) > 1 or ADDRESS.fullmatch(new) is None:
        print(f"{' '.join(arguments)} is no address of a repository, such as https://github.com/lab/runtime")
        return 2
    print(f"changed in {change(ROOT, new)} places; commit them")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

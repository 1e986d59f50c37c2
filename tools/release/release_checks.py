"""What must be true of the checkout before a release: version, change log, pins, address, and all of it committed."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from address import address_of, address_of_remote

PACKAGES = (
    "zmqruntime-core",
    "zmqruntime-execution",
    "zmqruntime-streaming",
    "openhcs-runtime",
    "openhcs-gui-services",
)
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)((?:a|b|rc)\d+)?")
HEADING = re.compile(r"^## (\S+?),? (.*)$", re.MULTILINE)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*([^;]*)")


def version_of(root: Path) -> str:
    """The one number."""
    return (root / "VERSION").read_text(encoding="utf-8").strip()


def problems(root: Path, tag: str | None = None) -> list[str]:
    """Why this can't be released, each with what to do; empty when it can."""
    return [
        *version_problems(root, tag),
        *change_log_problems(root),
        *pin_problems(root),
        *address_problems(root),
        *tree_problems(root),
    ]


def version_problems(root: Path, tag: str | None) -> Iterator[str]:
    """A number of a release, which is that of the tag."""
    version = version_of(root)
    if VERSION.fullmatch(version) is None:
        yield f"VERSION is {version!r}: a release has three numbers, as in 0.2.0 or 0.2.0rc1"
    if tag is not None and tag != f"v{version}":
        yield f"the tag is {tag}, and VERSION says {version}: tag v{version}, or change VERSION"


def change_log_problems(root: Path) -> Iterator[str]:
    """An entry of its own, the newest, with a day and some text."""
    version, text = version_of(root), (root / "docs" / "changelog.md").read_text(encoding="utf-8")
    headings = list(HEADING.finditer(text))
    found = next((heading for heading in headings if heading[1].rstrip(",") == version), None)
    if found is None:
        yield f"docs/changelog.md has no entry for {version}: add '## {version}, <year-month-day>'"
        return
    if found is not headings[0]:
        yield f"in docs/changelog.md {version} is below {headings[0][1]}: is VERSION the new number?"
    if DATE.fullmatch(found[2]) is None:
        yield f"docs/changelog.md says '{found[2]}' of {version}: put the day there, as in '## {version}, 2030-01-31'"
    following = next((heading.start() for heading in headings if heading.start() > found.start()), len(text))
    if not text[found.end() : following].strip():
        yield f"docs/changelog.md says nothing about {version}"


def pin_problems(root: Path) -> Iterator[str]:
    """Each sibling pinned to the same minor version, and the version nowhere but in VERSION."""
    wanted = f"=={'.'.join(version_of(root).split('.')[:2])}.*"
    for package in PACKAGES:
        project = _project(root, package)
        if "version" in project or "version" not in project.get("dynamic", []):
            yield f"{package} states a version of its own: leave it to VERSION"
        extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
        for name, pin in _requirements([*project["dependencies"], *extras]):
            if name in PACKAGES and pin != wanted:
                yield f"{package} needs {name}{pin}: the pin has to be {wanted}"


def address_problems(root: Path) -> Iterator[str]:
    """Links of the five packages to one repository, which is the one that this checkout comes from."""
    address = address_of(root)
    for package in PACKAGES:
        urls: dict[str, str] = _project(root, package).get("urls", {})
        if not urls or not all(f"{url}/".startswith(f"{address}/") for url in urls.values()):
            yield f"the links of {package} are not all to {address}: see [project.urls] of its pyproject.toml"
    remote = address_of_remote(_git(root, "remote", "get-url", "origin") or "")
    if remote is not None and remote != address:
        remedy = f"python3 tools/release/address.py {remote} changes them"
        yield f"the packages link to {address}, and this checkout is from {remote}: {remedy}"


def tree_problems(root: Path) -> Iterator[str]:
    """Nothing that is not committed, and no other commit with this version's tag."""
    changed = _git(root, "status", "--porcelain")
    if changed is None:
        yield f"{root} is no git checkout: release from a clone"
        return
    if changed:
        lines = changed.splitlines()
        yield f"{len(lines)} files are not committed ({lines[0][3:]} among them): commit them, or put them away"
    tagged = _git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/v{version_of(root)}^{{commit}}")
    if tagged and tagged != _git(root, "rev-parse", "HEAD"):
        yield f"v{version_of(root)} is the tag of another commit: was it released already?"


def siblings_of(root: Path, package: str) -> list[str]:
    """The package, and those of the five that it needs, directly or not."""
    found: list[str] = []
    waiting = [package]
    while waiting:
        name = waiting.pop()
        if name in PACKAGES and name not in found:
            found.append(name)
            waiting += [needed for needed, _ in _requirements(_project(root, name)["dependencies"])]
    return found


def _project(root: Path, package: str) -> dict[str, Any]:
    text = (root / "packages" / package / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def _requirements(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = REQUIREMENT.match(line)
        if found is not None:
            yield found[1], found[2].strip()


def _git(root: Path, *arguments: str) -> str | None:
    """What git says; None where it knows no such thing."""
    ended = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else None

"""The pages that are made from the code say what it does, and all pages hang together."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Pages and pictures that are being made: links to them may be ahead of them.
pytestmark = pytest.mark.skipif(find_spec("openhcs_gui_services") is None, reason="not all packages are installed")


def test_the_pages_are_as_they_would_be_written_now() -> None:
    import docs_pages

    assert docs_pages.outdated() == [], "run python tools/docs/docs_pages.py"


def test_every_environment_variable_that_is_read_is_explained() -> None:
    import docs_settings

    assert docs_settings.variables_read() == set(docs_settings.VARIABLES)


def test_every_error_that_can_be_imported_is_explained() -> None:
    import docs_errors

    import openhcs_gui_services.services
    import openhcs_runtime
    import zmqruntime
    import zmqruntime.execution
    import zmqruntime.streaming

    page = docs_errors.page()
    packages = zmqruntime, zmqruntime.execution, zmqruntime.streaming, openhcs_runtime, openhcs_gui_services.services
    names = [
        name
        for module in packages
        for name in module.__all__
        if isinstance(found := getattr(module, name), type) and issubclass(found, BaseException)
    ]
    assert len(names) > 15
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_every_link_within_the_repository_leads_somewhere() -> None:
    pages = [
        *ROOT.glob("docs/**/*.md"),
        ROOT / "README.md",
        *ROOT.glob("packages/*/README.md"),
        *ROOT.glob(".github/*.md"),
    ]
    links = [
        (page, link)
        for page in pages
        if "_build" not in page.parts
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 50
    broken = [f"{page.relative_to(ROOT)}: {link}" for page, link in links if not (page.parent / link).exists()]
    assert broken == []


def test_a_package_index_shows_no_dead_link() -> None:
    """It shows the README of a package alone: a path of the repository leads nowhere there."""
    for page in ROOT.glob("packages/*/README.md"):
        links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not link.startswith("https://")] == [], page


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/*.md")]
    pages += [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/api/*.md")]
    assert [page for page in pages if page != "index.md" and f"({page})" not in index] == []


def test_the_index_links_each_page_once() -> None:
    links = re.findall(r"\]\(([^)]+\.md)\)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert sorted(links) == sorted(set(links))

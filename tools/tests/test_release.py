"""What may be released: looked at on a copy of what the release tool reads, in a git repository of its own."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import address
import pytest
import release
import release_checks

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout that can be released: version 0.7.2, committed."""
    root = tmp_path / "checkout"
    (root / "docs").mkdir(parents=True)
    (root / "VERSION").write_text("0.7.2\n", encoding="utf-8")
    log = "# Change log\n\n## 0.7.2, 2030-01-31\n\n- something\n\n## 0.7.1, 2030-01-01\n\n- less\n"
    (root / "docs" / "changelog.md").write_text(log, encoding="utf-8")
    major_minor = ".".join(release_checks.version_of(ROOT).split(".")[:2])
    for package in release_checks.PACKAGES:
        text = (ROOT / "packages" / package / "pyproject.toml").read_text(encoding="utf-8")
        (root / "packages" / package).mkdir(parents=True)
        (root / "packages" / package / "pyproject.toml").write_text(
            text.replace(f"=={major_minor}.*", "==0.7.*"), encoding="utf-8"
        )
    git(root, "init", "--quiet")
    commit(root)
    return root


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "all")


def change(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), encoding="utf-8")
    commit(root)


def test_a_checkout_in_order_can_be_released(copy: Path) -> None:
    assert release_checks.problems(copy) == []
    assert release_checks.problems(copy, "v0.7.2") == []


CHANGES: list[tuple[str, Callable[[Path], None], str]] = [
    ("no number", lambda root: change(root, "VERSION", "0.7.2", "0.7"), "three numbers"),
    ("a version in work", lambda root: change(root, "VERSION", "0.7.2", "0.7.2.dev1"), "three numbers"),
    ("another minor version", lambda root: change(root, "VERSION", "0.7.2", "0.8.0"), "has to be ==0.8.*"),
    ("no entry", lambda root: change(root, "VERSION", "0.7.2", "0.7.3"), "no entry for 0.7.3"),
    ("an old number", lambda root: change(root, "VERSION", "0.7.2", "0.7.1"), "below 0.7.2"),
    (
        "no day",
        lambda root: change(root, "docs/changelog.md", "2030-01-31", "not released yet"),
        "'not released yet' of 0.7.2",
    ),
    ("an empty entry", lambda root: change(root, "docs/changelog.md", "- something\n", ""), "says nothing"),
    (
        "a pin that is too wide",
        lambda root: change(root, "packages/openhcs-runtime/pyproject.toml", "core==0.7.*", "core>=0.7"),
        "openhcs-runtime needs zmqruntime-core>=0.7",
    ),
    (
        "a version in a package",
        lambda root: change(
            root, "packages/zmqruntime-core/pyproject.toml", 'dynamic = ["version"]', 'version = "0.7.2"'
        ),
        "zmqruntime-core states a version",
    ),
    (
        "a link elsewhere",
        lambda root: change(root, "packages/openhcs-runtime/pyproject.toml", "/issues", ".example.org/issues"),
        "the links of openhcs-runtime are not all to",
    ),
    (
        "a checkout from elsewhere",
        lambda root: git(root, "remote", "add", "origin", "git@example.org:lab/runtime.git"),
        "address.py https://example.org/lab/runtime changes them",
    ),
    ("a new file", lambda root: (root / "notes.txt").touch(), "notes.txt among"),
]


@pytest.mark.parametrize(("what", "spoil", "told"), CHANGES, ids=[what for what, *_ in CHANGES])
def test_it_says_why_not(copy: Path, what: str, spoil: Callable[[Path], None], told: str) -> None:
    spoil(copy)
    assert any(told in problem for problem in release_checks.problems(copy)), release_checks.problems(copy)


def test_the_address_is_changed_in_all_files_that_name_it(copy: Path) -> None:
    git(copy, "remote", "add", "origin", "https://example.org/lab/runtime.git")
    (copy / "packages" / "openhcs-runtime" / "README.md").write_text(f"[d]({address.address_of(copy)}/blob/d.md)")
    assert address.change(copy, "https://example.org/lab/runtime") == 5 * 5 + 1
    assert (copy / "packages" / "openhcs-runtime" / "README.md").read_text() == (
        "[d](https://example.org/lab/runtime/blob/d.md)"
    )
    commit(copy)
    assert release_checks.problems(copy) == []


def test_the_links_of_the_readmes_are_to_pages_that_exist() -> None:
    base, found = f"{address.address_of(ROOT)}/blob/main/", 0
    for readme in ROOT.glob("packages/*/README.md"):
        links = re.findall(re.escape(base) + r"([^)#]+)", readme.read_text(encoding="utf-8"))
        found += len(links)
        assert [link for link in links if not (ROOT / link).is_file()] == []
        assert links, f"{readme} links to no page"
    assert found > 10


def test_a_tag_has_to_be_that_of_the_version_and_of_this_commit(copy: Path) -> None:
    assert any("tag v0.7.2" in problem for problem in release_checks.problems(copy, "v0.7.3"))
    git(copy, "tag", "v0.7.2")
    assert release_checks.problems(copy, "v0.7.2") == []
    commit(copy)
    assert any("another commit" in problem for problem in release_checks.problems(copy))


def test_a_folder_without_git_is_no_checkout(copy: Path) -> None:
    shutil.rmtree(copy / ".git")
    assert any("no git checkout" in problem for problem in release_checks.problems(copy))


def test_each_package_is_tried_with_the_siblings_that_it_needs() -> None:
    assert release_checks.siblings_of(ROOT, "zmqruntime-core") == ["zmqruntime-core"]
    assert set(release_checks.siblings_of(ROOT, "zmqruntime-streaming")) == {"zmqruntime-core", "zmqruntime-streaming"}
    assert set(release_checks.siblings_of(ROOT, "openhcs-gui-services")) == set(release_checks.PACKAGES)
    assert set(release.SMOKE) == set(release_checks.PACKAGES)


def test_what_is_left_names_every_file_with_its_checksum(tmp_path: Path) -> None:
    file = tmp_path / "zmqruntime_core-0.7.2.tar.gz"
    file.write_bytes(b"")
    text = release.what_is_left("0.7.2", [file])
    assert "git push origin v0.7.2" in text
    assert "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  zmqruntime_core-0.7.2.tar.gz" in text

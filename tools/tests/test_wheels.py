"""What is inside the five wheels of dist/."""

import os
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
# The folder that each wheel fills, and that holds its py.typed.
FOLDERS = {
    "zmqruntime-core": "zmqruntime",
    "zmqruntime-execution": "zmqruntime/execution",
    "zmqruntime-streaming": "zmqruntime/streaming",
    "openhcs-runtime": "openhcs_runtime",
    "openhcs-gui-services": "openhcs_gui_services",
}
# The plug-in of pytest, which pytest imports in every test run: not in zmqruntime, whose import takes long.
ALSO = {"zmqruntime-execution": ["pytest_zmqruntime/__init__.py", "pytest_zmqruntime/py.typed"]}
SIBLINGS = ["zmqruntime-execution", "zmqruntime-streaming"]


def path_of(package: str) -> Path:
    return ROOT / "dist" / f"{package.replace('-', '_')}-{VERSION}-py3-none-any.whl"


pytestmark = pytest.mark.skipif(
    "TESTS_FROM_WHEELS" not in os.environ and not all(path_of(package).is_file() for package in FOLDERS),
    reason="no wheels in dist/: nox -s wheels makes them",
)


@pytest.fixture(params=FOLDERS)
def package(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wheel(package: str) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(path_of(package)) as opened:
        yield opened


def metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return BytesParser().parsebytes(wheel.read(name))


def modules(wheel: zipfile.ZipFile) -> list[str]:
    return [name for name in wheel.namelist() if ".dist-info/" not in name]


def test_it_is_typed_where_its_own_folder_starts(package: str, wheel: zipfile.ZipFile) -> None:
    own = [name for name in modules(wheel) if name.endswith("py.typed") and name not in ALSO.get(package, [])]
    assert own == [f"{FOLDERS[package]}/py.typed"]


def test_it_fills_only_its_own_folder(package: str, wheel: zipfile.ZipFile) -> None:
    others = [name for name in modules(wheel) if not name.startswith(f"{FOLDERS[package]}/")]
    assert others == ALSO.get(package, [])


@pytest.mark.parametrize("package", SIBLINGS)
def test_a_sibling_ships_nothing_directly_under_zmqruntime(wheel: zipfile.ZipFile) -> None:
    assert [name for name in modules(wheel) if name.startswith("zmqruntime/") and name.count("/") < 2] == []


def test_it_ships_no_tests_and_only_the_stubs_that_load_its_names(wheel: zipfile.ZipFile) -> None:
    assert [name for name in modules(wheel) if "tests/" in name] == []
    for stub in [name for name in modules(wheel) if name.endswith(".pyi")]:
        assert b"zmqruntime.lazy_names" in wheel.read(stub.removesuffix("i")), f"{stub} stands for no lazy module"


def test_its_metadata_say_version_licence_and_what_it_is(package: str, wheel: zipfile.ZipFile) -> None:
    found = metadata(wheel)
    assert (found["Name"], found["Version"], found["License-Expression"]) == (package, VERSION, "BSD-3-Clause")
    assert found["Metadata-Version"] == "2.4"  # what package indexes accept today
    assert found["Description-Content-Type"] == "text/markdown"
    links = {link.partition(", ")[0] for link in found.get_all("Project-URL", [])}
    assert links == {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    classifiers = found.get_all("Classifier", [])
    assert any(each.startswith("Topic :: ") for each in classifiers)
    assert ("Framework :: napari" in classifiers) is (package == "openhcs-runtime")  # its hub lists plug-ins by that


def test_the_source_archive_has_change_log_licence_and_security_policy(package: str) -> None:
    name = f"{package.replace('-', '_')}-{VERSION}"
    with tarfile.open(ROOT / "dist" / f"{name}.tar.gz") as archive:
        for file, original in (("CHANGELOG", "docs/changelog"), ("SECURITY", ".github/SECURITY")):
            packed = archive.extractfile(f"{name}/{file}.md")
            assert packed is not None
            assert packed.read() == (ROOT / f"{original}.md").read_bytes()
        assert f"{name}/LICENSE" in archive.getnames()


def test_the_licence_is_the_one_of_the_repository(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("/licenses/LICENSE"))
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()

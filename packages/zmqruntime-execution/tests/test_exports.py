"""The front door: what ``zmqruntime.execution`` exports is what it says it exports, and it stays light."""

import importlib
import subprocess
import sys

import pytest

front = importlib.import_module("zmqruntime.execution")


def test_all_is_sorted_and_complete() -> None:
    values = {name: getattr(front, name) for name in front.__all__}
    assert all(value is not None for value in values.values())
    assert list(front.__all__) == sorted(front.__all__)
    assert dir(front) == front.__all__


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = front.nonsense


def test_import_brings_in_neither_asyncio_nor_numpy_nor_openhcs() -> None:
    code = "import sys, zmqruntime.execution; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "zmqruntime" in modules
    assert not {"asyncio", "numpy"} & modules
    assert not {name for name in modules if name.startswith("openhcs")}

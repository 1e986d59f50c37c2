"""The script of docs/howto-slurm.md is Python that uses names which exist; there is no SLURM to run it on."""

import ast
import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto-slurm.md"


@pytest.mark.skipif(find_spec("openhcs_runtime") is None, reason="the package is not installed")
def test_the_script_is_python_and_its_names_exist() -> None:
    openhcs_runtime = importlib.import_module("openhcs_runtime")

    (script,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    tree = ast.parse(script)
    (names,) = [
        [alias.name for alias in node.names]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "openhcs_runtime"
    ]
    assert set(names) <= set(openhcs_runtime.__all__)
    assert openhcs_runtime.GlobalConfig(dask="tcp://host:1").dask == "tcp://host:1"

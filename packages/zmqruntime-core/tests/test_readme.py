"""The examples of the README, each as it stands, with nothing but this package installed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
PRINTED = ["3\n", r"\d+ ClientState.CONNECTED\n"]


def test_there_is_a_service_with_messages_of_its_own_in_fifteen_lines() -> None:
    assert len(EXAMPLES) == len(PRINTED)
    assert len([line for line in EXAMPLES[0].splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize("number", range(len(PRINTED)))
def test_it_runs(number: int, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(EXAMPLES[number], encoding="utf-8")
    command = [sys.executable, "-W", "error", "example.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(PRINTED[number], done.stdout)

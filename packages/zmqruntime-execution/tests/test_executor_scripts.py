"""The executor: functions of a script, in processes that the functions start and under its guard."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zmqruntime.execution.executor.guards import is_guarded

SCRIPT = """
import dataclasses
import multiprocessing

from zmqruntime.execution import Executor

def square(value):
    return value * value

def spawned():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(square, [2, 3])

def by_loky():
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2)(delayed(square)(value) for value in [2, 3])

if __name__ == "__main__":
    @dataclasses.dataclass
    class Pair:
        left: int

    class Odd(Exception):
        pass

    def guarded(pair):
        if pair.left > 1:
            raise Odd("too many")
        return Pair(pair.left + 1)

    with Executor("script", allow_pickle=True, persistent=False) as executor:
        print(executor.submit(spawned).result(100), executor.submit(by_loky).result(100))
        print(executor.submit(guarded, Pair(1)).result(100) == Pair(2))
        try:
            executor.submit(guarded, Pair(2)).result(100)
        except Odd as odd:
            print(odd)
    plain = Executor("plain")
    for submit in (lambda: plain.submit(guarded, 1), lambda: plain.submit(repr, Pair(1))):
        try:
            submit()
        except Exception as error:
            print(type(error).__name__, error)
"""


def test_functions_of_a_script_work_in_processes_of_their_own_and_are_refused_under_its_guard(
    isolated_home: Path, tmp_path: Path
) -> None:
    script = tmp_path / "a folder.d" / "of it.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    environment = {**os.environ, "LOKY_MAX_CPU_COUNT": "2"}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=200, check=False
    )
    lines = done.stdout.splitlines()
    assert lines[:3] == ["[4, 9] [4, 9]", "True", "too many"], done.stderr
    for line, name, kind in zip(lines[3:], ("guarded", "Pair"), ("NotImportableError", "UnsendableError"), strict=True):
        assert line.startswith(kind)
        assert f'{name} is defined in the block if __name__ == "__main__": of {script}' in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('if __name__ == "__main__":\n    def f(): pass', True),
        ('if "__main__" == __name__:\n    with x():\n        f = 1', True),
        ('def f(): pass\nif __name__ == "__main__":\n    f = 1', False),
        ('if __name__ == "__main__":\n    pass\nelse:\n    f = 1', False),
        ('if __name__ == "__main__":\n    g = [f for f in x]\n    def g(f): f = 2', False),
        ("not a program", False),
    ],
)
def test_what_a_guard_hides(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "script.py").write_text(text)
    assert is_guarded(str(tmp_path / "script.py"), "f") is expected

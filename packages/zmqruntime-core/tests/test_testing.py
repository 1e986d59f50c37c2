"""The check for leaks of ``zmqruntime.testing`` looks at what this process tree made, and at nothing else."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from zmqruntime.testing_segments import own_segments

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory has a folder on Linux only")

FOLDER = Path("/dev/shm")
ORPHAN = """
import os, sys
from multiprocessing.shared_memory import SharedMemory
if os.fork():
    os._exit(0)
memory = SharedMemory(create=True, size=16)
print(memory.name, flush=True)
sys.stdin.read()
memory.close()
memory.unlink()
print("removed", flush=True)
"""


@pytest.fixture
def segment_of_another_program() -> Iterator[str]:
    """The name of a segment that a process outside this tree has mapped."""
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.stdout.readline().strip() == "removed"


def test_a_segment_of_another_program_is_not_ours(segment_of_another_program: str) -> None:
    assert (FOLDER / segment_of_another_program).exists()
    assert segment_of_another_program not in own_segments()


def test_a_segment_with_the_name_of_another_library_is_ours_while_it_is_mapped() -> None:
    name = f"faketime_shm_{uuid.uuid4().hex}"
    (FOLDER / name).touch()
    try:
        assert name not in own_segments()
    finally:
        (FOLDER / name).unlink()
    memory = SharedMemory(name, create=True, size=16)
    try:
        assert name in own_segments()
    finally:
        memory.close()
        memory.unlink()


def test_what_was_closed_and_not_removed_is_ours() -> None:
    memory = SharedMemory(create=True, size=16)
    memory.close()
    try:
        assert memory.name in own_segments()
    finally:
        memory.unlink()

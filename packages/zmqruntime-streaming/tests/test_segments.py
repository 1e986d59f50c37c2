"""Segments of shared memory and the blocks made of them."""

import mmap
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from zmqruntime.identity import ProcessIdentity
from zmqruntime.streaming import SegmentError, sweep_segments
from zmqruntime.streaming.mappings import Mappings
from zmqruntime.streaming.pool import BlockPool
from zmqruntime.streaming.segments import create_segment, open_segment, remove_segment, segment_folder

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

ORPHAN = """
import os, sys
from zmqruntime.streaming.segments import create_segment
name, mapped = create_segment(5000)
print(name, flush=True)
sys.stdin.read()
os._exit(1)
"""


def test_what_is_written_is_read_and_survives_the_name() -> None:
    name, mapped = create_segment(3)
    mapped[:] = b"abc"
    read = open_segment(name, 3)
    remove_segment(name)
    assert read[:] == b"abc"
    with pytest.raises(SegmentError, match="cannot open"):
        open_segment(name, 3)
    with pytest.raises(TypeError):
        read[0] = 1


@pytest.mark.parametrize("name", ["", "../etc/passwd", "zrs-1-1-x", "psm_1234", "zrs-1-2-" + "0" * 32])
def test_a_name_that_is_no_segment_is_refused(name: str) -> None:
    with pytest.raises(SegmentError):
        open_segment(name, 1)


def test_a_segment_that_is_too_short_is_refused() -> None:
    name, _ = create_segment(10)
    with pytest.raises(SegmentError, match="not the announced 11"):
        open_segment(name, 11)
    remove_segment(name)


def test_a_sweep_takes_what_a_dead_process_left_and_nothing_else() -> None:
    mine, _mapped = create_segment(10)
    foreign = segment_folder() / "zrs-not-ours"
    foreign.touch()
    child = subprocess.Popen([sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert name not in sweep_segments(), "its owner lives"
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert name not in sweep_segments(ProcessIdentity.current()), "another owner's"
    sweep_segments()  # or the stream of a test that runs at the same time
    assert not (segment_folder() / name).exists()
    assert (segment_folder() / mine).exists()
    assert foreign.exists()
    foreign.unlink()
    remove_segment(mine)


@pytest.mark.skipif(sys.platform == "win32", reason="no lock is kept there")
def test_a_segment_that_is_locked_is_not_swept_whatever_its_pid_says() -> None:
    name, _mapped = create_segment(10)
    other = segment_folder() / f"zrs-{2**22 + 1}-1.5-{'a' * 32}"  # an owner in another pid namespace
    (segment_folder() / name).rename(other)
    sweep_segments()
    assert other.exists()
    del _mapped
    sweep_segments()
    assert not other.exists()


def test_blocks_are_used_again_and_stay_within_the_budget() -> None:
    pool = BlockPool(10 * PAGE)
    first = pool.acquire(4 * PAGE, shared=True)
    assert first is not None
    assert first.segment is not None
    pool.give_back(first)
    assert pool.acquire(3 * PAGE, shared=True) is first
    assert pool.acquire(7 * PAGE, shared=True) is None
    small = pool.acquire(PAGE, shared=False)
    assert small is not None
    assert small.segment is None
    pool.give_back(first)
    assert pool.acquire(9 * PAGE, shared=True) is not None, "the free one makes room for another size"
    assert pool.total <= pool.budget
    pool.close()


def test_private_blocks_are_used_again_once_there_are_enough_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqruntime.streaming.pool._MAX_SEGMENTS", 2)
    pool = BlockPool(100 * PAGE)
    blocks = [pool.acquire(PAGE, shared=True) for _ in range(6)]
    larger = pool.acquire(2 * PAGE, shared=True)
    assert [block is not None and block.segment is not None for block in blocks] == [True] * 2 + [False] * 4
    for block in [*blocks, larger]:
        assert block is not None
        pool.give_back(block)
    total = pool.total
    again = [pool.acquire(PAGE, shared=True) for _ in range(7)]
    assert again[:6] == [*blocks[1::-1], *blocks[5:1:-1]], "segments first, and of each kind the one freed last"
    assert again[6] is larger
    assert pool.total == total
    assert (pool.acquire(PAGE, shared=True), pool.total) != (None, total)
    pool.close()


def test_without_room_in_shared_memory_a_block_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(nbytes: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zmqruntime.streaming.pool.create_segment", full)
    block = BlockPool(10 * PAGE).acquire(PAGE, shared=True)
    assert block is not None
    assert block.segment is None


def test_a_segment_that_cannot_be_removed_while_it_is_mapped_is_removed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where a mapped file cannot be removed."""
    unlink, held = Path.unlink, set[str]()

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name in held:
            raise PermissionError(13, "the file is used by another process", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    pool = BlockPool(budget=100_000)
    block = pool.acquire(60_000, shared=True)
    assert block is not None
    assert block.segment is not None
    path = segment_folder() / block.segment
    held.add(path.name)
    pool.give_back(block)
    other = pool.acquire(90_000, shared=True)  # needs the room of the first one
    assert other is not None
    assert path.exists()
    held.clear()
    pool.close()
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the only way there")
def test_segments_are_files_in_the_folder_for_temporary_ones_where_there_is_no_shared_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on macOS and Windows."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    segment_folder.cache_clear()
    try:
        name, mapped = create_segment(5000)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        mapped[:5] = b"hello"
        assert bytes(open_segment(name, 5)) == b"hello"
        assert remove_segment(name)
        assert not list(tmp_path.iterdir())
    finally:
        segment_folder.cache_clear()


def test_a_segment_is_opened_once_and_given_up_when_it_is_no_longer_used(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []

    def open_counted(name: str, nbytes: int) -> mmap.mmap:
        opened.append((name, nbytes))
        return open_segment(name, nbytes)

    monkeypatch.setattr("zmqruntime.streaming.mappings.open_segment", open_counted)
    name, memory = create_segment(8192)
    try:
        mappings = Mappings(most=2)
        first, second = mappings.read(name, 4096), mappings.read(name, 100)
        memory[:3] = b"abc"
        assert bytes(first[:3]) == bytes(second[:3]) == b"abc"
        assert not first.flags.writeable
        assert mappings.read(name, 8192).nbytes == 8192
        assert opened == [(name, 4096), (name, 8192)]
        for wrong in (0, 8193):
            with pytest.raises(SegmentError):
                mappings.read(name, wrong)
        mappings.read(name, 10)
        mappings.drop_unused()
        assert len(mappings) == 1
        mappings.drop_unused()
        assert len(mappings) == 0
    finally:
        remove_segment(name)
    assert bytes(first[:3]) == b"abc"  # an array outlives all that


def test_the_segment_opened_first_is_given_up_when_there_are_too_many() -> None:
    names = [create_segment(4096)[0] for _ in range(3)]
    try:
        mappings = Mappings(most=2)
        for name in names:
            mappings.read(name, 1)
        assert list(mappings._mapped) == names[1:]
        none = Mappings(most=0)
        assert none.read(names[0], 1).nbytes == 1
        assert len(none) == 0
    finally:
        for name in names:
            remove_segment(name)

"""What a process may use where its control group is limited; the files are made as the kernel makes them."""

import os
from pathlib import Path

import psutil

from openhcs_runtime.limits import available_bytes, available_cores, oom_kills

GIGABYTE = 1_000_000_000


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own"
    path.write_text(text)
    return path


def test_without_limits_it_is_the_machine(tmp_path: Path) -> None:
    nothing = tmp_path / "none"
    assert available_cores(nothing, nothing) == len(os.sched_getaffinity(0))
    assert 0.5 < available_bytes(nothing, nothing) / psutil.virtual_memory().available < 2


def test_the_tightest_group_counts(tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    write(groups / "batch", cpu__max="50000 100000\n", memory__max="max\n", memory__current="7")
    write(
        groups / "batch" / "job",
        cpu__max="max 100000\n",
        memory__max=f"{GIGABYTE // 10}\n",
        memory__current=f"{GIGABYTE // 20}\n",
        memory__stat=f"anon 5\ninactive_file {GIGABYTE // 50}\n",
    )
    mine = own(tmp_path, "0::/batch/job\n")
    assert available_cores(groups, mine) == 1
    assert available_bytes(groups, mine) == GIGABYTE // 10 - GIGABYTE // 20 + GIGABYTE // 50


def test_the_older_groups(tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    write(
        groups / "memory",  # what a container sees: its own group is the root
        memory__limit_in_bytes="1000000\n",
        memory__usage_in_bytes="400000\n",
        memory__stat="cache 3\ntotal_inactive_file 100000\n",
    )
    mine = own(tmp_path, "5:cpu:/\n4:memory:/docker/1234\n0::/\n")
    assert available_bytes(groups, mine) == 700_000


def test_what_makes_no_sense_is_no_limit(tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    write(groups, cpu__max="lots\n", memory__max="\n", memory__current="1")
    mine = own(tmp_path, "0::/\n")
    assert available_cores(groups, mine) == len(os.sched_getaffinity(0))
    assert available_bytes(groups, mine) > 1_000_000


def test_processes_that_were_killed_for_their_memory(tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    write(groups / "batch", memory__events="oom 9\noom_kill 2\noom_group_kill 9\n")
    write(groups / "batch" / "job", memory__events="low 9\noom_kill 1\n")
    machine = tmp_path / "vmstat"
    machine.write_text("pgfault 9\noom_kill 4\n", encoding="ascii")
    assert oom_kills(groups, own(tmp_path, "0::/batch/job\n"), machine) == 7
    assert oom_kills(groups, own(tmp_path, "0::/\n"), tmp_path / "missing") == 0

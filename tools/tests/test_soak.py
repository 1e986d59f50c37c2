"""Whether the soak sees what grows, and does not see what only wobbles; and a short one, with real processes."""

import os
import random
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import soak_measures
from soak import verdict
from soak_measures import Quantity, Role, Sample
from soak_plates import Record

SOAK = Path(__file__).resolve().parents[1] / "soak" / "soak.py"


def samples(growth: float, plates: int = 80, life: int = 20, role: Role = Role.SERVER) -> list[Sample]:
    """Servers that live for some plates each, whose memory wobbles and grows by so many bytes a plate."""
    chance = random.Random(7)
    return [
        Sample(
            plate=plate,
            role=role,
            pid=100 + plate // life,
            memory=int(20e6 + growth * (plate % life) + chance.gauss(0, 100_000)),
            descriptors=20 + chance.choice([0, 0, 1]),
            threads=4,
        )
        for plate in range(plates)
    ]


def memory_of(found: list[soak_measures.Growth]) -> soak_measures.Growth:
    return next(growth for growth in found if growth.quantity is Quantity.MEMORY)


def test_a_steady_growth_is_seen_over_the_lives_of_many_processes() -> None:
    growth = memory_of(soak_measures.growths(samples(300_000)))
    assert growth.per_plate == pytest.approx(300_000, rel=0.3)
    assert not growth.is_flat


def test_what_grows_only_while_it_is_new_is_flat() -> None:
    warming = [Sample(plate, Role.WORKER, 1, 50_000_000 + 300_000 * min(plate, 9), 8, 1) for plate in range(25)]
    assert memory_of(soak_measures.growths(warming)).is_flat


def test_what_only_wobbles_is_flat() -> None:
    assert all(growth.is_flat for growth in soak_measures.growths(samples(0)))


def test_one_descriptor_a_plate_is_seen() -> None:
    leaking = [
        Sample(plate, Role.OWN, 1, memory=1, descriptors=20 + plate, threads=4 + plate // 4) for plate in range(20)
    ]
    found = {growth.quantity: growth for growth in soak_measures.growths(leaking)}
    assert found[Quantity.DESCRIPTORS].per_plate == pytest.approx(1)
    assert not found[Quantity.DESCRIPTORS].is_flat
    assert not found[Quantity.THREADS].is_flat
    assert found[Quantity.MEMORY].is_flat


def test_one_of_several_workers_that_grows_is_seen() -> None:
    steady = [Sample(plate, Role.WORKER, 1, 50_000_000, 8, 1) for plate in range(20)]
    growing = [Sample(plate, Role.WORKER, 2, 50_000_000 + 500_000 * plate, 8, 1) for plate in range(20)]
    others = [Sample(plate, Role.WORKER, 3, 50_000_000, 8, 1) for plate in range(20)]
    assert not memory_of(soak_measures.growths(steady + growing + others)).is_flat


def test_of_processes_that_live_too_short_nothing_is_said() -> None:
    growth = memory_of(soak_measures.growths(samples(900_000, life=2)))
    assert growth.per_plate is None


def test_the_verdict_is_the_exit_code() -> None:
    assert verdict(Record(samples=samples(0)), []) == 0
    assert verdict(Record(samples=samples(300_000)), []) == 1
    assert verdict(Record(problems=["plate 3: a file differs"]), []) == 1
    assert verdict(Record(), ["the window has hardly seen what others run"]) == 1


def test_memory_that_is_allocated_is_measured() -> None:
    process = psutil.Process(os.getpid())
    before = soak_measures.take(1, Role.OWN, process).memory
    held = b"x" * 50_000_000
    assert soak_measures.take(2, Role.OWN, process).memory - before > 0.9 * len(held)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at shared memory as Linux has it")
@pytest.mark.timeout(300)
def test_a_short_soak() -> None:
    options = ["--seconds=1", "--wells=2", "--size=64", "--seed=1", "--port=7974", "--viewer-port=7975", "--window"]
    ended = subprocess.run([sys.executable, str(SOAK), *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("nothing left\n")
    assert "the window ran 1 plates" in ended.stdout

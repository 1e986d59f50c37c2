"""Whether the soak sees what grows, and does not see what only wobbles; and a short one, with real processes."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import soak_measures
from soak_measures import Quantity, Role, Sample

SOAK = Path(__file__).resolve().parents[1] / "soak.py"


def samples(growth: float, plates: int = 40, life: int = 10, role: Role = Role.SERVER) -> list[Sample]:
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


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at shared memory as Linux has it")
@pytest.mark.timeout(300)
def test_a_short_soak() -> None:
    options = ["--seconds=1", "--wells=2", "--size=64", "--seed=1", "--port=7974", "--viewer-port=7975"]
    ended = subprocess.run([sys.executable, str(SOAK), *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("nothing left\n")

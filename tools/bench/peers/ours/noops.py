import time

from zmqruntime.execution import Executor


def noop(number: int) -> None:
    return None


if __name__ == "__main__":
    with Executor("noops", max_workers=2) as executor:
        executor.submit(noop, 0).result()
        begun = time.perf_counter()
        assert len(list(executor.map(noop, range(10_000)))) == 10_000
        print(time.perf_counter() - begun)

import time

from executorlib import SingleNodeExecutor


def noop(number):
    return None


with SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
    executor.submit(noop, 0).result()
    begun = time.perf_counter()
    futures = [executor.submit(noop, number) for number in range(10_000)]
    assert len([future.result() for future in futures]) == 10_000
    print(time.perf_counter() - begun)

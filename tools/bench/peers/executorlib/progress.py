import time
from concurrent.futures import as_completed

from executorlib import SingleNodeExecutor


def step(number):
    time.sleep(0.1)


with SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
    futures = [executor.submit(step, number) for number in range(10)]
    for done, _ in enumerate(as_completed(futures), start=1):
        print(f"{done}/10", flush=True)

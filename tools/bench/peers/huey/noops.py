# $ huey_consumer noops_tasks.huey -w 2 -k process -q
import time

from noops_tasks import noop

noop(0).get(blocking=True)
begun = time.perf_counter()
assert len(noop.map(range(10_000)).get(blocking=True)) == 10_000
print(time.perf_counter() - begun)

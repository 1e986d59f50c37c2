import time

import ipyparallel as ipp


def noop(number):
    return None


with ipp.Cluster(n=2) as rc:
    view = rc.load_balanced_view()
    view.apply_sync(noop, 0)
    begun = time.perf_counter()
    assert len(view.map_sync(noop, range(10_000))) == 10_000
    print(time.perf_counter() - begun)

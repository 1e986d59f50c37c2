import signal
import time

import ipyparallel as ipp
from endless import busy, wait_for_busy

with ipp.Cluster(n=1) as rc:
    cluster = rc.cluster
    result = rc[0].apply_async(busy)
    wait_for_busy()
    print(time.time(), flush=True)
    cluster.signal_engines_sync(signal.SIGINT)
    result.wait()
    print(result.status)

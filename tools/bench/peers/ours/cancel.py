import time

from endless import busy, wait_for_busy

from zmqruntime.execution import Executor

future = Executor("hello", cancel_grace=0).submit(busy)
wait_for_busy()
print(time.time(), flush=True)
print(future.cancel())

import time

from zmqruntime import ProgressUpdate
from zmqruntime.execution import Executor, track


def work(steps: int) -> None:
    for _ in track(range(steps), "work"):
        time.sleep(0.1)


if __name__ == "__main__":
    for event in Executor("hello").submit(work, 10).events():
        if isinstance(event, ProgressUpdate):
            print(f"{event.completed}/{event.total}", flush=True)

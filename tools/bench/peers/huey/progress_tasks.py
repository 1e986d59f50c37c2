import time

from huey import SqliteHuey

huey = SqliteHuey(filename="huey.db")


@huey.task(context=True)
def work(steps, task=None):
    for done in range(1, steps + 1):
        time.sleep(0.1)
        huey.put(f"progress:{task.id}", done)

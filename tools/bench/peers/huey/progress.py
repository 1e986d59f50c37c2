# $ huey_consumer progress_tasks.huey
import time

from progress_tasks import huey, work

result, shown = work(10), 0
while shown < 10:
    done = huey.get(f"progress:{result.id}", peek=True) or 0
    if done > shown:
        print(f"{done}/10", flush=True)
        shown = done
    time.sleep(0.05)
huey.delete(f"progress:{result.id}")

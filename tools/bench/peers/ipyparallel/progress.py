import time

import ipyparallel as ipp


def work(steps):
    import time

    from ipyparallel.datapub import publish_data

    for done in range(1, steps + 1):
        time.sleep(0.1)
        publish_data({"done": done})


with ipp.Cluster(n=1) as rc:
    result, shown = rc[0].apply_async(work, 10), 0
    while shown < 10:
        done = result.data.get("done", 0)
        if done > shown:
            print(f"{done}/10", flush=True)
            shown = done
        time.sleep(0.05)

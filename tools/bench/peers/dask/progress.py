import time

from distributed import Client, get_client


def work(steps):
    for done in range(1, steps + 1):
        time.sleep(0.1)
        get_client().log_event("progress", done)


if __name__ == "__main__":
    with Client() as client:
        client.subscribe_topic("progress", lambda event: print(f"{event[1]}/10", flush=True))
        client.submit(work, 10).result()

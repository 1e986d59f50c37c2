import time

from distributed import Client


def noop(number):
    return None


if __name__ == "__main__":
    with Client(n_workers=2, threads_per_worker=1) as client:
        client.submit(noop, -1).result()
        begun = time.perf_counter()
        assert len(client.gather(client.map(noop, range(10_000)))) == 10_000
        print(time.perf_counter() - begun)

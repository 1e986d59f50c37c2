import time

from joblib import Parallel, delayed


def noop(number):
    return None


with Parallel(n_jobs=2) as parallel:
    parallel([delayed(noop)(0)])
    begun = time.perf_counter()
    assert len(parallel(delayed(noop)(number) for number in range(10_000))) == 10_000
    print(time.perf_counter() - begun)

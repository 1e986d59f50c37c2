import time

from joblib import Parallel, delayed


def step(number):
    time.sleep(0.1)


parallel = Parallel(n_jobs=2, return_as="generator_unordered")
for done, _ in enumerate(parallel(delayed(step)(number) for number in range(10)), start=1):
    print(f"{done}/10", flush=True)

from joblib import Parallel, delayed


def add(a, b):
    return a + b


print(*Parallel(n_jobs=2)([delayed(add)(1, 2)]))

from joblib import Memory, Parallel, delayed
from steps import step

kept = Memory("cache", verbose=0).cache(step)
print(sum(Parallel(n_jobs=2)(delayed(kept)(number) for number in range(10))))

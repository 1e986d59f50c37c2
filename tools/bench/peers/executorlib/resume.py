from executorlib import SingleNodeExecutor
from steps import step

with SingleNodeExecutor(max_workers=2, cache_directory="cache") as executor:
    futures = [executor.submit(step, number) for number in range(10)]
    print(sum(future.result() for future in futures))

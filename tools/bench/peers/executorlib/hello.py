from executorlib import SingleNodeExecutor


def add(a, b):
    return a + b


with SingleNodeExecutor() as executor:
    print(executor.submit(add, 1, 2).result())

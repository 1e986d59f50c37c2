from zmqruntime.execution import Executor


def add(a: int, b: int) -> int:
    return a + b


if __name__ == "__main__":
    future = Executor("hello").submit(add, 1, 2)
    print(future.execution_id, flush=True)
    print(future.result())

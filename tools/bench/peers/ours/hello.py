from zmqruntime.execution import Executor


def add(a: int, b: int) -> int:
    return a + b


if __name__ == "__main__":
    print(Executor("hello").submit(add, 1, 2).result())

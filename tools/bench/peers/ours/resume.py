from steps import step

from zmqruntime.execution import Executor, current_task


def work(steps: int) -> int:
    task = current_task()
    for number in range(len(task.checkpoints()), steps):
        task.checkpoint(str(number), step(number))
    return sum(task.checkpoints().values())


if __name__ == "__main__":
    print(Executor("hello").submit(work, 10, key="ten steps").result())

# $ redis-server
# $ taskiq worker progress:broker
import asyncio
from typing import Annotated

from taskiq import TaskiqDepends
from taskiq.depends.progress_tracker import ProgressTracker, TaskState
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

URL = "redis://localhost:6379"
broker = RedisStreamBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))


@broker.task
async def work(steps: int, progress: Annotated[ProgressTracker[int], TaskiqDepends()]) -> None:
    for done in range(1, steps + 1):
        await asyncio.sleep(0.1)
        await progress.set_progress(TaskState.STARTED, meta=done)


async def main() -> None:
    await broker.startup()
    task, shown = await work.kiq(10), 0
    while shown < 10:
        progress = await task.get_progress()
        if progress is not None and progress.meta > shown:
            shown = progress.meta
            print(f"{shown}/10", flush=True)
        await asyncio.sleep(0.05)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())

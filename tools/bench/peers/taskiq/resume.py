# $ redis-server --appendonly yes
# $ taskiq worker resume:broker -w 1
import asyncio

from steps import step
from taskiq.task import AsyncTaskiqTask
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

URL = "redis://localhost:6379"
broker = RedisStreamBroker(URL, idle_timeout=1000).with_result_backend(RedisAsyncResultBackend(URL))
work = broker.task(step)


async def main() -> None:
    await broker.startup()
    results = []
    for number in range(10):
        task = AsyncTaskiqTask(f"step-{number}", broker.result_backend)
        if not await task.is_ready():
            await work.kicker().with_task_id(task.task_id).kiq(number)
        results.append((await task.wait_result()).return_value)
    print(sum(results))
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())

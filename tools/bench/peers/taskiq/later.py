# $ redis-server --appendonly yes
# $ taskiq worker durable:broker
import asyncio
import sys

from durable import broker
from taskiq.task import AsyncTaskiqTask


async def main() -> None:
    await broker.startup()
    task = AsyncTaskiqTask(sys.argv[1], broker.result_backend)
    print((await task.wait_result()).return_value)
    await broker.shutdown()


asyncio.run(main())

# $ redis-server
# $ taskiq worker hello:broker
import asyncio

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

URL = "redis://localhost:6379"
broker = RedisStreamBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))


@broker.task
def add(a: int, b: int) -> int:
    return a + b


async def main() -> None:
    await broker.startup()
    task = await add.kiq(1, 2)
    print((await task.wait_result()).return_value)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())

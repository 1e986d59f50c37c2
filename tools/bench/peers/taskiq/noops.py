# $ redis-server --appendonly yes
# $ taskiq worker noops:broker -w 2 --log-level WARNING
import asyncio
import time

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

URL = "redis://localhost:6379"
broker = RedisStreamBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))


@broker.task
async def noop(number: int) -> None:
    return None


async def main() -> None:
    await broker.startup()
    await (await noop.kiq(0)).wait_result()
    begun = time.perf_counter()
    tasks = [await noop.kiq(number) for number in range(10_000)]
    assert len([await task.wait_result() for task in tasks]) == 10_000
    print(time.perf_counter() - begun)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())

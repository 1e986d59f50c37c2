# $ huey_consumer durable_tasks.huey
from durable_tasks import add

result = add(1, 2)
print(result.id, flush=True)
print(result.get(blocking=True, preserve=True))

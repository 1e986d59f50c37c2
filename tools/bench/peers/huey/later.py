# $ huey_consumer durable_tasks.huey
import sys

from durable_tasks import huey

print(huey.result(sys.argv[1], blocking=True))

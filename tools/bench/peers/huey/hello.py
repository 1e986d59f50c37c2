# $ huey_consumer hello_tasks.huey
from hello_tasks import add

print(add(1, 2).get(blocking=True))

# $ huey_consumer resume_tasks.huey
from resume_tasks import work

print(work(10).get(blocking=True))

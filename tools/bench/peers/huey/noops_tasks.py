from huey import SqliteHuey

huey = SqliteHuey(filename="huey.db", store_none=True, timeout=60)


@huey.task()
def noop(number):
    return None

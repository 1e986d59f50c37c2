from huey import SqliteHuey

huey = SqliteHuey(filename="huey.db", fsync=True)


@huey.task()
def add(a, b):
    return a + b

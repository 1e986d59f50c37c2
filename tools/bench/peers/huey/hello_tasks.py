from huey import SqliteHuey

huey = SqliteHuey(filename="huey.db")


@huey.task()
def add(a, b):
    return a + b

from distributed import Client


def add(a, b):
    return a + b


if __name__ == "__main__":
    with Client() as client:
        print(client.submit(add, 1, 2).result())

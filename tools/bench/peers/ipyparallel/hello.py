import ipyparallel as ipp


def add(a, b):
    return a + b


with ipp.Cluster(n=2) as rc:
    print(rc.load_balanced_view().apply_sync(add, 1, 2))

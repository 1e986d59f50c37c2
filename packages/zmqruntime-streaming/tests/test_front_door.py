"""The public names of the package are those that it lists."""

from types import ModuleType

import zmqruntime.streaming


def test_all_names_are_there_sorted_and_no_other() -> None:
    for name in vars(zmqruntime.streaming)["__all__"]:
        getattr(zmqruntime.streaming, name)  # imported now
    visible = {
        name
        for name, value in vars(zmqruntime.streaming).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    } - {"attach"}
    assert vars(zmqruntime.streaming)["__all__"] == sorted(visible) == dir(zmqruntime.streaming)

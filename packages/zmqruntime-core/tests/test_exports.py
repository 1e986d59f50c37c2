"""The front door: what ``zmqruntime`` exports is what it says it exports, and it stays light."""

import subprocess
import sys
from types import ModuleType

import zmqruntime


def test_all_is_sorted_and_complete() -> None:
    for name in vars(zmqruntime)["__all__"]:
        assert not isinstance(getattr(zmqruntime, name), ModuleType)
    public = {
        name
        for name, value in vars(zmqruntime).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name not in ("extend_path", "attach")
    }
    assert public == set(vars(zmqruntime)["__all__"])
    assert dir(zmqruntime) == list(vars(zmqruntime)["__all__"]) == sorted(vars(zmqruntime)["__all__"])


def test_import_brings_in_neither_numpy_nor_openhcs() -> None:
    code = "import sys, zmqruntime; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "zmqruntime" in modules
    assert "numpy" not in modules
    assert not {name for name in modules if name.startswith("openhcs")}


def test_importing_it_loads_none_of_its_parts() -> None:
    code = "import sys, zmqruntime; print(*sorted(name for name in sys.modules if name.startswith(('zmq', 'msgspec'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["zmqruntime", "zmqruntime.lazy_names"]


def test_a_module_is_an_attribute_and_any_other_name_is_an_error() -> None:
    code = "import zmqruntime; print(zmqruntime.config.__name__, hasattr(zmqruntime, 'nonsense'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["zmqruntime.config", "False"]

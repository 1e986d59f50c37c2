"""Texts of arguments, and the parts of sources that results depend on: equal only for what acts equally."""

import functools
from collections import OrderedDict
from dataclasses import InitVar, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from openhcs_runtime.functions import denoise, segment_nuclei
from openhcs_runtime.pipeline.reachable import reachable_source
from openhcs_runtime.pipeline.stable_text import stable_text


class Gain:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def run(self, stack: Any) -> Any:
        return stack * self.factor


class Point(NamedTuple):
    x: int


class Colour(Enum):
    RED = 1


@dataclass
class Sized:
    size: InitVar[int]
    half: int = field(init=False, default=0)

    def __post_init__(self, size: int) -> None:
        self.double = 2 * size


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"add": 1, "mul": 2}, {"mul": 2, "add": 1}),
        ([1, 2], (1, 2)),
        ((1,), Point(1)),
        ({1, 2}, frozenset({1, 2})),
        ({"a": 1}, OrderedDict(a=1)),
        (1, True),
        (1, 1.0),
        ("1", 1),
        (Gain(2).run, Gain(3).run),
        (Gain(2), Gain(3)),
        (Sized(2), Sized(3)),
        (functools.partial(denoise, sigma_px=1), functools.partial(denoise, sigma_px=2)),
        (denoise, segment_nuclei),
        (np.zeros(3), np.zeros(4)),
        (np.zeros(3), np.zeros(3, np.float32)),
        (Colour.RED, 1),
        (Path("a"), "a"),
        ([1].append, [2].append),
    ],
)
def test_what_acts_differently_has_another_text(one: object, other: object) -> None:
    assert stable_text(one) != stable_text(other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"a": [1, (2.5, None)], "b": {3, 4}},
        lambda: Gain(2).run,
        lambda: [Gain(2), Sized(3), Point(1), Colour.RED],
        lambda: functools.partial(denoise, sigma_px=1),
        lambda: [denoise, np.sin, np.arange(3), Path("a"), len],
    ],
)
def test_equal_values_have_an_equal_text(make: Any) -> None:
    assert stable_text(make()) == stable_text(make())


EFFECTS = {
    "decorator": "REG = {}\ndef register(f):\n    REG[f.__name__] = f\n    return f\n"
    "@register\ndef gain(x):\n    return x * 2\ndef seg(s):\n    return REG['gain'](s)\n",
    "dispatch": "import functools\n@functools.singledispatch\ndef gain(x):\n    return x\n"
    "@gain.register(list)\ndef _(x):\n    return x * 2\ndef seg(s):\n    return gain(s)\n",
    "subclass": "class Base:\n    pass\nclass Two(Base):\n    factor = x * 2\n"
    "def seg(s):\n    return Base.__subclasses__()[0].factor\n",
    "found": "class Base:\n    made = []\n    def __init_subclass__(cls):\n        Base.made.append(cls)\n"
    "class Two(Base):\n    factor = x * 2\ndef seg(s):\n    return Base.made[0].factor\n",
    "import": "import gr\nimport gp  # x * 2\ndef seg(s):\n    return gr.G\n",
    "default": "K = []\ndef configure(k, _=K.append('x * 2')):\n    pass\ndef seg(s):\n    return K\n",
    "walrus": "X = (G := x * 2)\ndef seg(s):\n    return G\n",
    "globals": "def gain(x):\n    return x * 2\ndef seg(s):\n    return seg.__globals__['ga' + 'in'](s)\n",
    "own max": "L = []\ndef max(a):\n    L.append(a)\nM = max('x * 2')\ndef seg(s):\n    return L\n",
    "setup": "L = []\nL.append('x * 2')\ndef seg(s):\n    return L\n",
    "attribute": "def gain(x):\n    return x\ngain.by = 'x * 2'\ndef seg(s):\n    return gain(s)\n",
    "annotation": "L = []\ndef f(a: L.append('x * 2')):\n    pass\ndef seg(s):\n    return L\n",
    "metaclass": "class Meta(type):\n    pass\nclass Two(metaclass=Meta):\n    a = 'x * 2'\n"
    "def seg(s):\n    return Meta\n",
}


@pytest.mark.parametrize("name", EFFECTS)
def test_what_can_have_an_effect_is_part_of_the_source(name: str) -> None:
    if name == "import":
        assert "import gp" in reachable_source(EFFECTS[name], {"seg"})
        return
    found = reachable_source(EFFECTS[name], {"seg"})
    assert found != reachable_source(EFFECTS[name].replace("x * 2", "x * 3"), {"seg"})


def test_what_cannot_is_left_out() -> None:
    text = """
from functools import lru_cache
from openhcs_runtime import Measurements, OutputKind, special_outputs
from dataclasses import dataclass, field

SIZE = max(3, 4)

@lru_cache(maxsize=2)
def cached(x):
    return x

@special_outputs(OutputKind.MEASUREMENTS)
def last(stack, *, size: int | None = SIZE):
    return stack, [Measurements({})]

@dataclass(frozen=True)
class Options:
    sizes: list = field(default_factory=list)

def seg(stack):
    return stack
"""
    found = reachable_source(text, {"seg"})
    assert "def seg" in found
    assert not any(part in found for part in ("SIZE", "cached", "last", "Options"))

"""Results of functions for people and programs that do not have the types of the program."""

import datetime
import decimal
import json
import pathlib
import struct
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from msgspec.msgpack import Ext

from zmqruntime.execution import Executor
from zmqruntime.execution.cli.app import main
from zmqruntime.execution.executor.arrays import Header
from zmqruntime.execution.executor.opened import open_value
from zmqruntime.execution.executor.shown import json_text, text_of
from zmqruntime.execution.executor.values import Kind, Values


def array(dtype: Any, shape: tuple[int, ...], body: bytes, kind: Kind = Kind.ARRAY) -> Ext:
    """An array as numpy packs it, without numpy."""
    header = msgspec.msgpack.encode(Header(dtype, shape, "C"))
    return Ext(kind.value, len(header).to_bytes(4) + header + body)


def record(reference: str, **fields: object) -> Ext:
    """A dataclass that cannot be imported here."""
    return Ext(Kind.OBJECT.value, msgspec.msgpack.encode([reference, {k: wire(v) for k, v in fields.items()}]))


def wire(value: object) -> Any:
    """A value as a client receives it."""
    sent = value if isinstance(value, Ext) else Values().to_wire(value)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(sent))


@pytest.mark.parametrize(
    ("value", "text", "document"),
    [
        ({"a": [1, "b", None]}, "{'a': [1, 'b', None]}", {"a": [1, "b", None]}),
        ((1, ()), "(1, ())", {"$type": "tuple", "values": [1, {"$type": "tuple", "values": []}]}),
        ({1: "a"}, "{1: 'a'}", {"$type": "dict", "items": [[1, "a"]]}),
        ({"$type": 1}, "{'$type': 1}", {"$type": "dict", "items": [["$type", 1]]}),
        (frozenset({1}), "frozenset({1})", {"$type": "frozenset", "values": [1]}),
        (2**70, str(2**70), 2**70),
        (float("inf"), "inf", {"$type": "float", "value": "inf"}),
        (b"x", "b'x'", {"$type": "bytes", "base64": "eA=="}),
        (pathlib.Path("/a"), "/a", {"$type": "path", "value": "/a"}),
        (decimal.Decimal("1.50"), "1.50", {"$type": "Decimal", "value": "1.50"}),
        (
            datetime.datetime(2026, 1, 2, 3),
            "2026-01-02 03:00:00",
            {"$type": "datetime", "value": "2026-01-02T03:00:00"},
        ),
        (
            record("jobs:Fit", loss=0.5, best=(1,)),
            "Fit(loss=0.5, best=(1,))",
            {"$type": "jobs:Fit", "fields": {"loss": 0.5, "best": {"$type": "tuple", "values": [1]}}},
        ),
        (
            Ext(Kind.ENUM.value, msgspec.msgpack.encode(["jobs:Colour", "RED", None])),
            "Colour.RED",
            {"$type": "jobs:Colour", "name": "RED", "value": None},
        ),
        (
            array("<f8", (), struct.pack("<d", 0.25), Kind.SCALAR),
            "0.25",
            {"$type": "scalar", "dtype": "<f8", "value": 0.25},
        ),
        (
            array("<i4", (2, 1), struct.pack("<2i", 7, 8)),
            "array of int32, 2 x 1",
            {"$type": "array", "dtype": "<i4", "shape": [2, 1], "order": "C", "values": [7, 8]},
        ),
        (
            array("<U1", (1,), b"a\0\0\0"),
            "array of <U1, 1",
            {"$type": "array", "dtype": "<U1", "shape": [1], "order": "C", "base64": "YQAAAA=="},
        ),
        (Ext(Kind.PICKLE.value, b"abc"), "pickled object, 3 bytes", {"$type": "pickled object", "base64": "YWJj"}),
        (
            Ext(Kind.OBJECT.value, b"abc"),
            "extension type 14, 3 bytes",
            {"$type": "extension type 14", "base64": "YWJj"},
        ),
    ],
)
def test_values_are_shown_without_their_types(value: object, text: str, document: object) -> None:
    opened = open_value(wire(value))
    assert text_of(opened) == text
    assert json.loads(json_text(opened)) == document


def test_status_shows_a_result_and_none_of_a_failure(
    isolated_home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def status(execution_id: str, *options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["zmqruntime", "status", "--executor", "one", execution_id, *options])
        assert main() == 0
        return capsys.readouterr().out

    with Executor("one", persistent=False) as executor:
        made, failed = executor.submit(divmod, 7, 2), executor.submit(int, "\x1b[31mred\u202e")
        made.result(60)
        failed.exception(60)
        assert "Result     (3, 1)\n" in status(made.execution_id)
        result = json.loads(status(made.execution_id, "--json"))["execution"]["result"]
        assert result == {"$type": "tuple", "values": [3, 1]}
        said = status(failed.execution_id)
    assert "Result " not in said
    assert "Error      ValueError: invalid literal" in said
    assert not {"\x1b", "\u202e"} & set(said)


def test_to_look_at_results_imports_nothing_heavy() -> None:
    text = "import sys, zmqruntime.execution.cli.app; print({'numpy', 'cloudpickle'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout == "set()\n"

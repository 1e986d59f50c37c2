"""Values on their way: restored to the same type, or refused by name where they are submitted."""

import collections
import datetime
import functools
import math
import re
import subprocess
import sys
import threading
import zoneinfo
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast

import msgspec
import pytest
import task_functions as functions
from hypothesis import given, settings, strategies as st
from task_records import Level, Mode, Point, Slotted, Span, Tagged

from zmqruntime.codec import encode
from zmqruntime.exceptions import RequestRefusedError, UnsendableError
from zmqruntime.execution import Executor, TaskError
from zmqruntime.execution.executor.errors import RemoteTraceback
from zmqruntime.execution.executor.values import Values
from zmqruntime.messages import StateChange

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
OTHERS = (
    st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.sampled_from([datetime.UTC, BERLIN]))
    | st.dates()
    | st.times()
    | st.timedeltas()
)
HASHABLE = PLAIN | OTHERS | st.tuples(PLAIN, OTHERS) | st.frozensets(PLAIN)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(HASHABLE, inner) | st.sets(HASHABLE),
    max_leaves=8,
)


def round_trip(value: object) -> Any:
    """Return a value as the other side gets it."""
    return Values().from_wire(msgspec.msgpack.decode(encode(Values().to_wire(value))))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of equal types, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(same, one.items(), other.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other) and getattr(one, "tzinfo", None) == getattr(other, "tzinfo", None)


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_values_are_restored_to_the_same_types(value: object) -> None:
    assert same(round_trip(value), value)


@pytest.mark.parametrize(
    "value",
    [
        Point(1.5, ("a",)),
        Slotted(Point(2.0), Level.HIGH),
        Span(1, 2),
        Tagged("x", datetime.date(2026, 1, 1)),
        Level.LOW,
        Mode.READ | Mode.WRITE,
        [Mode.READ, {Level.LOW: Span(3, 4)}],
        Path("/a/b"),
        PurePosixPath("c"),
        PureWindowsPath("c:/d"),
        "\ud800 from a file name",
        bytearray(b"ab"),
        range(3, 30, 4),
        datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
        datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(hours=2), "here")),
        2**70,
        -(2**63) - 1,
    ],
    ids=repr,
)
def test_types_of_programs_and_odd_values(value: object) -> None:
    assert same(round_trip(value), value)
    assert repr(round_trip(value)) == repr(value)


def test_arrays_keep_dtype_shape_and_order() -> None:
    numpy = pytest.importorskip("numpy")
    records = numpy.array([(1, [2.0, 3.0])], dtype=[("a", "<i4"), ("b", ">f8", (2,))])
    fortran = numpy.arange(6, dtype="u2").reshape(2, 3).T
    for array in (records, fortran, numpy.zeros((0, 3)), numpy.array(5.0), numpy.array(["ab"]), fortran[::2, ::-1]):
        found = round_trip(array)
        assert (found.dtype, found.shape, found.flags.f_contiguous) == (
            array.dtype,
            array.shape,
            array.flags.f_contiguous,
        )
        assert (found == array).all()
        assert found.flags.writeable
    for scalar in (numpy.float32(1.5), numpy.bool_(True), numpy.datetime64("2026-01-01"), numpy.str_("x")):
        assert same(round_trip(scalar), scalar)
    with pytest.raises(UnsendableError, match="Python objects"):
        round_trip(numpy.array([object()]))
    with pytest.raises(UnsendableError, match="MaskedArray"):
        round_trip(numpy.ma.masked_array([1], [True]))


def test_what_cannot_be_restored_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    extended = msgspec.defstruct("Local", ["x"])(1)
    for value in (threading.Lock(), collections.OrderedDict(), object(), loop, int, extended, functions.Plain()):
        with pytest.raises(UnsendableError):
            round_trip(value)
    evil = encode(msgspec.msgpack.Ext(14, encode(["subprocess:Popen", {"args": "true"}])))
    with pytest.raises(UnsendableError, match="not a dataclass"):
        Values().from_wire(msgspec.msgpack.decode(evil))
    with pytest.raises(UnsendableError, match="allow_pickle=True"):
        Values().from_wire(msgspec.msgpack.Ext(21, b""))


@pytest.fixture(scope="module")
def inline() -> Executor:
    """An executor that calls functions in place."""
    return Executor(inline=True)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda do: do(functions.add), r"add\(\) is missing a required argument: 'a'"),
        (lambda do: do(functions.add, 1, 2, 3), r"add\(\) takes 2 positional arguments, but got 3"),
        (lambda do: do(functions.add, 1, a=2), r"add\(\) got multiple values for argument 'a'"),
        (lambda do: do(functions.add, 1, c=2), r"add\(\) got an unexpected keyword argument 'c'"),
        (lambda do: do(functions.add, "1"), r"argument 'a' of add\(\) must be int, not str \('1'\)"),
        (lambda do: do(functions.add, 1, b=1.5), r"argument 'b' of add\(\) must be int, not float \(1.5\)"),
        (lambda do: do(functions.hinted, [1, "x"]), r"argument 'counts' of hinted\(\) must be list\[int\], not list"),
        (lambda do: do(functions.hinted, [1], mode="z"), r"argument 'mode' of hinted\(\) must be Literal"),
        (lambda do: do(lambda: 1), "lambda.*allow_pickle=True"),
        (lambda do: do(functools.partial(cast(Any, functions.add), "1")), "argument 'a'"),
        (lambda do: do(functions.Plain().method), "method of an object.*allow_pickle=True"),
        (lambda do: do(functions.coroutine), "asyncio.run"),
        (lambda do: do(3), "not a function"),
        (lambda do: do(functions.identity, object()), r"argument 'value' of identity\(\): a value of type"),
    ],
)
def test_a_wrong_call_is_refused_where_it_is_submitted(
    inline: Executor, call: Callable[[Callable[..., Any]], object], text: str
) -> None:
    with pytest.raises((TypeError, UnsendableError), match=text):
        call(inline.submit)


def test_in_place_a_call_is_as_in_a_worker(inline: Executor) -> None:
    given = [1, (2, 3)]
    found = inline.submit(functions.identity, given).result()
    assert found == given
    assert found is not given
    with pytest.raises(functions.Odd) as odd:
        inline.submit(functions.fail, "odd").result()
    assert isinstance(odd.value.__cause__, RemoteTraceback)
    with pytest.raises(TaskError, match="Local: not importable"):
        inline.submit(functions.fail, "local").result()
    with pytest.raises(UnsendableError, match="the result of unsendable") as caught:
        inline.submit(functions.unsendable).result()
    assert caught.value.__cause__ is None
    assert inline.submit(functions.asked_to_stop).cancelled()
    assert list(inline.map(functions.add, [1, 2, 3], chunksize=2)) == [2, 3, 4]
    once = inline.submit(functions.flaky, key="flaky")
    assert isinstance(once.exception(), OSError)
    assert inline.submit(functions.flaky, key="flaky") is once
    assert inline.options(retries=2, retry_on=(OSError,)).submit(functions.flaky).result() == "at last"
    assert inline.submit(functions.add, 1).snapshot().status == "complete"


def test_in_place_events_and_ends_are_as_on_a_server(inline: Executor) -> None:
    future = inline.submit(functions.reporting)
    assert future.result() == future.execution_id
    states = [event.execution.status for event in future.events() if isinstance(event, StateChange)]
    assert states == ["queued", "running", "complete"]
    (line,) = future.logs()
    assert (line.execution_id, line.sequence) == (future.execution_id, 1)
    assert [event.number for event in future.events()] == list(range(1, 1 + future.snapshot().event_count))
    assert next(future.events(after=2)).number == 3
    with pytest.raises(TaskError, match="SystemExit: 3"):
        inline.options(retries=1).submit(functions.leave, "exit").result()
    assert inline.executions(1)[0].attempts == 2
    with pytest.raises(KeyboardInterrupt):
        inline.submit(functions.leave, "interrupt")


def test_in_place_dependencies_are_as_on_a_server(inline: Executor, tmp_path: Path) -> None:
    failed = inline.submit(functions.fail, "os")
    first = inline.submit(functions.no_op, after=[failed])
    second = inline.submit(functions.no_op, after=[inline.submit(functions.no_op), first])
    reason = f"it needs {failed.execution_id} (fail), which failed: FileNotFoundError"
    for future in (first, second):
        with pytest.raises(TaskError, match=re.escape(f"execution {future.execution_id}: {reason}")):
            future.result()
        assert future.snapshot().attempts == 0
    with pytest.raises(RequestRefusedError, match="it is to run after unknown-id, which this server does not have"):
        inline.submit(functions.no_op, after=["unknown-id"])
    with pytest.raises(RequestRefusedError, match="unknown-id"):
        inline.submit(functions.no_op, key="odd", after=["unknown-id"])


def test_errors_keep_their_parts(inline: Executor) -> None:
    with pytest.raises(ExceptionGroup, match="both") as group:
        inline.submit(functions.fail, "group").result()
    slotted, inner = group.value.exceptions
    assert isinstance(slotted, functions.Slotted)
    assert slotted.code == 6
    assert isinstance(inner, ExceptionGroup)
    assert isinstance(inner.exceptions[0], KeyError)
    with pytest.raises(functions.Slotted, match="slotted 5") as caused:
        inline.submit(functions.fail, "cause").result()
    cause = caused.value.__cause__
    assert (caused.value.code, repr(cause)) == (5, "ZeroDivisionError('first')")
    assert cause is not None
    assert isinstance(cause.__cause__, RemoteTraceback)


def test_the_import_stays_light() -> None:
    code = "import sys, zmqruntime.execution as e; e.Executor; print(*sys.modules)"
    heavy = {"cloudpickle", "numpy", "starlette", "IPython", "tqdm", "opentelemetry", "asyncio"}

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())

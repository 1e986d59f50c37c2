"""The loop: calls from threads, timers, sockets, and that it survives what its handlers do."""

import logging
import socket
import threading
import time

import pytest
import zmq

from zmqruntime.loop import SocketLoop, send_frames


def test_calls_keep_their_order_and_run_on_the_loops_thread() -> None:
    loop = SocketLoop("test")
    seen: list[tuple[int, str]] = []
    loop.start()
    for number in range(1000):
        loop.call_soon(lambda number=number: seen.append((number, threading.current_thread().name)))  # type: ignore[misc]
    loop.stop()
    assert loop.join(10)
    assert seen == [(number, "test") for number in range(1000)]


def test_a_failing_handler_is_logged_and_the_loop_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    loop = SocketLoop("test")
    done = threading.Event()
    loop.start()
    with caplog.at_level(logging.CRITICAL + 1):
        loop.call_soon(lambda: 1 / 0)  # type: ignore[arg-type]
        loop.call_soon(done.set)
        assert done.wait(10)
    loop.stop()
    loop.join()


def test_timers_fire_in_order_and_can_be_cancelled() -> None:
    loop = SocketLoop("test")
    seen: list[str] = []
    loop.call_later(0.02, loop.stop)
    loop.call_later(0.01, lambda: seen.append("second"))
    loop.call_later(0.0, lambda: seen.append("first"))
    loop.call_later(0.0, lambda: seen.append("never")).cancel()
    loop.run()
    assert seen == ["first", "second"]


def test_sockets_are_read_and_written_when_they_can_be() -> None:
    loop = SocketLoop("test")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        got: list[bytes] = []

        def read() -> None:
            got.append(ours.recv(100))
            loop.remove(ours)
            loop.stop()

        def write() -> None:
            theirs.send(b"hello")
            loop.remove_writer(theirs)

        loop.add_reader(ours, read)
        loop.add_writer(theirs, write)
        loop.run()
    assert got == [b"hello"]


def test_an_idle_loop_sleeps_until_its_next_timer() -> None:
    loop = SocketLoop("test")
    turns: list[float] = []
    loop.after_turn = lambda: turns.append(time.monotonic())
    loop.call_later(0.3, loop.stop)
    loop.run()
    assert len(turns) <= 3


def test_after_its_end_calls_do_nothing_and_at_end_ran_once() -> None:
    loop = SocketLoop("test")
    ends: list[int] = []
    loop.at_end = lambda: ends.append(1)
    loop.start()
    loop.stop()
    assert loop.join(10)
    loop.call_soon(lambda: ends.append(2))
    loop.dispose()
    assert ends == [1]


def test_a_plain_socket_that_was_removed_may_be_closed_and_its_number_used_again() -> None:
    loop = SocketLoop("test")
    seen: list[int] = []

    def watch(turns: int) -> None:
        ours, theirs = socket.socketpair()

        def read() -> None:
            seen.append(ours.fileno())
            loop.remove(ours)
            ours.close()
            theirs.close()
            loop.call_soon(lambda: watch(turns - 1) if turns else loop.stop())

        loop.add_reader(ours, read)
        theirs.send(b"x")

    loop.call_soon(lambda: watch(5))
    loop.start()
    assert loop.join(10)
    assert len(seen) == 6


def test_a_message_after_a_sleep_is_handled_alone_and_all_others_together_in_the_next_turn() -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as ours, context.socket(zmq.PAIR) as theirs:
        loop = SocketLoop("test")
        ours.bind("inproc://test")
        theirs.connect("inproc://test")
        turns: list[int] = []

        def read() -> None:
            turns.append(sum(1 for _ in loop.receive(ours)))
            if sum(turns) == 101:
                loop.stop()

        loop.add_reader(ours, read)

        def send() -> None:
            for _ in range(101):
                theirs.send(b"x")

        loop.call_soon(send)
        loop.run()
        assert turns in ([1, 100], [101])  # in one turn if the loop noticed them before it slept


def test_a_message_that_arrives_while_its_socket_is_used_is_not_left_behind() -> None:
    """libzmq signals it only once, and whatever uses the socket takes that signal away."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as ours, context.socket(zmq.PAIR) as theirs:
        ours.bind("inproc://test")
        theirs.connect("inproc://test")
        loop = SocketLoop("test")

        def read() -> None:
            for frames in loop.receive(ours):
                send_frames(ours, frames)
                ours.get(zmq.EVENTS)

        loop.add_reader(ours, read)
        loop.start()
        theirs.rcvtimeo = 20_000
        for number in range(2000):
            theirs.send(b"%d" % number)
            theirs.send_multipart([b"more", b"%d" % number])
            assert theirs.recv_multipart() == [b"%d" % number]
            assert theirs.recv_multipart() == [b"more", b"%d" % number]
        loop.stop()
        assert loop.join(10)


def test_a_message_from_before_the_loop_ran_is_handled() -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as ours, context.socket(zmq.PAIR) as theirs:
        ours.bind("inproc://test")
        theirs.connect("inproc://test")
        theirs.send(b"early")
        assert ours.poll(10_000)  # takes the signal
        loop = SocketLoop("test")
        got: list[list[bytes]] = []

        def read() -> None:
            got.extend(loop.receive(ours))
            loop.stop()

        loop.add_reader(ours, read)
        loop.run()
        assert got == [[b"early"]]


def test_a_call_from_before_a_message_was_caused_runs_before_the_message_is_handled() -> None:
    """A thread registers something, then sends what is answered: the answer finds it."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as ours, context.socket(zmq.PAIR) as theirs:
        ours.bind("inproc://test")
        theirs.connect("inproc://test")
        loop = SocketLoop("test")
        known: list[bytes] = []
        found: list[list[bytes]] = []

        def register_and_send() -> None:
            loop.call_soon(lambda: known.append(b"answer"))
            theirs.send(b"answer")

        def read() -> None:
            for frames in loop.receive(ours):
                if frames == [b"first"]:
                    thread = threading.Thread(target=register_and_send)
                    thread.start()
                    thread.join()
                else:
                    found.append(list(known))
                    loop.stop()

        theirs.send(b"first")
        assert ours.poll(10_000)  # the loop begins with a message, and takes all that there are
        loop.add_reader(ours, read)
        loop.run()
    assert found == [[b"answer"]]

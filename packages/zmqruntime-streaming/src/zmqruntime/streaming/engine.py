"""The engine of a stream: its memory, its queue, and the thread that hears from the viewer.

Any thread can add items, under one lock, and sends them at once if the viewer has room; otherwise they wait until the
loop's thread hears that it has.
"""

import concurrent.futures
import contextlib
import itertools
import mmap
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import zmq

from zmqruntime.acks.listener import GlobalAckListener
from zmqruntime.acks.tracker import GlobalQueueTrackerRegistry, QueueTracker
from zmqruntime.address import Address
from zmqruntime.codec import encode
from zmqruntime.exceptions import ClosedError
from zmqruntime.identity import ProcessIdentity
from zmqruntime.loop import SocketLoop
from zmqruntime.streaming.backlog import Backlog, Item, Policy
from zmqruntime.streaming.compression import Compression, Gauge, compress, prepare
from zmqruntime.streaming.exceptions import StreamTimeoutError, ViewerCommandError
from zmqruntime.streaming.link import ViewerLink
from zmqruntime.streaming.pool import Block, BlockPool
from zmqruntime.streaming.segments import create_segment, remove_segment, sweep_segments
from zmqruntime.streaming.waiting import wait, wait_for
from zmqruntime.streaming.wire import (
    CommandReply,
    Content,
    Delivery,
    FromViewer,
    ImageMessage,
    Packing,
    SegmentProbe,
    SegmentRef,
    Stamp,
    StreamHello,
    StreamReport,
    StreamWelcome,
    ViewerAction,
    ViewerCommand,
)

__all__ = ["StreamEngine"]

Reply = concurrent.futures.Future[Sequence[zmq.Frame]]

_MIN_SHARED_BYTES = 64 * 1024  # below this, a frame is cheaper than opening a segment
_LINE_BYTES = 16 * 1024 * 1024  # in flight at once; more doesn't fit into the caches. Two arrays are always allowed
_SHARE = 2  # half of the budget may be in flight or kept by the viewer; the other half is for new arrays


class StreamEngine:
    """The implementation of :class:`zmqruntime.streaming.ImageStream`, with the same arguments."""

    def __init__(
        self,
        address: Address,
        policy: Policy,
        budget: int,
        share: bool,
        compression: Compression,
        repeat: bool = True,
    ) -> None:
        self.address = address
        self.changed = threading.Condition(threading.RLock())
        self.pool = BlockPool(budget)
        self.largest: Final = budget // _SHARE // mmap.PAGESIZE * mmap.PAGESIZE
        """The size of the largest array that can be sent, in bytes."""
        self.backlog = Backlog(policy, self.pool.give_back, self._note_skipped)
        self.welcome: StreamWelcome | None = None
        self.displayed = self.failed = self.put_count = 0
        self._policy = policy
        self._share = share
        self._repeat = repeat
        self._tickets, self._numbers = itertools.count(1), itertools.count(1)
        self._commands: dict[int, Reply] = {}
        self._gauge = Gauge()
        self._compression = compression
        if compression is Compression.ALWAYS or (compression is Compression.AUTO and not address.is_local):
            self._packs = prepare()
        else:
            self._packs = False
        self._sent: dict[int, tuple[float, int]] = {}
        self._last_done = 0.0
        self._tracker: QueueTracker | None = None
        self._pid = os.getpid()
        self._closed = self._is_sending = False
        self._hello = self._make_hello()
        self._loop = SocketLoop(f"stream-{address.port}")
        try:
            self._link = ViewerLink(self._loop, address, self.changed, self._greet, self._on_message, self._on_lost)
        except BaseException:
            self._loop.dispose()
            self._release()
            raise
        self._loop.at_end = self._at_end
        self._loop.start()

    # --- from any thread -------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return an id for something to send, from the id of the stream and a number."""
        return f"{self._hello.stream_id}-{next(self._numbers)}"

    def take_block(self, nbytes: int, deadline: float) -> Block | None:
        """Return memory for an array; None if the array has to be skipped for lack of room."""
        shared = self._share and nbytes >= _MIN_SHARED_BYTES
        return self.make_room(lambda: self.pool.acquire(nbytes, shared), deadline)

    def make_room(self, get: Callable[[], Block | None], deadline: float) -> Block | None:
        """Return the result of ``get`` once there is room; None if the policy does not allow waiting.

        Raises:
            StreamTimeoutError: there was no room until the deadline.
        """
        with self.changed:
            while (block := get()) is None:
                self.check_open()
                if self.backlog.forget_current():
                    continue
                may_skip = self._policy is Policy.LATEST or (self._policy is Policy.BLOCK and self.welcome is None)
                if may_skip and self.backlog.skip_oldest():
                    continue
                if may_skip:
                    return None
                self._wait(deadline, "the memory budget of the stream is full")
            return block

    def wait_for_turn(self, deadline: float) -> None:
        """With ``block``, wait until the viewer has room for another item, or there is no viewer."""
        if self._policy is not Policy.BLOCK:
            return
        with self.changed:
            while self.welcome is not None and self._is_full(self.welcome):
                self._wait(deadline, "the viewer does not accept more images")

    def put(
        self,
        content: Content,
        key: tuple[object, ...],
        block: Block,
        nbytes: int,
        header: bytes | None = None,
        itemsize: int = 1,
    ) -> None:
        """Queue an item, which is sent as soon as the viewer has room."""
        with self.changed:
            self.check_open()
            self.put_count += 1
            if isinstance(content, ImageMessage):
                content = msgspec.structs.replace(content, stamp=Stamp(self.put_count, time.time()))
            self.backlog.put(Item(next(self._tickets), content, key, block, nbytes, header, itemsize=itemsize))
            if not self._packs:
                self._send_here()
        if self._packs:  # compression takes its time, on the loop's thread
            self._loop.call_soon(self._pump)

    def skip(self) -> None:
        """Count an item that was skipped before it was queued."""
        with self.changed:
            self.put_count += 1
            self.backlog.skipped += 1

    def give_back_later(self, block: Block) -> None:
        """Release a block; can be called at any time, including by the garbage collector."""
        self._loop.call_soon(lambda: self._give_back(block))

    def let_go_later(self, block: Block) -> None:
        """Note that the program has no more arrays on a block that it sent; can be called at any time, too."""
        self._loop.call_soon(lambda: self._let_go(block))

    def command(self, action: ViewerAction, arguments: dict[str, Any], timeout: float) -> Sequence[zmq.Frame]:
        """Send a command to the viewer.

        Args:
            action: what to do.
            arguments: arguments of the action.
            timeout: seconds to wait for the reply.

        Returns:
            The further frames of the reply.

        Raises:
            ViewerCommandError: there is no viewer, or the command failed.
            StreamTimeoutError: the viewer did not reply in time.
        """
        self.check_open()
        reply: Reply = concurrent.futures.Future()
        self._loop.call_soon(lambda: self._send_command(action, arguments, reply))
        try:
            return reply.result(timeout)
        except TimeoutError as error:
            raise StreamTimeoutError(
                f"the viewer on port {self.address.port} did not reply to {action} within {timeout:g} s"
            ) from error

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait for a condition changed by the loop's thread; return False at the deadline."""
        with self.changed:
            return wait_for(self.changed, lambda: self._closed or condition(), timeout) and condition()

    def check_open(self) -> None:
        """Check that the stream can be used.

        Raises:
            ClosedError: it was closed, or this is a forked child process.
        """
        if self._closed or os.getpid() != self._pid:
            raise ClosedError("this stream was closed, or created before a fork; create a new one")

    def close(self) -> None:
        """End the thread and remove the segments; can be called more than once. Does nothing in a forked child."""
        if os.getpid() != self._pid:
            return
        with self.changed:
            self._closed = True
            self.changed.notify_all()
        self._loop.stop()
        self._loop.join()

    def _send_here(self) -> None:
        """Send on the calling thread, with the lock held."""
        try:
            self._send_waiting()
        except BaseException:  # Ctrl-C: what was just sent may lack its end, and the next message would become that
            self._link.give_up()
            raise

    def _wait(self, deadline: float, why: str) -> None:
        if not wait(self.changed, deadline):
            raise StreamTimeoutError(
                f"{why}, and the viewer on port {self.address.port} did not change that in time; check whether it "
                "hangs, raise the timeout or the memory_budget, or use Policy.LATEST"
            )
        self.check_open()

    def _is_full(self, welcome: StreamWelcome) -> bool:
        return bool(self.backlog.waiting) or len(self.backlog.in_flight) >= welcome.window

    def _give_back(self, block: Block) -> None:
        with self.changed:
            self.pool.give_back(block)
            self.changed.notify_all()

    def _let_go(self, block: Block) -> None:
        with self.changed:
            self.pool.let_go(block)
            self.changed.notify_all()

    # --- on the loop's thread ---------------------------------------------------------------------------------------

    def _make_hello(self) -> StreamHello:
        sweep_segments()
        owner = ProcessIdentity.current()
        hello = StreamHello(stream_id=uuid.uuid4().hex, pid=owner.pid, process_start=owner.start)
        self._probe: str | None = None
        if self._share:
            with contextlib.suppress(OSError):
                content = os.urandom(16)
                self._probe, mapped = create_segment(len(content))
                mapped[:] = content
                self._probe_memory = mapped
                probe = SegmentProbe(self._probe, content)
                return StreamHello(stream_id=hello.stream_id, pid=owner.pid, process_start=owner.start, probe=probe)
        return hello

    def _greet(self) -> StreamHello:
        hello = self._hello
        return StreamHello(
            stream_id=hello.stream_id,
            pid=hello.pid,
            process_start=hello.process_start,
            probe=hello.probe,
            ack_port=GlobalAckListener().port,
        )

    def _pump(self) -> None:
        with self.changed:
            self._send_waiting()
            self.changed.notify_all()

    def _send_waiting(self) -> None:
        if self._is_sending:  # a signal handler or a finalizer sends, in the middle of another message
            self._loop.call_soon(self._pump)
            return
        self._is_sending = True
        try:
            welcome = self.welcome
            while welcome is not None and (item := self._next(welcome)) is not None:
                self._send(item, welcome)
        finally:
            self._is_sending = False

    def _next(self, welcome: StreamWelcome) -> Item | None:
        limit = self.largest
        if not welcome.shares_memory:
            limit = min(limit, max(_LINE_BYTES, 2 * self.backlog.next_bytes))
        return self.backlog.send_next(welcome.window, limit)

    def _send(self, item: Item, welcome: StreamWelcome) -> None:
        if self._tracker is not None and not item.is_repeat:
            self._tracker.register_sent(item.content.image_id)
        item.was_sent = True
        segment = self._segment_for(item, welcome)
        body: memoryview | bytes = item.block.memory[: item.nbytes]
        packing = Packing.PLAIN
        if segment is None and item.header is not None and self._is_worth_packing(item, welcome):
            body, packing = compress(item.block.memory[: item.nbytes], item.itemsize), Packing.BLOSC2
        delivery = encode(Delivery(ticket=item.ticket, content=item.content, segment=segment, packing=packing))
        if item.header is None:
            frames: list[bytes | memoryview] = [delivery]
        elif segment is not None:
            frames = [delivery, item.header]
        else:
            frames = [delivery, item.header, *_pieces(body, self.address.config.max_message_bytes)]
            self._sent[item.ticket] = (time.monotonic(), len(body))
        self._link.send(frames)

    def _segment_for(self, item: Item, welcome: StreamWelcome) -> SegmentRef | None:
        may_lend = self.backlog.lent_bytes + item.nbytes <= self.largest
        if item.block.segment is None or not welcome.shares_memory or not may_lend:
            return None
        self.backlog.lend(item)
        return SegmentRef(item.block.segment, item.nbytes)

    def _is_worth_packing(self, item: Item, welcome: StreamWelcome) -> bool:
        if not self._packs or Packing.BLOSC2 not in welcome.packings or not item.nbytes:
            return False
        if self._compression is Compression.ALWAYS:
            return True
        return self._gauge.is_worth_it(item.block.memory[: item.nbytes], item.itemsize)

    def _on_message(self, message: FromViewer, rest: Sequence[zmq.Frame]) -> None:
        match message:
            case StreamWelcome():
                with self.changed:
                    self.welcome = message
                    self._share = message.shares_memory
                    self._tracker = GlobalQueueTrackerRegistry().get_or_create_tracker(
                        message.viewer_port, message.viewer_type
                    )
                self._pump()
            case StreamReport():
                self._take_report(message)
            case CommandReply():
                reply = self._commands.pop(message.number, None)
                if reply is not None and reply.set_running_or_notify_cancel():
                    if message.error is None:
                        reply.set_result(rest)
                    else:
                        reply.set_exception(ViewerCommandError(message.error))

    def _take_report(self, report: StreamReport) -> None:
        listener = GlobalAckListener()
        for ack in report.acks:
            listener.take(ack)
        failed = {ack.image_id for ack in report.acks if ack.error is not None}
        superseded = set(report.superseded)
        with self.changed:
            for ticket in report.done:
                self._note_done(ticket, failed, ticket in superseded)
            for ticket in report.released:
                self.backlog.released(ticket)
            self._pump()

    def _note_done(self, ticket: int, failed: set[str], is_superseded: bool) -> None:
        item = self.backlog.in_flight.get(ticket)
        if item is None:
            return
        has_failed = item.content.image_id in failed
        if not item.is_repeat:
            self.failed += has_failed and not is_superseded
            self.backlog.skipped += is_superseded
            self.displayed += not has_failed
        self.backlog.done(ticket, keep=self._repeat and not has_failed)
        sent = self._sent.pop(ticket, None)
        if sent is not None:
            now = time.monotonic()
            self._gauge.note_sent(sent[1], now - max(sent[0], self._last_done))
            self._last_done = now

    def _note_skipped(self, item: Item) -> None:
        if self._tracker is not None and item.was_sent and not item.is_repeat:
            self._tracker.mark_failed(item.content.image_id, "the viewer closed before it was shown")

    def _send_command(self, action: ViewerAction, arguments: dict[str, Any], reply: Reply) -> None:
        if self.welcome is None:
            reply.set_exception(ViewerCommandError(f"no viewer is running on port {self.address.port}; start one"))
            return
        number = next(self._tickets)
        self._commands[number] = reply
        reply.add_done_callback(lambda _: self._commands.pop(number, None))
        with self.changed:
            self._link.send([encode(ViewerCommand(number=number, action=action, arguments=arguments))])

    def _on_lost(self) -> None:
        commands, self._commands = self._commands, {}
        for reply in commands.values():
            if reply.set_running_or_notify_cancel():
                reply.set_exception(ViewerCommandError(f"the viewer on port {self.address.port} disconnected"))
        self._sent.clear()
        with self.changed:
            self.welcome = None
            self.backlog.lost()
            self.changed.notify_all()

    def _at_end(self) -> None:
        with self.changed:
            self.welcome = None
        self._link.close()
        with self.changed:
            if self._tracker is not None:
                for item in self.backlog.in_flight.values():
                    self._tracker.mark_failed(item.content.image_id, "the stream was closed before it was shown")
            self._release()

    def _release(self) -> None:
        self.pool.close()
        if self._probe is not None:
            self._probe_memory.close()
            remove_segment(self._probe)


def _pieces(body: memoryview | bytes, limit: int) -> list[memoryview]:
    """Split the body into frames no longer than a viewer accepts; at least one, which may be empty."""
    view = memoryview(body)
    return [view[start : start + limit] for start in range(0, max(1, len(view)), limit)]

"""Notices at the end of executions: callables of other packages, a command, a webhook.

They run in a thread and in processes of their own, which can be slow, fail or hang without holding up the server: what
takes too long is killed, and what fails is in the server's log. A notice is sent at most once; those that are waiting
when the server is killed are lost, since the state of each execution is in the database anyway.
"""

import collections
import logging
import os
import shlex
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from zmqruntime.codec import encode
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["GROUP", "EndHooks", "EndNotices"]

_log = logging.getLogger(__name__)

GROUP = "zmqruntime.on_end"
COMMAND_VARIABLE = "ZMQRUNTIME_ON_END_COMMAND"
WEBHOOK_VARIABLE = "ZMQRUNTIME_ON_END_WEBHOOK"

_MOST_WAITING = 10_000
_AT_ONCE = 100
_PROCESS_SECONDS = 60.0
_WEBHOOK_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
_PAUSES = (1.0, 4.0)
_SHOWN_OUTPUT = 2_000


class EndNotices(NamedTuple):
    """Whom to tell besides the entry points of the group ``zmqruntime.on_end``."""

    command: tuple[str, ...] = ()
    webhook: str = ""

    @classmethod
    def of(cls, command: str | Sequence[str] | None, webhook: str | None) -> "EndNotices":
        """Return what a server was given, or what the environment says where it was given nothing.

        Raises:
            ConfigurationError: The command cannot be split, or the webhook is not an HTTP address.
        """
        command = os.environ.get(COMMAND_VARIABLE, "") if command is None else command
        webhook = os.environ.get(WEBHOOK_VARIABLE, "") if webhook is None else webhook
        try:
            words = shlex.split(command) if isinstance(command, str) else list(command)
        except ValueError as error:
            raise ConfigurationError(f"the command at the end, {command!r}, is not a command: {error}") from error
        if webhook and urllib.parse.urlsplit(webhook).scheme not in ("http", "https"):
            raise ConfigurationError(f"the webhook {webhook!r} is not an address that starts with http:// or https://")
        return cls(tuple(words), webhook)


class EndHooks:
    """Tells of each execution that has ended; :meth:`note` returns at once.

    Args:
        notices: Whom to tell.
    """

    def __init__(self, notices: EndNotices) -> None:
        self._notices = notices
        self._waiting: collections.deque[bytes] = collections.deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closing = False
        self._has_given_up = False
        self._has_hooks: bool | None = None
        self._dropped = 0

    def note(self, snapshot: ExecutionSnapshot) -> None:
        """Tell of an execution that has ended."""
        if self._has_hooks is False:
            return
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self._dropped += 1
                return
            self._waiting.append(encode(snapshot))
            self._changed.notify()
        if self._thread is None:  # looking for entry points takes a while, so not before something has ended
            self._thread = threading.Thread(target=self._run, name="end-hooks", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Send what is waiting, for a few seconds, then give up."""
        if self._thread is None:
            return
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            with self._changed:
                self._has_given_up = True
                self._waiting.clear()
                process = self._process
            _log.warning("notices at the end of executions were given up because the server is closing")
            if process is not None:
                process.kill()
            self._thread.join(_WEBHOOK_SECONDS)

    # --- in the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        import importlib.metadata  # noqa: PLC0415 - only once an execution has ended, and not in workers

        has_entry_points = bool(importlib.metadata.entry_points(group=GROUP))
        self._has_hooks = has_entry_points or bool(self._notices.command or self._notices.webhook)
        while self._has_hooks and (batch := self._next()):
            if has_entry_points:
                command = [sys.executable, "-P", "-m", "zmqruntime.execution.server.hook_process"]
                self._run_process(command, msgspec.msgpack.encode(list(map(msgspec.Raw, batch))), {})
            for packed in batch:
                if self._has_given_up:
                    return
                self._tell(msgspec.msgpack.decode(packed, type=ExecutionSnapshot))
        with self._changed:
            self._waiting.clear()

    def _next(self) -> list[bytes]:
        """Wait for ended executions; return none once the server is closing."""
        with self._changed:
            while not self._waiting and not self._is_closing:
                self._changed.wait()
            if self._dropped:
                _log.error("%d executions ended faster than their hooks run: those were not told of", self._dropped)
                self._dropped = 0
            return [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]

    def _tell(self, snapshot: ExecutionSnapshot) -> None:
        document = msgspec.json.encode(snapshot, enc_hook=repr)
        if self._notices.command:
            variables = {
                "ZMQRUNTIME_EXECUTION_ID": snapshot.execution_id,
                "ZMQRUNTIME_STATUS": snapshot.status.value,
                "ZMQRUNTIME_NAME": snapshot.name.replace("\0", ""),
            }
            self._run_process(self._notices.command, document, variables)
        if self._notices.webhook:
            self._post(document)

    def _run_process(self, command: Sequence[str], data: bytes, variables: dict[str, str]) -> None:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **variables},
            )
        except OSError as error:
            _log.error("cannot start the hook %s: %s", shlex.join(command), error.strerror or error)
            return
        with self._changed:
            self._process = process
        try:
            output, _ = process.communicate(data, _PROCESS_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            _log.error("the hook %s did not end within %g s and was killed", shlex.join(command), _PROCESS_SECONDS)
            return
        finally:
            with self._changed:
                self._process = None
        if process.returncode:
            said = output.decode(errors="replace").strip()[-_SHOWN_OUTPUT:]
            _log.error("the hook %s ended with exit code %d: %s", shlex.join(command), process.returncode, said)

    def _post(self, document: bytes) -> None:
        import urllib.request  # noqa: PLC0415 - loads ssl and email, for servers with a webhook only

        request = urllib.request.Request(
            self._notices.webhook, document, {"Content-Type": "application/json"}, method="POST"
        )
        for pause in (*_PAUSES, None):
            try:
                with urllib.request.urlopen(request, timeout=_WEBHOOK_SECONDS):
                    return
            except (OSError, ValueError) as error:
                if pause is None or self._is_closing:
                    _log.error("the webhook %s was not reached: %s", self._notices.webhook, error)
                    return
            self._pause(pause)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            while not self._is_closing and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

"""Notices about the end of a batch: to a web server, a mail server and the session bus of a desktop, all real."""

import asyncio
import contextlib
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QPoint
from PyQt6.QtDBus import QDBusConnection
from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.notice_password import PASSWORD_VARIABLE
from openhcs_gui_services.services.notice_plates import batch_end_of
from openhcs_gui_services.services.notice_sending import send_notices
from openhcs_gui_services.services.notice_targets import MailSecurity
from openhcs_gui_services.services.notices import BatchEnd, Notice, PlateEnd, notice_of
from openhcs_gui_services.services.plates import values
from openhcs_gui_services.services.plates.presenter import PlateSnapshot
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.services.settings import WindowSettings
from openhcs_gui_services.services.settings_fields import SettingsField
from openhcs_gui_services.widgets.common import desktop_notice
from openhcs_gui_services.widgets.common.desktop_notice import DesktopNotices
from openhcs_gui_services.widgets.settings.dialog import SettingsDialog
from openhcs_gui_services.window.notices_link import NoticesLink
from zmqruntime.execution import AxisProgress, AxisState

END = BatchEnd(
    (
        PlateEnd("p6", "/data/p6", "failed", 4, 6, (("A03", "image is cut short\ntraceback"), ("A05", "no image"))),
        PlateEnd("p7", "/data/p7", "complete", 6, 6),
    ),
    125.0,
)
SECONDS = 30.0


class Web(BaseHTTPRequestHandler):
    """Keeps what is posted; answers with the codes in turn, the last one for ever."""

    codes: list[int]
    posted: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.posted.append((self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"]))))
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs; keeps the commands and the mails."""

    said: list[str]
    refusal: str

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            self.said.append(line)
            match line[:4].upper():
                case "EHLO":
                    self._say("250-here\r\n250 AUTH PLAIN")
                case "AUTH":
                    self._say("235 welcome" if not self.refusal else self.refusal)
                case "DATA":
                    self._say("354 go on")
                    while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                        self.said.append(text)
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    """Serve in a thread; yields the port."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a web server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Web, "codes", [200], raising=False)
    monkeypatch.setattr(Web, "posted", [], raising=False)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Web)) as port:
        yield port


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a mail server."""
    monkeypatch.setattr(Mail, "said", [], raising=False)
    monkeypatch.setattr(Mail, "refusal", "", raising=False)
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        yield port


def sent(settings: WindowSettings, desktop: Callable[[Notice], Awaitable[bool]] | None = None) -> tuple[str, ...]:
    """Send notices with three tries, and return what went wrong."""
    return asyncio.run(send_notices(settings, END, desktop, (0.0, 0.0)))


def by_mail(port: int, user: str = "", security: MailSecurity = MailSecurity.NONE) -> WindowSettings:
    return WindowSettings(
        mail_to="me@lab.org, you@lab.org",
        smtp_host="localhost",
        smtp_port=port,
        smtp_security=security,
        smtp_user=user,
    )


def test_a_notice_names_plates_wells_time_and_machine() -> None:
    notice = notice_of(END, "scope-3")
    assert notice.title == "1 of 2 plates complete, 1 failed, 2 failed wells"
    assert notice.lines == (
        "p6: failed, 4 of 6 wells done, failed: A03, A05",
        "p7: complete, 6 of 6 wells done",
        "Took 2 min 5 s on scope-3",
    )
    assert not notice.is_good
    one = notice_of(BatchEnd((PlateEnd("p7", "/data/p7", "complete", 6, 6),), 2.0), "scope-3")
    assert (one.title, one.is_good) == ("p7 complete", True)


def test_the_end_of_a_batch_has_the_errors_of_its_wells() -> None:
    rows = [
        PlateRow(path, "p6", PlateSnapshot(state))
        for path, state in (("/a/p6", PlateStatus.FAILED), ("/b/p6", PlateStatus.COMPLETE))
    ]
    wells = {
        "/a/p6": [AxisProgress("A01", AxisState.COMPLETE), AxisProgress("A02", AxisState.FAILED, error="no image")],
        "/b/p6": [AxisProgress("A01", AxisState.COMPLETE)],
    }
    found = batch_end_of(
        values.BatchEnd(("p6", "p6", "gone"), 2, {"gone": ("C03",)}, ("gone",), 3.0), rows, lambda path: wells[path]
    )
    assert [plate.line for plate in found.plates] == [
        "p6: failed, 1 of 2 wells done, failed: A02",
        "p6: complete, 1 of 1 wells done",
        "gone: failed, failed: C03",
    ]
    assert found.plates[0].failed == (("A02", "no image"),)


def test_a_webhook_gets_json(web: int) -> None:
    assert sent(WindowSettings(webhook_url=f"http://127.0.0.1:{web}/hook")) == ()
    kind, body = Web.posted[0]
    document = json.loads(body)
    assert kind == "application/json"
    assert document["schema"] == "openhcs-batch-end/1"
    assert document["plates"][0]["failed"] == [
        {"well": "A03", "error": "image is cut short"},
        {"well": "A05", "error": "no image"},
    ]
    assert "A03, A05" in document["text"]
    assert (document["good"], document["seconds"]) == (False, 125.0)


@pytest.mark.parametrize(
    ("codes", "tries", "words"),
    [
        ([503, 429, 200], 3, ""),
        ([500], 3, "answered 500 Internal Server Error: try later"),
        ([404], 1, "answered 404 Not Found: copy its address"),
        ([302], 1, "points to another address"),
    ],
)
def test_a_webhook_is_tried_again_only_if_that_may_help(web: int, codes: list[int], tries: int, words: str) -> None:
    Web.codes = codes
    problems = sent(WindowSettings(webhook_url=f"http://127.0.0.1:{web}/secret"))
    assert len(Web.posted) == tries
    assert words in "".join(problems)
    assert bool(words) == bool(problems)
    assert "secret" not in "".join(problems)


def test_a_server_that_is_not_there_is_said_with_what_to_do() -> None:
    problems = sent(
        WindowSettings(webhook_url="http://127.0.0.1:9/", mail_to="me@lab.org", smtp_host="127.0.0.1", smtp_port=9)
    )
    assert ["check its address in Settings" in problems[0], "check it in Settings" in problems[1]] == [True, True]
    assert all("tried 3 times" in problem for problem in problems)


def test_a_mail_names_failed_wells_with_their_errors(mail: int) -> None:
    assert sent(by_mail(mail)) == ()
    assert "mail FROM:<me@lab.org>" in Mail.said[1]
    assert [line for line in Mail.said if line.startswith("rcpt")] == ["rcpt TO:<me@lab.org>", "rcpt TO:<you@lab.org>"]
    assert "Subject: 1 of 2 plates complete, 1 failed, 2 failed wells" in Mail.said
    assert "  A05: no image" in Mail.said


def test_a_password_comes_from_the_environment(mail: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    assert "there is no password for me" in sent(by_mail(mail, "me"))[0]
    assert Mail.said == []
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert sent(by_mail(mail, "me")) == ()
    assert any(line.startswith("AUTH PLAIN") for line in Mail.said)
    Mail.refusal = "535 no"
    assert "refuses the password of me: set it again" in sent(by_mail(mail, "me"))[0]


def test_nothing_is_sent_unencrypted_that_should_be_encrypted(mail: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    problem = sent(by_mail(mail, "me", MailSecurity.STARTTLS))[0]
    assert "choose another encryption" in problem
    assert not any(line.startswith(("AUTH", "mail")) for line in Mail.said)


SERVICE = """
import json
from PyQt6.QtCore import QCoreApplication, QObject, pyqtSlot
from PyQt6.QtDBus import QDBusConnection, QDBusMessage

class Service(QObject):
    @pyqtSlot(QDBusMessage)
    def Notify(self, message):
        print(json.dumps([message.signature(), message.arguments()], default=list), flush=True)

app, service, bus = QCoreApplication([]), Service(), QDBusConnection.sessionBus()
name = "org.freedesktop.Notifications"
assert bus.registerObject("/org/freedesktop/Notifications", name, service, bus.RegisterOption.ExportAllSlots)
assert bus.registerService(name)
print("ready", flush=True)
app.exec()
"""
"""Stands in for the notification service of a desktop, in a process of its own."""


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """The address of a session bus, which Qt uses for the rest of the process."""
    program = shutil.which("dbus-daemon")
    assert program is not None, "dbus-daemon is missing: run tools/system_libraries.py"
    before = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    with subprocess.Popen(
        [program, "--session", "--nofork", "--nopidfile", "--print-address"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as daemon:  # fmt: skip
        assert daemon.stdout is not None
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = daemon.stdout.readline().strip()
        yield os.environ["DBUS_SESSION_BUS_ADDRESS"]
        daemon.terminate()
    del os.environ["DBUS_SESSION_BUS_ADDRESS"]
    if before is not None:
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no session bus")
def test_the_desktop_shows_a_notice(
    bus: str, qapp: QApplication, qt_loop: qasync.QEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Qt keeps the first session bus that a process has used, so that the test has a connection of its own.
    own = QDBusConnection.connectToBus(bus, "window")
    monkeypatch.setattr(desktop_notice, "session_bus", lambda: own)
    notices = DesktopNotices(QIcon())

    async def show(is_shown: bool) -> None:
        async with asyncio.timeout(SECONDS):
            assert await notices.show(notice_of(END, "<scope>")) is is_shown

    qt_loop.run_until_complete(show(False))  # no service, and no tray offscreen
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "ready\n"
        qt_loop.run_until_complete(show(True))
        signature, arguments = json.loads(service.stdout.readline())
        service.terminate()
    QDBusConnection.disconnectFromBus("window")
    assert signature == "susssasa{sv}i"
    program, _, _, title, body, _, hints, _ = arguments
    assert (program, title) == ("OpenHCS", notice_of(END).title)
    assert "failed: A03, A05" in body
    assert "&lt;scope&gt;" in body
    assert hints["urgency"] == [2]


def test_the_dialog_sends_a_test_notice(qtbot: QtBot, qt_loop: qasync.QEventLoop, web: int) -> None:
    settings = WindowSettings(notify_desktop=False, webhook_url=f"http://127.0.0.1:{web}/")
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    said: list[str] = []

    async def work() -> None:
        tasks = BackgroundTasks(said.append)
        told = asyncio.Event()

        def say(text: str, is_error: bool) -> None:
            said.append(text)
            told.set()

        link = NoticesLink(lambda: settings, say, tasks, QIcon(), dialog)
        link.connect_dialog(dialog)
        dialog.show()
        dialog.show_page("Notices")
        button = next(each for each in dialog.findChildren(QPushButton) if each.text() == "Send a test notice")
        place, url = button.mapTo(dialog, QPoint()), dialog.field(SettingsField.WEBHOOK_URL).text()
        dialog.field(SettingsField.WEBHOOK_URL).setText("nowhere")
        assert dialog.problem(SettingsField.WEBHOOK_URL)
        assert button.mapTo(dialog, QPoint()) == place, "a problem that appears does not move the button"
        dialog.field(SettingsField.WEBHOOK_URL).setText(url)
        shown = asyncio.Event()
        dialog.test_shown.connect(shown.set)
        for code, words in ((200, "was sent"), (404, "404 Not Found")):
            Web.codes = [code]
            shown.clear()
            button.click()
            async with asyncio.timeout(SECONDS):
                while words not in dialog.test_outcome:
                    await shown.wait()
                    shown.clear()
        link.batch_ended(END)
        async with asyncio.timeout(SECONDS):
            await told.wait()
        await tasks.close()

    qt_loop.run_until_complete(work())
    assert "Not all notices were sent: the webhook at 127.0.0.1" in said[0]
    assert len(Web.posted) == 3

"""Settings: what is accepted, what is said of the rest, and how they are kept."""

from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QDialogButtonBox, QTabWidget, QToolButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.notice_targets import MailSecurity
from openhcs_gui_services.services.servers.nodes import ServerAddress
from openhcs_gui_services.services.settings import SettingsForm, WindowSettings, apply_keys, read_form
from openhcs_gui_services.services.settings_fields import SettingsField
from openhcs_gui_services.widgets.settings.dialog import SettingsDialog, in_use_text, load_settings, save_settings
from openhcs_gui_services.window.panes import run_settings
from openhcs_runtime.config import ExecutionMode, GlobalConfig
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.security import KeyStore

KEY = "a" * 40
FULL = WindowSettings(host="lab-server", port=7800, server_key=KEY, workers=4, viewer="napari")


NOTICES = WindowSettings(
    pattern=r"(?P<well>[A-H]\d+)_s(?P<site>\d+)",
    plate_format="pattern",
    pages="C2Z",
    output_dir="/data/results",
    notify_desktop=False,
    webhook_url="https://chat.lab.org/hooks/1",
    mail_to="me@lab.org, you@lab.org",
    mail_from="scope@lab.org",
    smtp_host="smtp.lab.org",
    smtp_port=2525,
    smtp_security=MailSecurity.TLS,
    smtp_user="scope",
)


@pytest.mark.parametrize(
    "settings", [WindowSettings(), FULL, WindowSettings(workers="auto", viewer="fiji:5600"), NOTICES]
)
def test_a_form_gives_back_what_it_was_made_of(settings: WindowSettings) -> None:
    assert read_form(SettingsForm.of(settings)) == settings


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        (SettingsForm(host="no host"), SettingsField.HOST, "address"),
        (SettingsForm(port="80"), SettingsField.PORT, "1024 to 64535"),
        (SettingsForm(port="x"), SettingsField.PORT, "number"),
        (SettingsForm(host="lab", server_key="short"), SettingsField.SERVER_KEY, "40 characters"),
        (SettingsForm(server_key=KEY), SettingsField.SERVER_KEY, "another machine"),
        (SettingsForm(workers="0"), SettingsField.WORKERS, "from 1"),
        (SettingsForm(workers="many"), SettingsField.WORKERS, "auto"),
        (SettingsForm(viewer="paint"), SettingsField.VIEWER, "not a viewer"),
        (SettingsForm(pattern="(site)"), SettingsField.PATTERN, "no well"),
        (SettingsForm(plate_format="paper"), SettingsField.PLATE_FORMAT, "imagexpress"),
        (SettingsForm(pages="rows"), SettingsField.PAGES, "C2Z"),
        (SettingsForm(webhook_url="file:///etc/passwd"), SettingsField.WEBHOOK_URL, "https://"),
        (SettingsForm(webhook_url="https://me:secret@lab.org"), SettingsField.WEBHOOK_URL, "password"),
        (SettingsForm(mail_to="me@lab.org, you", smtp_host="lab"), SettingsField.MAIL_TO, "commas"),
        (SettingsForm(mail_from="a@lab.org, b@lab.org"), SettingsField.MAIL_FROM, "address"),
        (SettingsForm(mail_to="me@lab.org"), SettingsField.SMTP_HOST, "mail server"),
        (SettingsForm(smtp_port="0"), SettingsField.SMTP_PORT, "65535"),
        (SettingsForm(smtp_host="lab", smtp_user="me", smtp_security="none"), SettingsField.SMTP_USER, "encryption"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(form: SettingsForm, field: SettingsField, words: str) -> None:
    found = read_form(form)
    assert not isinstance(found, WindowSettings)
    assert list(found) == [field]
    assert words in found[field]


def test_a_run_gets_what_the_window_says_and_else_its_own() -> None:
    base = GlobalConfig(num_workers=2, mode=ExecutionMode.THREADS, view="fiji")
    assert WindowSettings().config(base) == base
    assert WindowSettings(workers=4).config(base) == GlobalConfig(4, ExecutionMode.THREADS, None, "fiji")
    assert FULL.config() == GlobalConfig(4, view="napari")


@pytest.mark.usefixtures("isolated_home")
def test_the_key_of_a_server_elsewhere_is_trusted() -> None:
    keys = KeyStore(OPENHCS_CONFIG)
    apply_keys(WindowSettings(), keys)
    assert keys.trusted() == {}
    apply_keys(FULL, keys)
    assert keys.trusted() == {"lab-server-7800": KEY.encode()}


def test_settings_are_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "window.ini")
    store = QSettings(path, QSettings.Format.IniFormat)
    assert load_settings(store) == WindowSettings()
    save_settings(store, FULL)
    assert load_settings(QSettings(path, QSettings.Format.IniFormat)) == FULL
    store.setValue("window/port", "broken")
    assert load_settings(store) == WindowSettings("lab-server", 7777, KEY, 4, "napari")


def test_the_dialog_says_what_is_wrong_and_accepts_the_rest(qtbot: QtBot) -> None:
    dialog = SettingsDialog(WindowSettings(), own_key=lambda: KEY)
    qtbot.addWidget(dialog)
    dialog.show()
    box = dialog.findChild(QDialogButtonBox)
    assert isinstance(box, QDialogButtonBox)
    ok = box.button(QDialogButtonBox.StandardButton.Ok)
    assert ok is not None
    port = dialog.field(SettingsField.PORT)
    port.clear()
    qtbot.keyClicks(port, "99")
    assert "1024" in dialog.problem(SettingsField.PORT)
    assert not ok.isEnabled()
    assert dialog.settings() is None
    port.setText("7801")
    dialog.field(SettingsField.VIEWER).setText("fiji")
    assert dialog.problem(SettingsField.PORT) == ""
    with qtbot.waitSignal(dialog.settings_accepted) as accepted:
        ok.click()
    assert accepted.args == [WindowSettings(port=7801, viewer="fiji")]


def test_runs_get_how_files_are_named() -> None:
    found = run_settings(NOTICES)
    assert (found.pattern, found.plate_format, found.pages) == (NOTICES.pattern, "pattern", "C2Z")
    assert found.output_dir == "/data/results"
    assert run_settings(WindowSettings()).pattern is None


def test_notices_are_kept_without_a_password(tmp_path: Path) -> None:
    path = tmp_path / "window.ini"
    save_settings(QSettings(str(path), QSettings.Format.IniFormat), NOTICES)
    assert load_settings(QSettings(str(path), QSettings.Format.IniFormat)) == NOTICES
    assert "password" not in path.read_text(encoding="utf-8")


def test_the_server_in_use_is_named_if_it_is_another() -> None:
    assert in_use_text(WindowSettings(), ServerAddress(17300)) == (
        "This window uses port 17300 (--port); 7777 is used next time."
    )
    assert in_use_text(FULL, ServerAddress(7800, host="lab-server")) == ""


def test_a_page_with_a_problem_is_marked_and_the_dialog_is_small(qtbot: QtBot) -> None:
    dialog = SettingsDialog(WindowSettings())
    font = dialog.font()
    font.setPointSizeF(font.pointSizeF() * 1.5)  # as at 144 dpi
    dialog.setFont(font)
    qtbot.addWidget(dialog)
    dialog.show()
    assert max(dialog.sizeHint().height(), dialog.minimumSizeHint().height()) <= 700
    dialog.show_page("Notices")
    tabs = dialog.findChild(QTabWidget)
    assert isinstance(tabs, QTabWidget)
    assert tabs.tabText(2) == "Notices"
    qtbot.keyClicks(dialog.field(SettingsField.WEBHOOK_URL), "lab")
    assert tabs.tabText(2) == "Notices (!)"
    dialog.input(SettingsField.SMTP_SECURITY).set_text("tls")
    dialog.field(SettingsField.WEBHOOK_URL).clear()
    settings = dialog.settings()
    assert settings is not None
    assert settings.smtp_security is MailSecurity.TLS


def test_the_own_key_is_copied(qtbot: QtBot) -> None:
    dialog = SettingsDialog(WindowSettings(), own_key=lambda: KEY)
    qtbot.addWidget(dialog)
    copy = next(each for each in dialog.findChildren(QToolButton) if each.text() == "Copy")
    clipboard = QGuiApplication.clipboard()
    assert isinstance(copy, QToolButton)
    assert clipboard is not None
    copy.click()
    assert clipboard.text() == KEY

"""The settings of a window (server, runs, notices), validated while the user types."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from openhcs_gui_services.services.notice_targets import MailSecurity
from openhcs_gui_services.services.settings_checks import LIGHT_FIELDS, form_problems
from openhcs_gui_services.services.settings_fields import LOCAL_HOSTS, NO, YES, SettingsField
from openhcs_runtime.config import AUTO, GlobalConfig
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.security import KeyStore

__all__ = ["SettingsField", "SettingsForm", "WindowSettings", "apply_keys", "read_form"]


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """The settings of a window.

    Attributes:
        host: host name of the server; "" for this machine, through its socket file.
        port: data port of the server.
        server_key: public key of a server on another machine, 40 characters; "" if it is already known or not needed.
        workers: number of wells processed at the same time; None uses the pipeline's setting, "auto" lets the server
            decide.
        viewer: same format as ``GlobalConfig.view``; "" for no viewer.
        pattern: regular expression for the file names of plates; "" for the usual names.
        plate_format: name of the format of plates; "" to detect it.
        pages: what the pages of TIFF files are that don't describe them; "" if all describe them.
        output_dir: folder for the results of all plates, each in a subfolder; "" for next to each plate.
        notify_desktop: whether the end of a batch is shown on the desktop.
        webhook_url: where the end of a batch is posted as JSON; "" for nowhere.
        mail_to: who gets mail about the end of a batch, separated by commas; "" for nobody.
        mail_from: the sender of this mail; "" for its first recipient.
        smtp_host: the mail server.
        smtp_port: its port; None for the usual one.
        smtp_security: how the connection to it is encrypted.
        smtp_user: name to log in with at the mail server; "" to send without a login. The password is never here.
    """

    host: str = ""
    port: int = OPENHCS_CONFIG.default_port
    server_key: str = ""
    workers: int | str | None = None
    viewer: str = ""
    pattern: str = ""
    plate_format: str = ""
    pages: str = ""
    output_dir: str = ""
    notify_desktop: bool = True
    webhook_url: str = ""
    mail_to: str = ""
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: int | None = None
    smtp_security: MailSecurity = MailSecurity.STARTTLS
    smtp_user: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine."""
        return not self.host or self.host in LOCAL_HOSTS

    def config(self, base: GlobalConfig | None = None) -> GlobalConfig:
        """Return the machine's settings for a run: those of ``base``, overridden by the window's."""
        known = base or GlobalConfig()
        workers = known.num_workers if self.workers is None else AUTO if self.workers == AUTO else int(self.workers)
        return replace(known, num_workers=workers, view=self.viewer or known.view)


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """The texts of the fields, as typed."""

    host: str = ""
    port: str = str(OPENHCS_CONFIG.default_port)
    server_key: str = ""
    workers: str = ""
    viewer: str = ""
    pattern: str = ""
    plate_format: str = ""
    pages: str = ""
    output_dir: str = ""
    notify_desktop: str = YES
    webhook_url: str = ""
    mail_to: str = ""
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: str = ""
    smtp_security: str = MailSecurity.STARTTLS.value
    smtp_user: str = ""

    @classmethod
    def of(cls, settings: WindowSettings) -> "SettingsForm":
        """Return the texts of the fields for these settings."""
        return cls(**{field.value: _text(getattr(settings, field)) for field in SettingsField})


def read_form(form: SettingsForm, *, is_saved: bool = False) -> WindowSettings | Mapping[SettingsField, str]:
    """Return the settings in the fields, or the problem of each invalid field.

    Args:
        form: the texts of the fields.
        is_saved: whether they were checked before they were saved, so that checks that load image libraries are left
            out.
    """
    texts = {field: str(getattr(form, field)).strip() for field in SettingsField}
    found = form_problems(texts, LIGHT_FIELDS if is_saved else tuple(SettingsField))
    problems = {field: problem for field, problem in found.items() if problem}
    if problems:
        return problems
    special = {
        SettingsField.PORT: int(texts[SettingsField.PORT]),
        SettingsField.WORKERS: _workers(texts[SettingsField.WORKERS].lower()),
        SettingsField.NOTIFY_DESKTOP: texts[SettingsField.NOTIFY_DESKTOP] == YES,
        SettingsField.SMTP_PORT: int(texts[SettingsField.SMTP_PORT]) if texts[SettingsField.SMTP_PORT] else None,
        SettingsField.SMTP_SECURITY: MailSecurity(texts[SettingsField.SMTP_SECURITY]),
    }
    return msgspec.convert({field.value: special.get(field, text) for field, text in texts.items()}, WindowSettings)


def _text(value: str | int | bool | None) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    return "" if value is None else str(value)


def _workers(text: str) -> int | str | None:
    return None if not text else AUTO if text == AUTO else int(text)


def apply_keys(settings: WindowSettings, keys: KeyStore) -> None:
    """Trust the key of a server on another machine, so that clients of this user can connect to it.

    Args:
        settings: the settings; nothing happens without a ``server_key`` or for a server on this machine.
        keys: where trusted keys are stored.

    Raises:
        ConfigurationError: the key can't be stored.
    """
    if settings.server_key and not settings.is_local:
        keys.trust(f"{settings.host}-{settings.port}", settings.server_key.encode())

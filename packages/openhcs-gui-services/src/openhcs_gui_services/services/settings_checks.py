"""What is wrong with the texts in the fields of the settings, one sentence for each field."""

import re
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Final

from openhcs_gui_services.services.notice_targets import MailSecurity, addresses_problem, webhook_problem
from openhcs_gui_services.services.settings_fields import LOCAL_HOSTS, NO, YES, SettingsField
from openhcs_runtime.config import AUTO
from openhcs_runtime.exceptions import PipelineError, PlateError, ViewerError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_target import ViewTarget

__all__ = ["LIGHT_FIELDS", "form_problems", "plate_formats"]

_LARGEST_PORT: Final = 65535 - OPENHCS_CONFIG.control_port_offset
_LARGEST_MAIL_PORT: Final = 65535
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?")
_FORMATS: Final = "openhcs_runtime.plate_formats"
_KEY: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")

Texts = Mapping[SettingsField, str]


LIGHT_FIELDS: Final = tuple(
    field for field in SettingsField if field not in (SettingsField.PATTERN, SettingsField.PAGES)
)
"""The fields that are checked without loading image libraries."""


def form_problems(texts: Texts, fields: Iterable[SettingsField] = tuple(SettingsField)) -> dict[SettingsField, str]:
    """Return the problem of each field; "" for a field without one.

    Args:
        texts: the text of each field, without spaces around it.
        fields: the fields to check.
    """
    return {field: _CHECKS[field](texts) for field in fields}


def plate_formats() -> tuple[str, ...]:
    """Return the names of the installed formats of plates, as ``openhcs_runtime.plates.formats`` does, but lightly."""
    return tuple(sorted({point.name for point in entry_points(group=_FORMATS)}))


def _host_problem(texts: Texts) -> str:
    text = texts[SettingsField.HOST]
    if not text or _HOST.fullmatch(text):
        return ""
    return "Enter a name or address such as lab-server or 192.168.1.20; leave empty for this machine"


def _port_problem(texts: Texts) -> str:
    is_good = _is_number(texts[SettingsField.PORT], 1024, _LARGEST_PORT)
    return "" if is_good else f"Enter a number from 1024 to {_LARGEST_PORT}"


def _key_problem(texts: Texts) -> str:
    text, host = texts[SettingsField.SERVER_KEY], texts[SettingsField.HOST]
    if text and not _KEY.fullmatch(text):
        return "Enter the public key, 40 characters, that the server prints when it starts"
    is_here = host in ("", *LOCAL_HOSTS)
    return "Only a server on another machine needs a key; enter its host" if text and is_here else ""


def _workers_problem(texts: Texts) -> str:
    text = texts[SettingsField.WORKERS]
    if not text or text.lower() == AUTO or _is_number(text, 1, 4096):
        return ""
    return "Enter a number from 1 to 4096, or auto; leave empty to use the pipeline's setting"


def _viewer_problem(texts: Texts) -> str:
    text = texts[SettingsField.VIEWER]
    if not text:
        return ""
    try:
        ViewTarget.parse(text)
    except (ViewerError, PipelineError) as error:
        return str(error)
    return ""


def _pattern_problem(texts: Texts) -> str:
    text = texts[SettingsField.PATTERN]
    if text in ("", AUTO):
        return ""
    from openhcs_runtime.plates.pattern import NamePattern  # noqa: PLC0415  loads image libraries

    try:
        NamePattern(text)
    except PlateError as error:
        return str(error)
    return ""


def _format_problem(texts: Texts) -> str:
    text = texts[SettingsField.PLATE_FORMAT]
    if not text:
        return ""
    known = {point.name for point in entry_points(group=_FORMATS)}  # that module is heavy
    return "" if text in known else f"Choose one of {', '.join(sorted(known))}; leave empty to detect the format"


def _pages_problem(texts: Texts) -> str:
    text = texts[SettingsField.PAGES]
    if not text:
        return ""
    from openhcs_runtime.plates.pages import PageOrder  # noqa: PLC0415  as above

    try:
        PageOrder.parse(text)
    except PlateError as error:
        return str(error)
    return ""


def _desktop_problem(texts: Texts) -> str:
    return "" if texts[SettingsField.NOTIFY_DESKTOP] in (YES, NO) else f"Enter {YES} or {NO}"


def _smtp_host_problem(texts: Texts) -> str:
    text = texts[SettingsField.SMTP_HOST]
    if not text:
        return "Enter the mail server, such as smtp.lab.org" if texts[SettingsField.MAIL_TO] else ""
    return "" if _HOST.fullmatch(text) else "Enter a name or address such as smtp.lab.org"


def _smtp_port_problem(texts: Texts) -> str:
    text = texts[SettingsField.SMTP_PORT]
    is_good = not text or _is_number(text, 1, _LARGEST_MAIL_PORT)
    return "" if is_good else f"Enter a number from 1 to {_LARGEST_MAIL_PORT}; leave empty for the usual port"


def _security_problem(texts: Texts) -> str:
    kinds = [kind.value for kind in MailSecurity]
    return "" if texts[SettingsField.SMTP_SECURITY] in kinds else f"Choose {', '.join(kinds)}"


def _user_problem(texts: Texts) -> str:
    is_open = texts[SettingsField.SMTP_SECURITY] == MailSecurity.NONE
    if texts[SettingsField.SMTP_USER] and is_open and texts[SettingsField.SMTP_HOST] not in LOCAL_HOSTS:
        return "A password is not sent without encryption: choose STARTTLS or TLS, or leave this empty"
    return ""


def _none(_: Texts) -> str:
    return ""


def _is_number(text: str, lowest: int, highest: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9 and lowest <= int(text) <= highest


_CHECKS: Final[Mapping[SettingsField, Callable[[Texts], str]]] = {
    SettingsField.HOST: _host_problem,
    SettingsField.PORT: _port_problem,
    SettingsField.SERVER_KEY: _key_problem,
    SettingsField.WORKERS: _workers_problem,
    SettingsField.VIEWER: _viewer_problem,
    SettingsField.PATTERN: _pattern_problem,
    SettingsField.PLATE_FORMAT: _format_problem,
    SettingsField.PAGES: _pages_problem,
    SettingsField.OUTPUT_DIR: _none,
    SettingsField.NOTIFY_DESKTOP: _desktop_problem,
    SettingsField.WEBHOOK_URL: lambda texts: webhook_problem(texts[SettingsField.WEBHOOK_URL]),
    SettingsField.MAIL_TO: lambda texts: addresses_problem(texts[SettingsField.MAIL_TO], several=True),
    SettingsField.MAIL_FROM: lambda texts: addresses_problem(texts[SettingsField.MAIL_FROM], several=False),
    SettingsField.SMTP_HOST: _smtp_host_problem,
    SettingsField.SMTP_PORT: _smtp_port_problem,
    SettingsField.SMTP_SECURITY: _security_problem,
    SettingsField.SMTP_USER: _user_problem,
}

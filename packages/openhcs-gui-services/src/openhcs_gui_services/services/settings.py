"""The settings of a window (server and its key, workers, viewer), validated while the user types."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from openhcs_runtime.config import AUTO, GlobalConfig
from openhcs_runtime.exceptions import PipelineError, ViewerError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.viewer_target import ViewTarget
from zmqruntime.security import KeyStore

__all__ = ["SettingsField", "SettingsForm", "WindowSettings", "apply_keys", "read_form"]

_LARGEST_PORT: Final = 65535 - OPENHCS_CONFIG.control_port_offset
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?")
_KEY: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class SettingsField(enum.StrEnum):
    """The fields of the settings form."""

    HOST = "host"
    PORT = "port"
    SERVER_KEY = "server_key"
    WORKERS = "workers"
    VIEWER = "viewer"


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
    """

    host: str = ""
    port: int = OPENHCS_CONFIG.default_port
    server_key: str = ""
    workers: int | str | None = None
    viewer: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine."""
        return not self.host or self.host in _LOCAL

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

    @classmethod
    def of(cls, settings: WindowSettings) -> "SettingsForm":
        """Return the texts of the fields for these settings."""
        workers = "" if settings.workers is None else str(settings.workers)
        return cls(settings.host, str(settings.port), settings.server_key, workers, settings.viewer)


def read_form(form: SettingsForm) -> WindowSettings | Mapping[SettingsField, str]:
    """Return the settings in the fields, or the problem of each invalid field."""
    texts = {field: str(getattr(form, field)).strip() for field in SettingsField}
    checks = {
        SettingsField.HOST: _host_problem(texts[SettingsField.HOST]),
        SettingsField.PORT: _port_problem(texts[SettingsField.PORT]),
        SettingsField.SERVER_KEY: _key_problem(texts[SettingsField.SERVER_KEY], texts[SettingsField.HOST]),
        SettingsField.WORKERS: _workers_problem(texts[SettingsField.WORKERS]),
        SettingsField.VIEWER: _viewer_problem(texts[SettingsField.VIEWER]),
    }
    problems = {field: problem for field, problem in checks.items() if problem}
    if problems:
        return problems
    workers = texts[SettingsField.WORKERS].lower()
    return WindowSettings(
        host=texts[SettingsField.HOST],
        port=int(texts[SettingsField.PORT]),
        server_key=texts[SettingsField.SERVER_KEY],
        workers=None if not workers else AUTO if workers == AUTO else int(workers),
        viewer=texts[SettingsField.VIEWER],
    )


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


def _host_problem(text: str) -> str:
    if not text or _HOST.fullmatch(text):
        return ""
    return "Enter a name or address such as lab-server or 192.168.1.20; leave empty for this machine"


def _port_problem(text: str) -> str:
    is_good = text.isascii() and text.isdecimal() and 1024 <= int(text) <= _LARGEST_PORT
    return "" if is_good else f"Enter a number from 1024 to {_LARGEST_PORT}"


def _key_problem(text: str, host: str) -> str:
    if text and not _KEY.fullmatch(text):
        return "Enter the public key, 40 characters, that the server prints when it starts"
    return "Only a server on another machine needs a key; enter its host" if text and host in ("", *_LOCAL) else ""


def _workers_problem(text: str) -> str:
    if not text or text.lower() == AUTO or (text.isascii() and text.isdecimal() and 1 <= int(text) <= 4096):
        return ""
    return "Enter a number from 1 to 4096, or auto; leave empty to use the pipeline's setting"


def _viewer_problem(text: str) -> str:
    if not text:
        return ""
    try:
        ViewTarget.parse(text)
    except (ViewerError, PipelineError) as error:
        return str(error)
    return ""

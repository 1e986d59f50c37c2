"""What a window is set to: its server and the keys for it, workers and viewer; checked as it is typed."""

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
    """What can be set."""

    HOST = "host"
    PORT = "port"
    SERVER_KEY = "server_key"
    WORKERS = "workers"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """The settings of a window.

    host: where the server is; "" is this machine, by its socket file.
    server_key: the public key of a server elsewhere, 40 characters; "" where it is known already or none is needed.
    workers: wells at the same time; None leaves it to the pipeline, "auto" to the server.
    viewer: as ``GlobalConfig.view``; "" shows nothing.
    """

    host: str = ""
    port: int = OPENHCS_CONFIG.default_port
    server_key: str = ""
    workers: int | str | None = None
    viewer: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return not self.host or self.host in _LOCAL

    def config(self, base: GlobalConfig | None = None) -> GlobalConfig:
        """The machine's settings for a run: those of ``base``, but for what the window says."""
        known = base or GlobalConfig()
        workers = known.num_workers if self.workers is None else AUTO if self.workers == AUTO else int(self.workers)
        return replace(known, num_workers=workers, view=self.viewer or known.view)


@dataclass(frozen=True, slots=True)
class SettingsForm:
    """The texts of the fields, as they are typed."""

    host: str = ""
    port: str = str(OPENHCS_CONFIG.default_port)
    server_key: str = ""
    workers: str = ""
    viewer: str = ""

    @classmethod
    def of(cls, settings: WindowSettings) -> "SettingsForm":
        """What the fields say for these settings."""
        workers = "" if settings.workers is None else str(settings.workers)
        return cls(settings.host, str(settings.port), settings.server_key, workers, settings.viewer)


def read_form(form: SettingsForm) -> WindowSettings | Mapping[SettingsField, str]:
    """The settings that the fields say, or what is wrong with which of them."""
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
    """Let our clients talk to the server elsewhere that has this key. Raises ConfigurationError."""
    if settings.server_key and not settings.is_local:
        keys.trust(f"{settings.host}-{settings.port}", settings.server_key.encode())


def _host_problem(text: str) -> str:
    if not text or _HOST.fullmatch(text):
        return ""
    return "A name or an address such as lab-server or 192.168.1.20; empty for this machine"


def _port_problem(text: str) -> str:
    is_good = text.isascii() and text.isdecimal() and 1024 <= int(text) <= _LARGEST_PORT
    return "" if is_good else f"A number from 1024 to {_LARGEST_PORT}"


def _key_problem(text: str, host: str) -> str:
    if text and not _KEY.fullmatch(text):
        return "A public key is 40 characters, as the server prints it when it starts"
    return "Only a server on another machine needs a key; name its host" if text and host in ("", *_LOCAL) else ""


def _workers_problem(text: str) -> str:
    if not text or text.lower() == AUTO or (text.isascii() and text.isdecimal() and 1 <= int(text) <= 4096):
        return ""
    return "A number from 1, or auto; empty to leave it to the pipeline"


def _viewer_problem(text: str) -> str:
    if not text:
        return ""
    try:
        ViewTarget.parse(text)
    except (ViewerError, PipelineError) as error:
        return str(error)
    return ""

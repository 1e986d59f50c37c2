"""The password of a mail account: in the system's keyring or in an environment variable, never in the settings."""

import importlib
import importlib.util
import os
from typing import Final, Protocol, cast

from openhcs_gui_services.exceptions import NoticeError

__all__ = ["PASSWORD_VARIABLE", "find_password", "has_keyring", "store_password"]

PASSWORD_VARIABLE: Final = "OPENHCS_SMTP_PASSWORD"


class _Keyring(Protocol):
    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...


def has_keyring() -> bool:
    """Return whether the package keyring is installed; does not load it."""
    return importlib.util.find_spec("keyring") is not None


def find_password(host: str, user: str) -> str | None:
    """Return the password of a user of a mail server, from the keyring or else the environment; None without one.

    Raises:
        NoticeError: the keyring can't be read, and the environment has none.
    """
    from_environment = os.environ.get(PASSWORD_VARIABLE)
    keyring = _keyring()
    if keyring is None:
        return from_environment
    try:
        return keyring.get_password(_service(host), user) or from_environment
    except Exception as error:  # keyring has a class of its own for each system, and passes others on
        if from_environment is not None:
            return from_environment
        raise NoticeError(
            f"the system's keyring can't be read ({error}): unlock it, or set {PASSWORD_VARIABLE}"
        ) from error


def store_password(host: str, user: str, password: str) -> None:
    """Store the password of a user of a mail server in the keyring.

    Raises:
        NoticeError: there is no keyring, or it can't be written.
    """
    keyring = _keyring()
    if keyring is None:
        raise NoticeError(
            f"there is no keyring: pip install 'openhcs-gui-services[keyring]', or set {PASSWORD_VARIABLE}"
        )
    try:
        keyring.set_password(_service(host), user, password)
    except Exception as error:  # as above
        raise NoticeError(
            f"the system's keyring can't be written ({error}): unlock it, or set {PASSWORD_VARIABLE}"
        ) from error


def _service(host: str) -> str:
    return f"openhcs-gui {host}"


def _keyring() -> _Keyring | None:
    try:
        return cast("_Keyring", importlib.import_module("keyring"))
    except ImportError:
        return None

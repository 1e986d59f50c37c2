"""Where notices go: the values of a mail account, and what is wrong with the addresses that a user types."""

import enum
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["MailAccount", "MailSecurity", "addresses_problem", "webhook_problem"]

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
"""A plain address as HTML forms take it (WHATWG HTML, "valid e-mail address")."""


class MailSecurity(enum.StrEnum):
    """How the connection to a mail server is encrypted."""

    STARTTLS = "starttls"
    """It begins unencrypted, and is encrypted before anything is sent (RFC 3207); usually port 587."""
    TLS = "tls"
    """It is encrypted from the beginning (RFC 8314); usually port 465."""
    NONE = "none"
    """It is not encrypted; only for a server in the same network, and without a password; usually port 25."""


_PORTS: Final = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}


@dataclass(frozen=True, slots=True)
class MailAccount:
    """Where mail is sent from and to.

    Attributes:
        to: addresses of the recipients, separated by commas.
        host: host name of the mail server.
        sender: address of the sender; "" for the first recipient.
        port: its port; None for the usual one.
        user: name to log in with; "" to send without a login.
        security: how the connection is encrypted.
    """

    to: str
    host: str
    sender: str = ""
    port: int | None = None
    user: str = ""
    security: MailSecurity = MailSecurity.STARTTLS

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or _PORTS[self.security]


def webhook_problem(url: str) -> str:
    """Return what is wrong with the address of a webhook; "" for one that can be used, and for none."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or any(letter.isspace() for letter in url):
        return "Enter an address that begins with https:// or http://; leave empty for no webhook"
    if parts.username is not None or parts.password is not None:
        return "Remove the name and the password from the address, as it is saved with the settings"
    return ""


def addresses_problem(text: str, *, several: bool) -> str:
    """Return what is wrong with addresses of mail; "" for addresses that can be used, and for none.

    Args:
        text: an address, or several separated by commas.
        several: whether there may be more than one.
    """
    addresses = [part.strip() for part in text.split(",")] if text else []
    if all(_ADDRESS.fullmatch(address) for address in addresses) and (several or len(addresses) <= 1):
        return ""
    form = "addresses such as me@lab.org, separated by commas" if several else "an address such as me@lab.org"
    return f"Enter {form}"

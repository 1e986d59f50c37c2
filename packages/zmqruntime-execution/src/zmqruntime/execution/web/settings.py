"""How a page is served: where, to whom, and what it may do."""

import hashlib
import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field

__all__ = ["WebSettings", "is_loopback"]


def is_loopback(address: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Settings of the page.

    Attributes:
        bind: address to listen on.
        port: port to listen on; 0 takes a free one.
        token: what a browser has to show once, in the address; empty if none is needed.
        allow_actions: whether a page may cancel, pause and retry.
        hosts: further names under which the page may be asked for.
        csrf: what a page sends along with an action; other sites cannot read it.
        most_pages: number of pages that are kept up to date at the same time.
    """

    bind: str = "127.0.0.1"
    port: int = 8790
    token: str = ""
    allow_actions: bool = False
    hosts: tuple[str, ...] = ()
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    most_pages: int = 64

    @classmethod
    def safe(
        cls,
        bind: str = "127.0.0.1",
        port: int = 8790,
        *,
        token: bool = False,
        allow_actions: bool = False,
        hosts: tuple[str, ...] = (),
    ) -> "WebSettings":
        """Return settings with a new token where one is needed.

        It is needed at addresses that other machines reach, and for actions, because another user of this machine could
        act as this one. ``token`` asks for one in any case.
        """
        needs_token = token or allow_actions or not is_loopback(bind)
        secret = secrets.token_urlsafe(24) if needs_token else ""
        return cls(bind, port, secret, allow_actions, hosts)

    @property
    def cookie(self) -> str:
        """Name of the cookie; cookies do not tell ports of a host apart."""
        return f"zmqruntime-web-{self.port}"

    @property
    def session(self) -> str:
        """Value of the cookie; the token does not follow from it."""
        return hmac.new(self.token.encode(), b"cookie", hashlib.sha256).hexdigest()

    def knows_host(self, header: str) -> bool:
        """Whether a ``Host`` header names this machine.

        A page of another site whose name was made to point to this machine sends its own name (DNS rebinding).
        Addresses in numbers cannot be made to point elsewhere.
        """
        name = _host_of(header)
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            own = socket.gethostname().lower()
            return name in ("localhost", own, f"{own}.local", *(host.lower() for host in self.hosts))
        return True


def _host_of(header: str) -> str:
    """The host without its port."""
    text = header.strip().lower()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0]

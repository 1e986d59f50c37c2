"""``keys``: which clients the servers of an application answer over TCP, and which servers its clients trust."""

from collections.abc import Callable

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.cli.output import Output
from zmqruntime.security import KeyStore

__all__ = ["admit", "forget", "show_keys", "trust"]


def show_keys(app: str, output: Output) -> int:
    """Print our two public keys, created if there are none yet, and those that were exchanged."""
    store = _store(app)
    server, client = store.server().public.decode(), store.client().public.decode()
    admitted = {name: key.decode() for name, key in store.admitted().items()}
    trusted = {name: key.decode() for name, key in store.trusted().items()}
    output.line(f"Server  {server}   for clients on other machines: zmqruntime keys trust HOST 'KEY'")
    output.line(f"Client  {client}   for servers on other machines: zmqruntime keys admit NAME 'KEY'")
    for title, keys in (("Admitted clients", admitted), ("Trusted servers", trusted)):
        output.line(f"\n{title}: {'none' if not keys else ''}".rstrip())
        for name, key in keys.items():
            output.line(f"  {name:20} {key}")
    return output.document({"server": server, "client": client, "admitted": admitted, "trusted": trusted})


def admit(app: str, name: str, key: str, output: Output) -> int:
    """Let our servers answer a client on another machine."""
    _guarded(lambda store: store.admit(name, key.encode()), app)
    output.line(f"Admitted: servers of {app} on this machine answer {name}, including those already running.")
    return output.document({"admitted": name})


def trust(app: str, host: str, key: str, output: Output) -> int:
    """Let our clients talk to a server on another machine."""
    _guarded(lambda store: store.trust(host, key.encode()), app)
    output.line(f"Trusted: clients of {app} on this machine talk to {host} if it has this key.")
    return output.document({"trusted": host})


def forget(app: str, name: str, output: Output) -> int:
    """Undo an admit or a trust."""
    if not _store(app).forget(name):
        raise CommandError(ErrorKind.NOT_FOUND, f"{app} has no key named {name}; 'zmqruntime keys show' lists them")
    output.line(f"Forgotten: {name}. Open connections stay open until the server is restarted.")
    return output.document({"forgotten": name})


def _guarded(change: Callable[[KeyStore], None], app: str) -> None:
    try:
        change(_store(app))
    except ConfigurationError as error:
        raise CommandError(ErrorKind.CONFIGURATION, str(error)) from error


def _store(app: str) -> KeyStore:
    try:
        return KeyStore(ZMQConfig(app_name=app))
    except ConfigurationError as error:
        raise CommandError(ErrorKind.CONFIGURATION, str(error)) from error

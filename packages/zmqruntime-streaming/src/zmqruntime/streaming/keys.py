"""The command ``keys``: which senders the receivers of this machine answer, and which receivers its senders trust."""

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.security import KeyStore

__all__ = ["admit", "forget", "show_keys", "trust"]

_COMMAND = "python -m zmqruntime.streaming keys"


def show_keys(config: ZMQConfig) -> None:
    """Print the two public keys of this machine, created if necessary, and those that were exchanged."""
    store = KeyStore(config)
    print(f"Receiver  {store.server().public.decode()}   on a sending machine: {_COMMAND} trust HOST 'KEY'")
    print(f"Sender    {store.client().public.decode()}   on a receiving machine: {_COMMAND} admit NAME 'KEY'")
    for title, keys in (("Admitted senders", store.admitted()), ("Trusted receivers", store.trusted())):
        print(f"\n{title}:" if keys else f"\n{title}: none")
        for name, key in keys.items():
            print(f"  {name:20} {key.decode()}")


def admit(config: ZMQConfig, name: str, key: str) -> None:
    """Let receivers and viewers of this machine answer a sender with this key."""
    KeyStore(config).admit(name, key.encode())
    print(f"Admitted: receivers on this machine accept arrays from {name}, including those already running.")


def trust(config: ZMQConfig, host: str, key: str) -> None:
    """Let senders of this machine send to a receiver with this key."""
    KeyStore(config).trust(host, key.encode())
    print(f"Trusted: senders on this machine send to {host} if it has this key.")


def forget(config: ZMQConfig, name: str) -> None:
    """Undo an admit or a trust.

    Raises:
        ConfigurationError: there is no key with this name.
    """
    if not KeyStore(config).forget(name):
        raise ConfigurationError(f"there is no key named {name}; '{_COMMAND} show' lists them")
    print(f"Forgotten: {name}. Open connections stay open until the receiver is restarted.")

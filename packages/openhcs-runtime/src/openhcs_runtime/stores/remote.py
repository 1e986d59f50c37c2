"""Reading from object stores and web servers, by obstore, with retries.

A lost connection and an error of the server are tried again for half a minute. Requests are anonymous unless the
environment has credentials (``AWS_ACCESS_KEY_ID``, ``GOOGLE_APPLICATION_CREDENTIALS`` ...).
"""

import contextlib
import functools
import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from openhcs_runtime.stores.entry import StoreEntry
from zmqruntime.backoff import Backoff

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

__all__ = ["entries", "files_below", "object_store", "read"]

_ONCE: "RetryConfig" = {"max_retries": 0}
_PAUSES = (0.1, 0.5, 2.0, 5.0)
_RETRY_SECONDS = 30.0
_DENIED = ("PermissionDeniedError", "UnauthenticatedError")
_CAUSE = re.compile(r'(?:message|error): "([^"]{3,200})"')
"""The innermost causes in the debug output of obstore."""
_T = TypeVar("_T")
_CLIENT: "ClientConfig" = {"connect_timeout": "10s", "timeout": "30s", "allow_http": True}
_CREDENTIALS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    "gs": ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"),
}


def read(base: str, key: str) -> bytes:
    """Return an object of a bucket or host.

    Raises:
        FileNotFoundError: If it does not exist.
        OSError: If it can't be read; the error names the URL.
    """
    return _tried(base, key, lambda store: bytes(store.get(key).bytes()))


def entries(base: str, key: str) -> Iterator[StoreEntry]:
    """Yield the files and folders directly in a folder; of a web server those that its index page links to."""
    if base.lower().startswith("http"):
        with contextlib.suppress(FileNotFoundError):
            from openhcs_runtime.stores.index_page import links  # noqa: PLC0415 - most plates are on no web server

            for name, is_folder in links(read(base, f"{key}/" if key else "")):
                yield StoreEntry(name, _url(base, f"{key}/{name}".lstrip("/")), folder=is_folder)
        return
    found = _tried(base, key, lambda store: store.list_with_delimiter(f"{key}/" if key else None))
    for prefix in found["common_prefixes"]:
        name = prefix.strip("/").rpartition("/")[2]
        yield StoreEntry(name, _url(base, prefix.strip("/")), folder=True)
    for one in found["objects"]:
        yield _entry(base, one["path"], one["path"].rpartition("/")[2], one["size"], one["last_modified"])


def files_below(base: str, key: str) -> dict[str, StoreEntry]:
    """Return all files below a folder of an object store, by their path below it."""
    begin = f"{key}/" if key else ""
    found = _tried(base, key, lambda store: [one for part in store.list(begin or None) for one in part])
    names = ((one, one["path"].removeprefix(begin)) for one in found)
    return {name: _entry(base, one["path"], name, one["size"], one["last_modified"]) for one, name in names}


def object_store(base: str, key: str) -> "ObjectStore":
    """Return the store of everything below a folder.

    Raises:
        OSError: If obstore is not installed.
    """
    return _made(_url(base, key), base.partition(":")[0].lower())


def _entry(base: str, path: str, name: str, size: int, modified: datetime) -> StoreEntry:
    return StoreEntry(name, _url(base, path), size, int(modified.timestamp() * 1e9))


def _url(base: str, key: str) -> str:
    shown = quote(key) if base.lower().startswith("http") else key
    return f"{base}/{shown}" if key else base


@functools.cache
def _store(base: str) -> "ObjectStore":
    return _made(base, base.partition(":")[0].lower())


def _made(url: str, scheme: str) -> "ObjectStore":
    try:
        from obstore.store import from_url  # noqa: PLC0415  optional, and not needed for plates on this machine
    except ImportError:
        raise OSError(0, "pip install 'openhcs-runtime[net]' is needed to read it", url) from None
    if scheme.startswith("http"):
        return from_url(url, client_options=_CLIENT, retry_config=_ONCE)
    if any(name in os.environ for name in _CREDENTIALS[scheme]):
        return from_url(url, client_options=_CLIENT, retry_config=_ONCE)
    return from_url(url, client_options=_CLIENT, retry_config=_ONCE, skip_signature=True)


def _tried(base: str, key: str, ask: Callable[["ObjectStore"], _T]) -> _T:
    """Ask a store, again after errors that may pass; convert its errors into OSErrors that name the URL."""
    url, backoff = _url(base, key), Backoff(_PAUSES)
    try:
        store = _store(base)
    except OSError:
        raise
    except Exception as error:  # obstore does not say which errors it raises for an odd address
        raise OSError(5, _reason(error), url) from error
    last_try = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            return ask(store)
        except FileNotFoundError:
            raise FileNotFoundError(2, "No such file", url) from None
        except Exception as error:  # obstore has its own errors for each reason
            if type(error).__name__ in _DENIED and base.lower().startswith("http"):
                raise FileNotFoundError(2, "No such file", url) from None  # as object stores answer over HTTP
            backoff.note()
            if type(error).__name__ != "GenericError" or time.monotonic() > last_try:
                raise OSError(5, _reason(error), url) from error
        time.sleep(backoff.pause)


def _reason(error: Exception) -> str:
    """Return the first sentence of an error of obstore; the rest is its debug output."""
    if type(error).__name__ in _DENIED:
        return "access is denied (set AWS_ACCESS_KEY_ID or GOOGLE_APPLICATION_CREDENTIALS, or check their permissions)"
    text = str(error)
    if causes := [str(match[1]) for match in _CAUSE.finditer(text)]:
        return causes[-1]
    return " ".join(text.split("\n\n")[0].split())[:300]

"""The files of the page, read once; what is not among them does not exist."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["PageFiles"]

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_NAME = re.compile(r"[0-9a-z_-]+\.[a-z]+")


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str
    tag: str


class PageFiles:
    """Files by name.

    Args:
        folders: each with the prefix of its names, such as ``("plates/", folder)``.
    """

    def __init__(self, folders: Iterable[tuple[str, Path]]) -> None:
        self._files = {
            prefix + path.name: _read(path)
            for prefix, folder in folders
            for path in sorted(folder.iterdir())
            if path.suffix in _TYPES and _NAME.fullmatch(path.name)
        }

    def answer(self, request: Request, name: str) -> Response:
        """Return a file, or nothing if the browser has it already."""
        file = self._files.get(name)
        if file is None:
            return Response("there is no such file\n", 404, media_type="text/plain")
        headers = {"Cache-Control": "no-cache", "ETag": file.tag}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.body, media_type=file.media_type, headers=headers)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:20]}"')

"""The files and folders that the index page of a web server links to (as nginx, Apache and http.server make it)."""

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

__all__ = ["links"]


def links(page: bytes) -> list[tuple[str, bool]]:
    """Return the names that a page links to, directly below its own address, and whether each is a folder."""
    parser = _Links()
    parser.feed(page.decode("utf-8", "replace"))
    return list(dict.fromkeys(parser.found))


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = urlsplit(dict(attrs).get("href") or "") if tag == "a" else urlsplit("")
        name = unquote(target.path).removeprefix("./")
        bare = name.removesuffix("/")
        if bare and not (target.netloc or target.scheme or "/" in bare or bare in (".", "..")):
            self.found.append((bare, name.endswith("/")))

"""The page of a report: one HTML document that loads nothing from anywhere."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from openhcs_runtime.report.html import Html, element, joined, raw
from openhcs_runtime.report.plate_svg import definitions
from openhcs_runtime.report.section import Section


def page(title: str, head: Html, sections: Sequence[Section], foot: str) -> str:
    """Return the document.

    Args:
        title: its title.
        head: what is above the sections.
        sections: the sections.
        foot: a line at its end.
    """
    style, script = _own("page.css"), _own("page.js")
    document = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", title),
            raw(f"<style>{style}</style>"),
        ),
        element(
            "body",
            definitions(),
            head,
            element("main", *(section.draw() for section in sections)),
            element("footer", element("p", foot)),
            element("div", id="tip", role="status", hidden=True),
            raw(f"<script>{script}</script>"),
        ),
        lang="en",
    )
    return joined(raw("<!doctype html>\n"), document).code


def _policy(style: str, script: str) -> str:
    """Return the Content Security Policy (W3C, level 3): only this style, this script and embedded images."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _own(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")

"""Writes the pages and drawings of docs/ that are made from the code.

python tools/docs/docs_pages.py            write them
python tools/docs/docs_pages.py --check    exit 1 if one is not as it would be written
"""

import sys
from collections.abc import Callable
from pathlib import Path

import docs_commands
import docs_diagrams
import docs_errors
import docs_features
import docs_layout
import docs_settings
import protocol_page

DOCS = Path(__file__).resolve().parents[2] / "docs"

PAGES: dict[str, Callable[[], str]] = {
    "protocol.md": protocol_page.page,
    "command-openhcs-runtime.md": docs_commands.page,
    "errors.md": docs_errors.page,
    "features.md": docs_features.page,
    "settings.md": docs_settings.page,
    **{f"diagrams/{name}.svg": draw for name, draw in {**docs_diagrams.DRAWINGS, **docs_layout.DRAWINGS}.items()},
}


def outdated() -> list[str]:
    """The pages that are not as they would be written now."""
    return [name for name, make in PAGES.items() if not is_current(DOCS / name, make())]


def is_current(path: Path, text: str) -> bool:
    """Whether the file has this text."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main() -> int:
    """Write or check the pages."""
    names = outdated()
    for name in names:
        if "--check" in sys.argv[1:]:
            print(f"docs/{name} is not what the code says: run python tools/docs/docs_pages.py", file=sys.stderr)
            continue
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/{name}")
    return 1 if names and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())

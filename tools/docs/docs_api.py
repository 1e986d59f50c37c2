"""Checks that the built site describes every public class and function: what is loaded on demand is easily left out.

    python tools/docs/docs_api.py docs/_build

What is missing is named, and the exit code 1.
"""

import importlib
import inspect
import re
import sys
from pathlib import Path

PAGES = Path(__file__).resolve().parents[2] / "docs" / "api"
MODULE = re.compile(r"^\.\. automodule:: (\S+)$", re.MULTILINE)


def undescribed(site: Path) -> list[str]:
    """The names that the pages of the site lack."""
    return [
        f"{module}.{name}"
        for page in sorted(PAGES.glob("*.md"))
        for html in [(site / "api" / f"{page.stem}.html").read_text(encoding="utf-8")]
        for module in MODULE.findall(page.read_text(encoding="utf-8"))
        for name in public_names(module)
        if f'id="{module}.{name}"' not in html
    ]


def public_names(module: str) -> list[str]:
    """Classes and functions of ``__all__``; type aliases are no objects of their own to Sphinx."""
    loaded = importlib.import_module(module)
    objects = {name: getattr(loaded, name) for name in loaded.__all__}
    return [name for name, value in objects.items() if inspect.isclass(value) or inspect.isfunction(value)]


if __name__ == "__main__":
    missing = undescribed(Path(sys.argv[1]))
    sys.exit(f"public, and not in the documentation: {', '.join(missing)}" if missing else 0)

"""Settings of the documentation: ``nox -s docs`` builds it, and a warning is an error."""

import os
import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
HOMEPAGE = tomllib.loads((ROOT / "packages" / "zmqruntime-core" / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]["urls"]["Homepage"]

project = "OpenHCS runtime"
copyright = "The OpenHCS runtime developers"
release = version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
language = "en-GB"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
myst_heading_anchors = 4
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"
exclude_patterns = ["_build"]
html_theme = "furo"
html_theme_options = {"source_repository": HOMEPAGE, "source_branch": "main", "source_directory": "docs/"}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
# Files of the repository that are a page of the site, too.
PAGES = {
    "README.md": "docs/index.md",
    ".github/CONTRIBUTING.md": "docs/project/contributing.md",
    ".github/SECURITY.md": "docs/project/security.md",
    **{f"packages/{path.stem}/README.md": f"docs/packages/{path.name}" for path in DOCS.glob("packages/*.md")},
}


def inside(text: str, folder: Path, page: Path) -> str:
    """The Markdown of a file in ``folder``, for ``page``, with links that stay in the documentation."""

    def target(link: re.Match[str]) -> str:
        name = Path(os.path.relpath(folder / link[0], ROOT)).as_posix()
        return Path(os.path.relpath(ROOT / PAGES.get(name, name), page.parent)).as_posix()

    return LINK.sub(target, text)


def with_contents(text: str) -> str:
    """The index, with what each of its sections links to as a part of the table of contents."""

    def with_tree(section: re.Match[str]) -> str:
        pages = dict.fromkeys(link for link in LINK.findall(section[2]) if link.endswith(".md") and link != "index.md")
        tree = "\n".join(["```{toctree}", ":hidden:", f":caption: {section[1]}", "", *pages, "```"])
        return f"{section[0].rstrip()}\n\n{tree}\n\n"

    return SECTION.sub(with_tree, text)


def on_page(app: Sphinx, docname: str, content: list[str]) -> None:
    """A page was read."""
    page = DOCS / f"{docname}.md"
    content[0] = inside(content[0], page.parent, page)
    if docname == "index":
        content[0] = with_contents(content[0])


def on_include(app: Sphinx, path: Path, docname: str, content: list[str]) -> None:
    """A file from outside of these pages was read into its page."""
    file = (DOCS / path).resolve()
    content[0] = inside(content[0], file.parent, ROOT / PAGES[file.relative_to(ROOT).as_posix()])


def on_docstring(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Paragraphs of a docstring that explain settings as ``name: text``, or ``one, other: text``, become fields."""
    names = "|".join(getattr(found, "__annotations__", ()))
    if what != "class" or not names:
        return
    begin = re.compile(rf"((?:{names})(?:, (?:{names}))*): ")
    is_list = False
    for number, line in enumerate(lines):
        starts = begin.match(line)
        is_list = bool(line) and (is_list or starts is not None)
        if is_list:
            lines[number] = begin.sub(r":param \1: ", line, count=1) if starts else f"    {line.strip()}"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", on_page)
    app.connect("include-read", on_include)
    app.connect("autodoc-process-docstring", on_docstring)

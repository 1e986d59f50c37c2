"""The drawing of the packages' folders, made from what their modules import."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from docs_svg import Drawing, Point

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
ROOTS = (
    "openhcs_gui_services",
    "openhcs_gui_services.widgets",
    "openhcs_gui_services.services",
    "openhcs_runtime",
    "zmqruntime.execution",
    "zmqruntime.streaming",
)
FILES = "files"
"""Modules that are in no folder of their package."""
BOX, GAP, ROW, LABEL = 142, 10, 46, 8


def layout() -> str:
    """Draw the folders of each package: each one imports only from rows below its own."""
    blocks = [(root, rows_of(root)) for root in ROOTS]
    widest = max(len(row) for _, rows in blocks for row in rows)
    height = sum(34 + ROW * len(rows) for _, rows in blocks) + 12
    drawing = Drawing(widest * (BOX + GAP) + GAP, height, "The folders of the packages, each above what it imports")
    y = 12
    for root, rows in blocks:
        y += 16
        drawing.text(Point(GAP + LABEL, y), root, anchor="start", size=14)
        y += 32
        for row in rows:
            for number, (folder, count) in enumerate(row):
                middle = Point(GAP + BOX / 2 + number * (BOX + GAP), y)
                drawing.box(middle, f"{folder} ({count})", width=BOX, fill="white" if folder == FILES else "#e8eef4")
            y += ROW
        y -= 14
    return str(drawing)


def rows_of(root: str) -> list[list[tuple[str, int]]]:
    """Return the folders of a package with their numbers of modules, in rows from those that import to the imported."""
    modules = dict(modules_of(root))
    counts = Counter(folder_of(root, module) for module in modules)
    below: dict[str, set[str]] = {folder: set() for folder in counts}
    for module, path in modules.items():
        here = folder_of(root, module)
        below[here] |= {folder_of(root, name) for name in imports_of(path) if name in modules} - {here, FILES}
    del below[FILES]
    levels: list[list[tuple[str, int]]] = []
    while below:
        free = sorted(folder for folder, others in below.items() if not others & below.keys())
        if not free:
            raise ValueError(f"folders of {root} import each other in a circle: {', '.join(sorted(below))}")
        levels.append([(folder, counts[folder]) for folder in free])
        for folder in free:
            del below[folder]
    return [*reversed(levels), [(FILES, counts[FILES])]]


def folder_of(root: str, module: str) -> str:
    """Return the folder of a package that a module is in."""
    first, _, rest = module.removeprefix(f"{root}.").partition(".")
    return first if rest and module != root else FILES


def modules_of(root: str) -> Iterator[tuple[str, Path]]:
    """Yield the modules of a package with their files; a folder's own file counts as part of the folder."""
    for source in sorted(PACKAGES.glob("*/src")):
        folder = source.joinpath(*root.split("."))
        for path in sorted(folder.rglob("*.py")):
            yield ".".join(path.relative_to(source).with_suffix("").parts), path


def imports_of(path: Path) -> Iterator[str]:
    """Yield the names of the modules that a file imports, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


DRAWINGS = {"layout": layout}

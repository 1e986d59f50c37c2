"""Saves a plate map to the file that runs find, after the questions that have to be answered first."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.file import LayoutFile, MapForm, csv_of, find_file, own_place
from openhcs_gui_services.services.layout.table import LayoutTable
from openhcs_runtime.atomic import atomic_file, writing_to

__all__ = ["Answer", "SaveQuestion", "export_layout", "save_layout", "save_questions"]

_MOST_COPIES = 1000


class Answer(StrEnum):
    """An answer to a question before a layout is saved."""

    GO_ON = "go_on"
    """Do what the question says."""
    OWN_FILE = "own_file"
    """Save a map for this plate alone."""
    SHARED_FILE = "shared_file"
    """Save the map that several plates share."""


@dataclass(frozen=True, slots=True)
class SaveQuestion:
    """A question before a layout is saved.

    Attributes:
        text: the question.
        detail: what happens to files.
        answers: the answers, each with the text of its button, the safest first.
    """

    text: str
    detail: str
    answers: Sequence[tuple[Answer, str]]


def save_questions(layout: LayoutFile, sharing: Answer | None = None) -> tuple[SaveQuestion, ...]:
    """Return what has to be asked before a layout is saved; reads the disk again.

    Args:
        layout: the file as it was read.
        sharing: the answer to the question for which plates the layout is, which comes first if several share a map.

    Raises:
        LayoutError: nothing can be saved.
        PlateMapError: the plate has several maps now.
    """
    if layout.problem:
        raise LayoutError(layout.problem)
    now = find_file(layout.plate)
    if now.is_shared and now.path is not None and sharing is None:
        return (_sharing_question(now, now.path),)
    if now.path is None or (now.is_shared and sharing is Answer.OWN_FILE):
        return ()  # a new file
    return tuple(question for question in (_on_change(layout, now, now.path), _on_form(now, now.path)) if question)


def save_layout(layout: LayoutFile, table: LayoutTable, answer: Answer = Answer.GO_ON) -> LayoutFile:
    """Save a layout, and return the file as it is then.

    A file in a form that the editor does not write is kept under another name, so that runs find one map.

    Args:
        layout: the file as it was read.
        table: the layout.
        answer: which file is meant, if several plates share one.

    Raises:
        LayoutError: the layout is empty, or can't be written.
        PlateMapError: the runtime would refuse the file.
        OutputError: the file can't be written.
    """
    if layout.problem:
        raise LayoutError(layout.problem)
    now = find_file(layout.plate)
    if now.path is None or (now.is_shared and answer is not Answer.SHARED_FILE):
        target, replaced = own_place(layout.plate), None
    else:
        is_text = now.form in (MapForm.LIST, MapForm.BLOCKS)
        target = now.path if is_text else now.path.with_suffix(".csv")
        replaced = None if now.form is MapForm.LIST else now.path
    data = csv_of(table, target, now.delimiter if target == now.path else ",")
    with _set_aside(replaced), atomic_file(target) as file:
        file.write(data)
    return find_file(layout.plate)


def export_layout(table: LayoutTable, path: Path) -> None:
    """Write a layout to a CSV file anywhere.

    Raises:
        LayoutError: it is empty, or can't be written.
        PlateMapError: the runtime would refuse the file.
        OutputError: the file can't be written.
    """
    data = csv_of(table, path)
    with atomic_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def _set_aside(path: Path | None) -> Iterator[None]:
    """Give a file another name, and its old one again if the block fails."""
    if path is None:
        yield
        return
    kept = kept_name(path)
    with writing_to(path):
        path.rename(kept)
    try:
        yield
    except BaseException:
        kept.rename(path)
        raise


def kept_name(path: Path) -> Path:
    """Return the name under which a replaced plate map is kept: ``platemap_before.xlsx``, or with a number."""
    names = (f"{path.stem}_before{'' if number == 1 else number}{path.suffix}" for number in range(1, _MOST_COPIES))
    return next(free for name in names if not (free := path.with_name(name)).exists())


def _sharing_question(now: LayoutFile, path: Path) -> SaveQuestion:
    return SaveQuestion(
        "Is the layout for this plate or for all plates in the folder?",
        f"{path.name} counts for all plates in {path.parent}. For this plate alone the layout is saved as "
        f"{own_place(now.plate).name}, which comes first.",
        ((Answer.OWN_FILE, "This plate"), (Answer.SHARED_FILE, "All plates")),
    )


def _on_change(layout: LayoutFile, now: LayoutFile, path: Path) -> SaveQuestion | None:
    if (layout.path, layout.digest) == (path, now.digest):
        return None
    return SaveQuestion(
        f"{path.name} was changed by another program. Replace it?",
        "What the other program wrote is lost. Cancel, then choose Reload to see it.",
        ((Answer.GO_ON, "Replace it"),),
    )


def _on_form(now: LayoutFile, path: Path) -> SaveQuestion | None:
    kept = kept_name(path).name
    if now.form is MapForm.LIST:
        return None
    if now.form is MapForm.BLOCKS:
        return SaveQuestion(
            f"Write {path.name} as a list of wells?",
            f"It has blocks or comments now, which the editor does not write. The file is kept as {kept}.",
            ((Answer.GO_ON, "Write a list"),),
        )
    return SaveQuestion(
        f"Use a CSV file instead of {path.name}?",
        f"The editor writes CSV. Runs would then use {path.with_suffix('.csv').name}, and the {now.form} file is kept "
        f"as {kept}, which no run uses.",
        ((Answer.GO_ON, "Use CSV"),),
    )

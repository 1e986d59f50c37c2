"""A question over the plate view, answered with a key."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label

__all__ = ["Question"]


class Question(ModalScreen[bool]):
    """A question to answer with yes or no; Enter does nothing, so that an accidental key press loses no work."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No"),
    ]
    CSS = """
    Question { align: center middle; }
    Question > Vertical { width: auto; max-width: 80%; height: auto; padding: 1 3; border: round $warning; }
    Question Label { width: auto; }
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Compose the question and its keys."""
        with Vertical():
            yield Label(self._text, markup=False)
            yield Label("\ny  yes      n  no", markup=False)

    def action_answer(self, answer: bool) -> None:
        """Close the question with this answer."""
        self.dismiss(answer)

"""A question that is answered with a key, over what it is about."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label

__all__ = ["Question"]


class Question(ModalScreen[bool]):
    """Yes or no; Enter does not answer, so that an accidental key press loses nothing."""

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
        """The question and its keys."""
        with Vertical():
            yield Label(self._text, markup=False)
            yield Label("\ny  yes      n  no", markup=False)

    def action_answer(self, answer: bool) -> None:
        """Close with this answer."""
        self.dismiss(answer)

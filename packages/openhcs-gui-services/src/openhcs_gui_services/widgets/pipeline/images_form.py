"""The images that a step works on: its channel, and which images form one stack."""

from collections.abc import Mapping
from typing import Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QFormLayout, QGridLayout, QLabel, QVBoxLayout, QWidget

from openhcs_gui_services.services.pipeline.channels import ChannelChoice, branch_title, channel_choices
from openhcs_gui_services.services.pipeline.components import (
    COMPONENTS,
    components_of,
    components_source,
    is_by_channel,
)
from openhcs_gui_services.services.pipeline.text import PipelineOutline, StepEntry
from openhcs_gui_services.widgets.pipeline.fields import ChoiceField
from openhcs_gui_services.widgets.pipeline.notes import Note

__all__ = ["ChannelForm", "TogetherForm"]

_COMPONENTS: Final = "variable_components"
_SITES: Final = ("site",)
_HELP: Final = "Images that differ only in these form one stack, which a function gets as a whole."


class ChannelForm(QWidget):
    """The channel that functions of a step are applied to."""

    changed = pyqtSignal(object)
    """Source of the channel; None for all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = ChoiceField([])
        self.field.name_as("Channel", "The channel that these functions are applied to")
        label = QLabel("Channel")
        label.setBuddy(self.field)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow(label, self.field)
        self.field.changed.connect(lambda: self.changed.emit(self.field.value))

    def show_branch(self, step: StepEntry, branch: int, outline: PipelineOutline, names: Mapping[int, str]) -> None:
        """Show the channel of a branch of a step; those of its other branches are no choices.

        Args:
            step: the step.
            branch: index of the branch.
            outline: the pipeline.
            names: the channels of the plate by number.
        """
        keys = [each.key for each in step.branches]
        if branch >= len(keys):
            return
        self.field.setEnabled(keys == [None] or is_by_channel(step, outline))
        current = keys.pop(branch)
        taken = {None, *keys} if keys else set()
        choices = channel_choices(outline, names, (current,))
        if not self.field.isEnabled():
            title = branch_title(step, step.branches[branch], outline, names)
            choices = (ChannelChoice(current, title),)
        self.field.set_choices([(each.source, each.title) for each in choices if each.source not in taken])
        self.field.show_value(current)


class TogetherForm(QWidget):
    """The variable components of a step."""

    changed = pyqtSignal(object)
    """Source of ``variable_components``; None for the default."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes = {name: QCheckBox(title) for name, title in COMPONENTS.items()}
        self._python = Note()
        grid = QGridLayout()
        for place, box in enumerate(self.boxes.values()):
            grid.addWidget(box, place // 2, place % 2)
            box.clicked.connect(lambda _: self._on_box())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(QLabel("Images taken together"))
        layout.addLayout(grid)
        layout.addWidget(self._python)
        layout.addWidget(Note(_HELP))

    def show_step(self, step: StepEntry, outline: PipelineOutline) -> None:
        """Show the components of a step of a pipeline."""
        source = step.keywords.get(_COMPONENTS)
        found = _SITES if source is None else components_of(source, outline)
        for name, box in self.boxes.items():
            box.setEnabled(found is not None)
            box.setChecked(found is not None and name in found)
        self._python.setVisible(found is None)
        self._python.show_text(f"``{source}``, written in Python")

    def _on_box(self) -> None:
        chosen = tuple(name for name, box in self.boxes.items() if box.isChecked())
        self.changed.emit(None if chosen == _SITES else components_source(chosen))

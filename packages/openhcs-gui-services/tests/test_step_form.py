"""From functions to forms, and from forms to source."""

import ast
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.pipeline.step_form import FunctionInfo, ParameterKind, read_functions, read_library
from openhcs_gui_services.widgets.pipeline.fields import (
    ChoiceField,
    LiteralField,
    NumberField,
    SwitchField,
    TextField,
)
from openhcs_gui_services.widgets.pipeline.step_form import StepForm

SOURCE = '''
import enum
from typing import Literal

class Mode(enum.StrEnum):
    FAST = "fast"
    GOOD = "good"

@special_inputs(InputKind.LABELS)
def mine(stack, *, labels, size_px: int = 3, level: float, name: str = "x", mode: Mode = Mode.GOOD,
         way: Literal["up", "down"] = "up", holes: bool = False, grid: tuple[int, int] | None = None, plain=2.5):
    """Do something.

    size_px: how large
    it is. level: how bright; in counts.

    Args:
        name (str): what it is called.
    """
    return stack

def _hidden(stack):
    return stack
'''


def mine() -> FunctionInfo:
    (info,) = read_functions(ast.parse(SOURCE))
    return info


def test_parameters_come_from_the_signature() -> None:
    info = mine()
    kind = ParameterKind
    assert info.summary == "Do something."
    assert [(each.name, each.kind, each.default) for each in info.parameters] == [
        ("size_px", kind.INTEGER, 3),
        ("level", kind.NUMBER, None),
        ("name", kind.TEXT, "x"),
        ("mode", kind.CHOICE, "good"),
        ("way", kind.CHOICE, "up"),
        ("holes", kind.SWITCH, False),
        ("grid", kind.LITERAL, None),
        ("plain", kind.NUMBER, 2.5),
    ]
    assert [each.name for each in info.parameters if each.is_required] == ["level"]
    assert info.parameters[3].choices == ("fast", "good")
    assert info.parameters[0].label == "Size (px)"


def test_the_help_comes_from_the_docstring() -> None:
    helps = {each.name: each.help for each in mine().parameters}
    assert helps["size_px"] == "How large it is."
    assert helps["level"] == "How bright; in counts."
    assert helps["name"] == "What it is called."
    assert helps["grid"] == ""


def test_the_library_is_that_of_the_package() -> None:
    import openhcs_runtime.functions

    public = {name for name in dir(openhcs_runtime.functions) if name[0].islower()}
    infos = {info.name: info for info in read_library()}
    assert infos.keys() <= public
    assert public - infos.keys() <= {"threshold_li"}
    assert infos["segment_onnx"].group == infos["segment_cellpose"].group == "Models"
    nuclei = infos["segment_nuclei"]
    assert [each.name for each in nuclei.parameters] == ["diameter_px", "diameter_um", "method", "factor"]
    assert nuclei.parameters[2].choices == (None, "otsu", "li", "triangle")
    assert [each.name for each in infos["segment_cells"].parameters] == ["method", "factor", "smooth_px"]


def test_no_package_no_library() -> None:
    with pytest.raises(ModuleNotFoundError):
        read_library("openhcs_runtime.no_such_functions")


@pytest.fixture
def show(qtbot: QtBot) -> Callable[..., tuple[StepForm, list[tuple[str, object]]]]:
    """Shows a form, and collects what it says."""

    def make(**given: str) -> tuple[StepForm, list[tuple[str, object]]]:
        form, said = StepForm(), list[tuple[str, object]]()
        qtbot.addWidget(form)
        form.changed.connect(lambda name, source: said.append((name, source)))
        form.show_function(mine(), given)
        form.show()
        return form, said

    return make


Show = Callable[..., tuple[StepForm, list[tuple[str, object]]]]


def test_each_kind_has_its_field_with_its_value(show: Show) -> None:
    form, said = show(size_px="7", name='"n"', mode="'fast'", grid="(2, 3)", holes="True")
    for name, kind, value in (
        ("size_px", NumberField, 7),
        ("level", NumberField, 1.0),
        ("name", TextField, "n"),
        ("mode", ChoiceField, "fast"),
        ("way", ChoiceField, "up"),
        ("holes", SwitchField, True),
        ("grid", LiteralField, (2, 3)),
    ):
        field = form.widget_of(name)
        assert isinstance(field, kind)
        assert field.value == value
    assert said == []


def test_changes_are_told_as_source_and_the_default_as_nothing(show: Show) -> None:
    form, said = show()
    form.widget_of("size_px").value = 9
    form.widget_of("size_px").value = 3
    form.widget_of("name").value = 'a "quoted" name'
    form.widget_of("mode").value = "fast"
    form.widget_of("grid").value = (2, 3)
    form.widget_of("holes").value = True
    form.widget_of("plain").value = 0.25
    assert said == [
        ("size_px", "9"),
        ("size_px", None),
        ("name", "'a \"quoted\" name'"),
        ("mode", '"fast"'),
        ("grid", "(2, 3)"),
        ("holes", "True"),
        ("plain", "0.25"),
    ]


def test_what_is_no_literal_has_no_field(show: Show) -> None:
    form, _ = show(size_px="SIZE", mode='"unknown"', level='"high"')
    for name in ("size_px", "mode", "level"):
        with pytest.raises(KeyError):
            form.widget_of(name)
    assert form.widget_of("name").value == "x"


def test_the_same_values_leave_the_fields_alone_and_others_do_not(show: Show) -> None:
    form, said = show()
    field = form.widget_of("size_px")
    field.value = 9
    form.show_function(mine(), {"size_px": "9"})
    assert form.widget_of("size_px") is field
    form.show_function(mine(), {"size_px": "10"})
    assert form.widget_of("size_px").value == 10
    assert said == [("size_px", "9")]

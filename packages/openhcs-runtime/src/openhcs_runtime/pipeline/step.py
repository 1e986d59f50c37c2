"""One step of a pipeline: which function, over which images."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.decorators import StepFunction

Call: TypeAlias = StepFunction | tuple[StepFunction, Mapping[str, Any]]
CallOrChain: TypeAlias = Call | Sequence[Call]
Dispatch: TypeAlias = Mapping[str | int, CallOrChain]


class InputSource(StrEnum):
    """Which images a step works on."""

    PREVIOUS_STEP = "previous_step"
    """What the step before it has left; the plate's images in the first one."""
    PLATE = "plate"
    """The plate's own images again. What earlier steps made of images is gone for the steps after this one as well;
    labels, regions and measurements stay."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function with the keyword arguments that a step gives it."""

    function: StepFunction
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The function's name as a user knows it."""
        return getattr(self.function, "__name__", None) or repr(self.function)


@dataclass(frozen=True, slots=True)
class FunctionStep:
    """Apply a function to the images of each well, one pattern group at a time.

    func: a callable; `(callable, {"argument": value})`; a list of these, each fed by the one before; or a dict from a
        value of `group_by` (a number may be given as text) to any of these. Images whose value the dict does not name
        are passed on unchanged.
        A callable takes a stack (n, Y, X) and gives one of the same n; `openhcs_runtime.pipeline.decorators` has the
        decorators with which it says that it does more.
    name: for progress and error messages; made from the functions when empty.
    variable_components: the images which differ only in these make one stack, sorted by these in the given order. All
        other components have one value per pattern group.
    group_by: the component that picks the function from a dict.
    input_source: the images to work on: those of the step before, or the plate's own again.
    enabled: a step that is not is left out.
    materialize: write the images that leave this step, as TIFF, below `<output>/images/`.
    stream: where the run has a viewer, show what this step makes as it appears: its images, labels, regions and
        measured objects. When no step says so, the viewer gets labels, regions and objects of all steps, and the images
        of the last step and of those that are materialized. Changes nothing in the results.

    Raises PipelineError, naming the step, when an argument makes no sense by itself.
    """

    func: CallOrChain | Dispatch
    _: KW_ONLY
    name: str = ""
    variable_components: tuple[Component, ...] = (Component.SITE,)
    group_by: Component | None = None
    input_source: InputSource = InputSource.PREVIOUS_STEP
    enabled: bool = True
    materialize: bool = False
    stream: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise PipelineError(f"{self._label()}: name must be a text, not {self.name!r}")
        branches = self._branches()
        if not self.name:
            calls = [call for chain in branches.values() for call in chain]
            object.__setattr__(self, "name", " + ".join(dict.fromkeys(call.name for call in calls)))
        given: Any = self.variable_components
        values = [given] if isinstance(given, str) else list(given)
        object.__setattr__(self, "variable_components", tuple(self._component(value) for value in values))
        if self.group_by is not None:
            object.__setattr__(self, "group_by", self._component(self.group_by))
        if self.input_source not in set(InputSource):
            known = ", ".join(InputSource)
            raise PipelineError(f"{self._label()}: {self.input_source!r} is no input_source (these are: {known})")
        object.__setattr__(self, "input_source", InputSource(self.input_source))

    @property
    def is_dispatched(self) -> bool:
        """Whether `func` is a dict by component value."""
        return isinstance(self.func, Mapping)

    def branches(self) -> dict[str | None, tuple[FunctionCall, ...]]:
        """The chain of calls by the value of `group_by` as text; one for None when `func` is no dict."""
        return self._branches()

    def calls_for(self, value: str | int | None) -> tuple[FunctionCall, ...]:
        """The calls for a pattern group with this value of `group_by`; empty when its images are passed on."""
        branches = self._branches()
        return branches.get(str(value), ()) if self.is_dispatched else branches[None]

    def _branches(self) -> dict[str | None, tuple[FunctionCall, ...]]:
        if isinstance(self.func, Mapping):
            if not self.func:
                raise PipelineError(f"{self._label()}: func is an empty dict")
            return {str(value): self._chain(form) for value, form in self.func.items()}
        return {None: self._chain(self.func)}

    def _chain(self, form: CallOrChain) -> tuple[FunctionCall, ...]:
        if callable(form) or _is_call_with_arguments(form):
            return (self._call(form),)
        if isinstance(form, Sequence) and not isinstance(form, str) and form:
            return tuple(self._call(part) for part in form)
        raise self._bad_form(form)

    def _call(self, form: Any) -> FunctionCall:
        if callable(form):
            return FunctionCall(form)
        if _is_call_with_arguments(form):
            function, kwargs = form
            if callable(function) and all(isinstance(name, str) for name in kwargs):
                return FunctionCall(function, dict(kwargs))
        raise self._bad_form(form)

    def _bad_form(self, form: object) -> PipelineError:
        wanted = "a callable, (callable, {'argument': value}), a list of these or a dict of these by component value"
        return PipelineError(f"{self._label()}: func must be {wanted}, not {form!r}")

    def _label(self) -> str:
        """What a message calls the step: by its name, or by what functions can be seen when it has none yet."""
        if self.name and isinstance(self.name, str):
            return f"step {self.name!r}"
        names = ", ".join(dict.fromkeys(FunctionCall(function).name for function in _functions_in(self.func)))
        return f"step of {names}" if names else "step without a function"

    def _component(self, value: object) -> Component:
        try:
            return Component(str(value))
        except ValueError:
            known = ", ".join(Component)
            raise PipelineError(f"{self._label()}: {value!r} is no component (these are: {known})") from None


def _functions_in(form: Any) -> list[StepFunction]:
    """All functions in a form that may be wrong in some other place."""
    if callable(form):
        return [form]
    parts = form.values() if isinstance(form, Mapping) else form if isinstance(form, list | tuple) else ()
    return [function for part in parts for function in _functions_in(part)]


def _is_call_with_arguments(form: object) -> bool:
    return isinstance(form, tuple) and len(form) == 2 and isinstance(form[1], Mapping)

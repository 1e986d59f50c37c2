"""A step of a pipeline: a function and the images it is applied to."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from openhcs_runtime.choices import alternatives
from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.decorators import StepFunction
from openhcs_runtime.pipeline.resources import StepResources

Call: TypeAlias = StepFunction | tuple[StepFunction, Mapping[str, Any]]
CallOrChain: TypeAlias = Call | Sequence[Call]
Dispatch: TypeAlias = Mapping[str | int, CallOrChain]


class InputSource(StrEnum):
    """The images that a step works on."""

    PREVIOUS_STEP = "previous_step"
    """The images from the previous step; for the first step, the images of the plate."""
    PLATE = "plate"
    """The images of the plate again. Images from earlier steps are dropped, for later steps too; labels, regions and
    measurements are kept."""


class Keep(StrEnum):
    """What is kept after a step, so that a run in which only later steps differ can begin there."""

    IMAGES = "images"
    """Images and labels."""
    LABELS = "labels"
    """Labels only, for pipelines whose next step takes the images of the plate again."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function with its keyword arguments in a step."""

    function: StepFunction
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the function as users know it."""
        return getattr(self.function, "__name__", None) or repr(self.function)


@dataclass(frozen=True, slots=True)
class FunctionStep:
    """Apply a function to the images of each well, one pattern group at a time.

    Attributes:
        func: A callable; ``(callable, {"argument": value})``; a list of these, each applied to the result of the one
            before; or a dict from a value of ``group_by`` (numbers may be given as text) to any of these. Images with a
            value that is not in the dict are passed on unchanged. A callable takes a stack (n, Y, X) and returns one of
            the same n; with the decorators in ``openhcs_runtime.pipeline.decorators`` it can declare more.
        name: Name for progress and error messages [default: made from the names of the functions].
        variable_components: Images that differ only in these components form one stack, sorted by them in the given
            order. All other components have a single value per pattern group.
        group_by: The component that selects the function from a dict.
        input_source: The images to work on: those from the previous step, or the images of the plate again.
        enabled: False to skip the step.
        materialize: Write the output images of this step, as TIFF, below ``<output>/images/``.
        stream: If the run has a viewer, show the images, labels, regions and measured objects of this step as they
            appear. If no step sets it, the viewer shows labels, regions and objects of all steps, and the images of the
            last step and of materialized steps. Does not change the results.
        keep: Keep the images and labels of this step in ``<output>/kept/``, or only the labels: a later run in which
            only later steps differ begins after this one. True means ``"images"``. Does not change the results.
        gpu: The share of a GPU that the functions use: 1 for a whole one, 0.5 if two wells can use it at the same time,
            0 or None for none. A well waits until that much of a GPU is free. Does not change the results.
        memory: Memory that the functions need at most, as in "4 GB" or as a number of bytes: of the GPU or, without
            one, of the machine. If there is not enough, fewer wells are processed at a time. Does not change the
            results.
        threads: Threads that the numeric libraries may use in this step, which count against the cores of the machine
            [default: as set for the process; one in a worker process]. Does not change the results.

    Raises:
        PipelineError: If an argument is invalid; the error names the step.
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
    keep: Keep | bool | None = None
    gpu: float | None = 0
    memory: str | int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise PipelineError(f"{self._label()}: name must be a string, not {self.name!r}")
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
            raise PipelineError(
                f"{self._label()}: unknown input_source {self.input_source!r}; choose {alternatives(InputSource)}"
            )
        object.__setattr__(self, "input_source", InputSource(self.input_source))
        object.__setattr__(self, "keep", self._kept(self.keep))
        object.__setattr__(self, "gpu", 0 if self.gpu is None else self.gpu)
        try:
            StepResources.read(self.gpu, self.memory, self.threads)
        except ValueError as error:
            raise PipelineError(f"{self._label()}: {error}") from None

    @property
    def resources(self) -> StepResources:
        """What the step needs while it runs."""
        return StepResources.read(self.gpu, self.memory, self.threads)

    @property
    def is_dispatched(self) -> bool:
        """Whether ``func`` is a dict by component value."""
        return isinstance(self.func, Mapping)

    def branches(self) -> dict[str | None, tuple[FunctionCall, ...]]:
        """Return the chain of calls for each value of ``group_by`` as text; for None if ``func`` is not a dict."""
        return self._branches()

    def calls_for(self, value: str | int | None) -> tuple[FunctionCall, ...]:
        """Return the calls for a pattern group with this value of ``group_by``; empty if images are passed on."""
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
        call = call_of(form)
        if call is None:
            raise self._bad_form(form)
        return call

    def _bad_form(self, form: object) -> PipelineError:
        wanted = "a callable, (callable, {'argument': value}), a list of these or a dict of these by component value"
        return PipelineError(f"{self._label()}: func must be {wanted}, not {form!r}")

    def _label(self) -> str:
        """Return what messages call the step: its name or, before it has one, the functions found in it."""
        if self.name and isinstance(self.name, str):
            return f"step {self.name!r}"
        names = ", ".join(dict.fromkeys(FunctionCall(function).name for function in _functions_in(self.func)))
        return f"step of {names}" if names else "step without a function"

    def _kept(self, value: Keep | bool | None) -> Keep | None:
        if value is None or isinstance(value, bool):
            return Keep.IMAGES if value else None
        try:
            return Keep(value)
        except ValueError:
            raise PipelineError(
                f"{self._label()}: unknown keep {value!r}; choose {alternatives(Keep)}, or True for images"
            ) from None

    def _component(self, value: object) -> Component:
        try:
            return Component(str(value))
        except ValueError:
            raise PipelineError(
                f"{self._label()}: unknown component {value!r}; choose {alternatives(Component)}"
            ) from None


def call_of(form: object) -> FunctionCall | None:
    """Return the call that ``callable`` or ``(callable, {"argument": value})`` stands for; None for anything else."""
    if callable(form):
        return FunctionCall(form)
    if isinstance(form, tuple) and len(form) == 2 and isinstance(form[1], Mapping):
        function, kwargs = form
        if callable(function) and all(isinstance(name, str) for name in kwargs):
            return FunctionCall(function, dict(kwargs))
    return None


def _functions_in(form: Any) -> list[StepFunction]:
    """Return all functions in a form that may be invalid elsewhere."""
    if callable(form):
        return [form]
    parts = form.values() if isinstance(form, Mapping) else form if isinstance(form, list | tuple) else ()
    return [function for part in parts for function in _functions_in(part)]


def _is_call_with_arguments(form: object) -> bool:
    return isinstance(form, tuple) and len(form) == 2 and isinstance(form[1], Mapping)

"""A step over the whole plate: a function that runs once after the wells of the steps before it."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, TypeAlias

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.pipeline.resources import StepResources
from openhcs_runtime.pipeline.step import Call, FunctionCall, FunctionStep, InputSource, Keep, call_of


@dataclass(frozen=True, slots=True)
class PlateStep:
    """Call a function once for the plate, when all wells have passed the steps before it.

    Attributes:
        func: A callable, or ``(callable, {"argument": value})``. It takes a ``PlateData`` with the images, labels and
            measurements of all wells, and returns the value that it declares with ``plate_output``. Functions of
            later steps get that value by declaring it with ``plate_inputs``.
        name: Name for progress and error messages [default: that of the function].
        enabled: False to skip the step.

    Raises:
        PipelineError: If an argument is invalid.
    """

    func: Call
    _: KW_ONLY
    name: str = ""
    enabled: bool = True

    # A well passes the step unchanged.
    variable_components: ClassVar[tuple[Component, ...]] = (Component.SITE,)
    group_by: ClassVar[Component | None] = None
    input_source: ClassVar[InputSource] = InputSource.PREVIOUS_STEP
    materialize: ClassVar[bool] = False
    stream: ClassVar[bool] = False
    keep: ClassVar[Keep | None] = None
    is_dispatched: ClassVar[bool] = False
    resources: ClassVar[StepResources] = StepResources()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise PipelineError(f"step over the plate: name must be a string, not {self.name!r}")
        call = call_of(self.func)
        if call is None:
            raise PipelineError(
                f"step over the plate: func must be a callable or (callable, {{'argument': value}}), not {self.func!r}"
            )
        if not self.name:
            object.__setattr__(self, "name", call.name)

    @property
    def call(self) -> FunctionCall:
        """The function with its arguments."""
        call = call_of(self.func)
        assert call is not None
        return call

    def branches(self) -> dict[str | None, tuple[FunctionCall, ...]]:
        """Return the call, in the form of ``FunctionStep.branches``."""
        return {None: (self.call,)}

    def calls_for(self, _value: str | int | None) -> tuple[FunctionCall, ...]:
        """Return the calls for a pattern group of a well: none."""
        return ()


Step: TypeAlias = FunctionStep | PlateStep
"""A step of a pipeline."""


def calls_of(steps: Iterable[Step]) -> list[FunctionCall]:
    """Return all calls in these steps."""
    return [call for step in steps for chain in step.branches().values() for call in chain]

"""How commands declare what can be typed, and the same for typer, which reads what is not typed plainly.

typer and what it loads take as long as all the rest of a short command, so commands do not name it.
"""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args

if TYPE_CHECKING:
    from typer.models import ParameterInfo

__all__ = ["Argument", "BadParameter", "Option", "Parameter", "as_typer"]


class BadParameter(ValueError):
    """What was typed can't be right; the message says why and what to do."""


class Parameter:
    """One thing that can be typed; ``Annotated[type, Option(...)]`` is the type of a parameter of a command.

    Args:
        *words: the ways in which an option is written [default: the name of the parameter, with dashes].
        parser: makes the value of what was typed.
        callback: checks the value, given or not, and returns what the command gets.
        metavar: what help shows in its place.
        help: what it means, and what holds if it is left out.
    """

    def __init__(
        self,
        *words: str,
        parser: Callable[[str], object] | None = None,
        callback: Callable[[Any], object] | None = None,
        metavar: str | None = None,
        help: str | None = None,
    ) -> None:
        self.words = words
        self.parser = parser
        self.callback = callback
        self.metavar = metavar
        self.help = help


class Argument(Parameter):
    """What is typed without a name, in its place."""


class Option(Parameter):
    """What is typed after its name."""


def as_typer(command: Callable[..., int]) -> Callable[..., int]:
    """Return a command with declarations that typer understands."""
    call = _guarded(command)
    signature = inspect.signature(command)
    parameters = [each.replace(annotation=_annotation(each.annotation)) for each in signature.parameters.values()]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def _annotation(annotation: object) -> object:
    kind, parameter = get_args(annotation)
    return Annotated[kind, _typer_info(parameter)]


@functools.cache
def _typer_info(parameter: Parameter) -> "ParameterInfo":
    import typer  # noqa: PLC0415 - slow to load

    make = typer.Option if isinstance(parameter, Option) else typer.Argument
    info: ParameterInfo = make(
        *parameter.words,
        parser=parameter.parser and _guarded(parameter.parser),
        callback=parameter.callback and _guarded(parameter.callback),
        metavar=parameter.metavar,
        help=parameter.help,
    )
    return info


def _guarded(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that raises typer's error in place of ours."""
    import typer  # noqa: PLC0415

    @functools.wraps(call)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except BadParameter as error:
            raise typer.BadParameter(str(error)) from error

    return guarded

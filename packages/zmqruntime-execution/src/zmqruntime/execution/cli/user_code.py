"""The code of a user that a command imports: what goes wrong in it is said by its file and line, without our frames."""

import contextlib
import importlib
import traceback
from collections.abc import Iterator
from pathlib import Path

import zmqruntime
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.text import one_line

__all__ = ["importing"]

_OURS = ("<frozen ", str(Path(importlib.__file__).parent), *zmqruntime.__path__)


@contextlib.contextmanager
def importing(reference: str) -> Iterator[None]:
    """Turn what the code raises while it is imported into an error for the user.

    Args:
        reference: what is imported, as it was typed.

    Raises:
        CommandError: The code raises, ends the process, or cannot be found.
    """
    try:
        yield
    except (CommandError, ZMQRuntimeError):
        raise
    except SyntaxError as error:
        raise _fault(reference, error, _place_of_syntax(error)) from error
    except SystemExit as error:
        message = (
            f"cannot import {reference}: it ends the process{_place_of(error)}; put what it does when it is run "
            'into a block if __name__ == "__main__":'
        )
        raise CommandError(ErrorKind.USAGE, message) from error
    except Exception as error:
        raise _fault(reference, error, _place_of(error)) from error


def _fault(reference: str, error: Exception, place: str) -> CommandError:
    text = error.msg if isinstance(error, SyntaxError) else one_line(error)
    said = text if isinstance(error, (ImportError, OSError)) else f"{type(error).__name__}: {text}".removesuffix(": ")
    return CommandError(ErrorKind.USAGE, f"cannot import {reference}: {said}{place}")


def _place_of_syntax(error: SyntaxError) -> str:
    if error.filename is None:
        return ""
    line = f": {error.text.strip()}" if error.text and error.text.strip() else ""
    return f" ({_absolute(error.filename)}, line {error.lineno}{line})"


def _place_of(error: BaseException) -> str:
    """Return file and line where the code of the user raised; empty if it was not reached."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OURS)]
    if not own:
        return ""
    last = own[-1]
    return f" ({_absolute(last.filename)}, line {last.lineno}{f': {last.line}' if last.line else ''})"


def _absolute(file: str) -> str:
    return file if file.startswith("<") else str(Path(file).absolute())

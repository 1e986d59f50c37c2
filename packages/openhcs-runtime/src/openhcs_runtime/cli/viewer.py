"""The viewer of a command: started or found, and what went wrong with that in words."""

import sys
from collections.abc import Mapping

from openhcs_runtime.cli.failures import CommandError, ErrorKind
from openhcs_runtime.cli.output import Output
from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.viewer_target import ViewTarget

__all__ = ["show_viewer"]

_LOG_LINES = 12


def show_viewer(view: str, components: Mapping[str, str], output: Output) -> bool:
    """Open the viewer; one that does not start is a warning with the end of its log, and False.

    Raises CommandError when the components are not such as the viewer knows.
    """
    # Loads numpy, which commands without a viewer need not.
    from openhcs_runtime.viewers.start import check_viewer, open_viewer  # noqa: PLC0415

    target = ViewTarget.parse(view)
    try:
        check_viewer(target, components)
    except ViewerError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error
    if target.kind is None:
        return True  # it is there already, or comes and goes as it likes
    output.line(f"Starting {target}")
    try:
        open_viewer(target, components).close()
    except ViewerError as error:
        _warn(error)
        return False
    return True


def _warn(error: ViewerError) -> None:
    sys.stdout.flush()
    print(f"Warning: {error}; going on without it", file=sys.stderr, flush=True)
    lines = error.log.splitlines()[-_LOG_LINES:]
    for line in lines if len(lines) > 1 else ():  # a single one is in the warning
        print(f"  {line}", file=sys.stderr, flush=True)

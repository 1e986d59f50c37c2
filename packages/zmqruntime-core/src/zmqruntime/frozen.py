"""Programs that PyInstaller or a similar tool has frozen: they have no Python to start, so they start themselves.

The environment variable that is set for such a process makes PyInstaller's bootloader treat it as a new program, which
may outlive this one: https://pyinstaller.org/en/stable/advanced-topics.html#bootloader-environment-variables.
"""

import os
import runpy
import sys
import threading
from collections.abc import Mapping

from zmqruntime.exceptions import ConfigurationError

__all__ = ["freeze_support", "is_frozen", "module_command", "module_environment"]

_ARGUMENT = "--zmqruntime-module"
_NEW_PROGRAM = {"PYINSTALLER_RESET_ENVIRONMENT": "1"}
_is_supported = threading.Event()


def freeze_support() -> None:
    """Run a server or worker in place of the program, if it was started for that.

    Call it first in the ``if __name__ == "__main__":`` block of a program that is frozen into an executable. It does
    nothing in a program that is not frozen. In one that was started as a server or worker it does not return.

    Raises:
        SystemExit: the server or worker has ended.
    """
    if not is_frozen():
        return
    _is_supported.set()
    if len(sys.argv) > 2 and sys.argv[1] == _ARGUMENT:
        module, sys.argv[1:] = sys.argv[2], sys.argv[3:]
        runpy.run_module(module, run_name="__main__")  # `__main__` itself stays the program, whose classes are needed
        sys.exit()


def module_command(module: str) -> list[str]:
    """Return the command that runs a module in a new process, to which its arguments can be added.

    Raises:
        ConfigurationError: this program is frozen and would start itself instead, because it does not call
            :func:`freeze_support`.
    """
    if not is_frozen():
        return [sys.executable, "-P", "-m", module]
    if not _is_supported.is_set():
        raise ConfigurationError(
            f"{sys.executable} is a frozen program and would start itself instead of a server or worker: call "
            "zmqruntime.freeze_support() first in its 'if __name__ == \"__main__\":' block"
        )
    return [sys.executable, _ARGUMENT, module]


def module_environment(variables: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """Return the environment for a process with :func:`module_command`.

    Args:
        variables: what it should be [default: that of this process].

    Returns:
        The environment; None for that of this process.
    """
    if not is_frozen():
        return None if variables is None else dict(variables)
    return {**(os.environ if variables is None else variables), **_NEW_PROGRAM}


def is_frozen() -> bool:
    """Return whether this program is frozen into an executable."""
    return bool(getattr(sys, "frozen", False))

"""The parts of a submitting process that a task may depend on: environment variables and working folder."""

import os
import re

import msgspec

from zmqruntime.exceptions import ConfigurationError

__all__ = ["TaskEnvironment"]

_MAX_BYTES = 1024 * 1024
_NOT_OURS = re.compile(
    r"_|SHLVL|PWD|OLDPWD|PS[0-4]|PROMPT_COMMAND|HIST[A-Z]*|COLUMNS|LINES|WINDOWID|WINDOW|MAIL|GPG_TTY|LS_COLORS|LESS[A-Z]*"
    r"|COLORTERM|TERM.*|LC_TERMINAL.*|TMUX.*|STY|VTE_VERSION|KONSOLE_.*|GNOME_TERMINAL_.*|ITERM_.*|WT_.*|VSCODE_.*"
    r"|SSH_.*|XDG_SESSION_.*|XDG_VTNR|XDG_SEAT.*|SESSION_MANAGER|INVOCATION_ID|JOURNAL_STREAM|PYTEST_CURRENT_TEST"
)


class TaskEnvironment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The environment variables and working folder with which the process of a task is started.

    The variables are complete, so those that libraries read once when they are loaded, such as ``OMP_NUM_THREADS``,
    take effect. A server stores them with the submission in its database, which only its user can read (0600). This
    includes variables that hold secrets: to leave one out, create the object yourself.

    Attributes:
        variables: name and value of each environment variable.
        folder: absolute path of the working folder.
    """

    variables: dict[str, str]
    folder: str

    @classmethod
    def current(cls) -> "TaskEnvironment":
        """Return the environment of this process, without the variables that only concern its terminal or login.

        The variables of shells and terminals (``PWD``, ``SHLVL``, ``TERM*``, ``COLUMNS``, ``TMUX`` ...), of sessions
        (``SSH_*``, ``XDG_SESSION_*`` ...) and of test runs are left out. ``DISPLAY``, ``WAYLAND_DISPLAY`` and
        ``XAUTHORITY`` are kept, because a task may open a window.

        Raises:
            ConfigurationError: a variable or the folder is not text, or the folder has been removed.
        """
        variables = {name: value for name, value in os.environ.items() if not _NOT_OURS.fullmatch(name)}
        try:
            found = cls(variables=variables, folder=os.getcwd())
        except FileNotFoundError as error:
            raise ConfigurationError("the working folder of this process was removed; change to another one") from error
        problem = found.problem()
        if problem is not None:
            raise ConfigurationError(problem)
        return found

    def problem(self) -> str | None:
        """Return why no process can be started with it, or None if no problem is apparent."""
        size = 0
        for name, value in self.variables.items():
            if not name or "=" in name or "\0" in name:
                return f"{name!r} cannot be the name of an environment variable"
            if "\0" in value:
                return f"the value of the environment variable {name} contains a null byte; set it to something else"
            if not (_is_text(name) and _is_text(value)):
                return f"the environment variable {name!a} is not UTF-8 text; unset it, or set it to text"
            size += len(name) + len(value) + 2
        if size > _MAX_BYTES:
            return f"the environment variables take up {size:,} characters, the limit is {_MAX_BYTES:,}; unset some"
        if not _is_text(self.folder) or "\0" in self.folder:
            return f"the working folder {self.folder!a} is not UTF-8 text; rename it, or change to another one"
        if not os.path.isabs(self.folder):
            return f"the working folder {self.folder!r} is not an absolute path"
        return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True

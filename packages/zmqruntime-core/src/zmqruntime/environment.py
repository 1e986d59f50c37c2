"""What a computation may depend on of the process that asked for it: environment variables and working folder."""

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
    """The environment variables and the working folder that a task's process is started with.

    Variables are all there are, so that what libraries read once when they are loaded, such as ``OMP_NUM_THREADS``,
    holds. A server keeps them with the submission, in its database, which only its user can read (0600). A variable
    with a secret is kept with the others: make the object by hand to leave it out.

    Attributes:
        variables: name and value of each.
        folder: absolute path.
    """

    variables: dict[str, str]
    folder: str

    @classmethod
    def current(cls) -> "TaskEnvironment":
        """Those of this process, apart from what belongs to its terminal or login, which no computation depends on.

        Left out are the variables of shells and terminals (``PWD``, ``SHLVL``, ``TERM*``, ``COLUMNS``, ``TMUX`` ...),
        of sessions (``SSH_*``, ``XDG_SESSION_*`` ...) and of a test run. ``DISPLAY``, ``WAYLAND_DISPLAY`` and
        ``XAUTHORITY`` stay, since a task may open a window.

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
        """Why no process can be started with it, in words; None if one can, as far as can be told without trying."""
        size = 0
        for name, value in self.variables.items():
            if not name or "=" in name or "\0" in name:
                return f"{name!r} cannot be the name of an environment variable"
            if "\0" in value:
                return f"the environment variable {name} has a zero byte in its value; set it to something else"
            if not (_is_text(name) and _is_text(value)):
                return f"the environment variable {name!a} is not UTF-8 text; unset it, or set it to text"
            size += len(name) + len(value) + 2
        if size > _MAX_BYTES:
            return f"the environment variables take {size:,} characters, at most {_MAX_BYTES:,} may; unset some"
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

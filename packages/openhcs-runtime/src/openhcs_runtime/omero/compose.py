"""Calls of ``docker compose`` for one project, with its errors reduced to one clear line."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from openhcs_runtime.exceptions import OmeroError

__all__ = ["Compose"]

_PROGRAM = "docker"
_NO_PLUGIN = ("is not a docker command", "unknown command: docker compose", "unknown flag: --file", "unknown shorthand")
_INSTALL = "install Docker Engine with its compose plugin (https://docs.docker.com/engine/install/)"


class Compose:
    """A ``docker compose`` project: its file, and the variables that the file uses."""

    def __init__(self, file: Path, project: str, variables: Mapping[str, str]) -> None:
        self._options = ["compose", "--file", str(file), "--project-name", project]
        self._variables = dict(variables)

    def run(self, *arguments: str, timeout: float) -> str:
        """Run a command and return its standard output.

        Args:
            arguments: The command and its arguments.
            timeout: Seconds to wait.

        Raises:
            OmeroError: If Docker or its compose plugin is missing, or the command fails or does not finish in time.
        """
        program = shutil.which(_PROGRAM)
        if program is None:
            raise OmeroError(f"program '{_PROGRAM}' is not on the PATH: {_INSTALL}")
        try:
            done = subprocess.run(
                [program, *self._options, *arguments],
                env={**os.environ, **self._variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise OmeroError(
                f"'docker compose {arguments[0]}' was stopped after {timeout:.3g} s; choose a longer timeout"
            ) from error
        except OSError as error:
            raise OmeroError(f"{program} can't be run: {error.strerror or error}") from error
        if done.returncode:
            raise OmeroError(_reason(arguments[0], done.stderr))
        return done.stdout


def _reason(command: str, stderr: str) -> str:
    """Return Docker's error in one line with its remedy, for the messages of releases 20 to 29."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any(words in line for line in lines for words in _NO_PLUGIN):
        return f"Docker has no compose plugin: {_INSTALL}"
    if any("connect to the docker" in line.lower() for line in lines):
        return "the Docker daemon is not responding: start it, or give this user access (group 'docker')"
    return f"'docker compose {command}' failed: {lines[-1] if lines else 'no reason given'}"

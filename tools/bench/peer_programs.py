"""The programs in peers/: which library does which job, in how many lines, and what has to be started for it.

A program is `peers/LIBRARY/JOB.py`; files next to it that begin with the same name belong to it. What has to run before
it, each in a terminal of its own, is written in its first lines as `# $ COMMAND`, a worker last.
"""

import enum
import io
import shlex
import tokenize
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "peers"
_COMMAND = "# $ "
_NO_CODE = frozenset(
    (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
)


class Library(enum.StrEnum):
    """A library, by the name it is installed with; ours first."""

    OURS = "zmqruntime-execution"
    HUEY = "huey"
    TASKIQ = "taskiq"
    DASK = "distributed"
    IPYPARALLEL = "ipyparallel"
    JOBLIB = "joblib"
    EXECUTORLIB = "executorlib"

    @property
    def folder(self) -> Path:
        """Where its programs are."""
        return PROGRAMS / self.name.lower()


class Job(enum.StrEnum):
    """What the programs do."""

    HELLO = "hello"
    """Run a function in another process and print its result."""
    DURABLE = "durable"
    """The same with a submission that is not lost when every process is killed."""
    LATER = "later"
    """Get that result in another program."""
    CANCEL = "cancel"
    """Stop a running function that never asks whether it should stop."""
    PROGRESS = "progress"
    """Print how far a function of ten steps is while it runs."""
    RESUME = "resume"
    """Ten steps; when every process is killed after the fifth, the next run does not repeat those that are done."""
    NOOPS = "noops"
    """10,000 calls of a function that does nothing."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program: its main file, the files that belong to it, and the commands that have to run before it."""

    library: Library
    job: Job

    @property
    def files(self) -> list[Path]:
        """Its files, the one that is run last."""
        return sorted(self.library.folder.glob(f"{self.job}*.py"), key=lambda path: (path.stem == self.job, path.name))

    @property
    def exists(self) -> bool:
        """Whether the library can do this job."""
        return (self.library.folder / f"{self.job}.py").is_file()

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command that has to run before it."""
        lines = (self.library.folder / f"{self.job}.py").read_text(encoding="utf-8").splitlines()
        return [shlex.split(line.removeprefix(_COMMAND)) for line in lines if line.startswith(_COMMAND)]

    @property
    def lines(self) -> int:
        """How many lines one writes: lines with code in all of its files."""
        return sum(code_lines(path.read_text(encoding="utf-8")) for path in self.files)


def code_lines(source: str) -> int:
    """Return the number of lines that are neither empty nor only a comment; each line of a long string counts.

    Raises:
        tokenize.TokenError: this is not Python.
    """
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return len(
        {line for token in tokens if token.type not in _NO_CODE for line in range(token.start[0], token.end[0] + 1)}
    )

"""The code blocks of a page, and the script that runs them in their order.

A block is fenced as ``python`` or ``bash``, or indented and begins with a command. A comment before it may say more:

    <!-- not run: it needs a SLURM cluster -->      checked only: commands can be typed, names can be imported
    <!-- prints -->                                 text that the blocks above print, where ``...`` stands for anything
"""

import enum
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

COMMANDS = (
    "openhcs-runtime",
    "openhcs-gui",
    "zmqruntime",
    "pip",
    "python",
    "python3",
    "npm",
    "node",
    "nox",
    "sudo",
    "dask",
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4} *\S.*\n?(?:\n+(?= {4}))?)+)")
COMMENT = re.compile(r"<!-- (?:not run: (.*?)|(prints)) -->\s*\Z", re.DOTALL)
FILE_NAME = re.compile(r"# (\S+\.py)\n")
# What is not for this machine to do; that such lines make sense is a check of its own.
PREAMBLE = """set -eu -o pipefail
pip() { :; }
npm() { :; }
sudo() { :; }
"""


class Kind(enum.Enum):
    """What a block is."""

    PYTHON = "python"
    SHELL = "bash"
    PRINTED = "text"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page; ``reason`` says why it is not run, if it is not."""

    kind: Kind
    text: str
    line: int
    reason: str | None = None

    @property
    def file(self) -> str | None:
        """The name of the file that a Python block says it is."""
        named = FILE_NAME.match(self.text)
        return None if named is None else named[1]

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are code, or text that code prints."""
    text = page.read_text(encoding="utf-8")
    fenced = list(FENCE.finditer(text))
    blank = FENCE.sub(lambda found: re.sub(r"[^\n]", "", found[0]), text)  # same lines, so that the order is known
    found = [(text.count("\n", 0, each.start()), each[1], each[2], text[: each.start()]) for each in fenced]
    for each in INDENTED.finditer(blank):
        line = blank.count("\n", 0, each.start())
        found.append((line, "", re.sub(r"^ {4}", "", each[1], flags=re.MULTILINE), blank[: each.start()]))
    return [made for each in sorted(found) if (made := block(*each)) is not None]


def block(line: int, language: str, text: str, before: str) -> Block | None:
    """A block, if it is of a kind that matters."""
    comment = COMMENT.search(before)
    reason, prints = comment.groups() if comment else (None, None)
    if prints:
        return Block(Kind.PRINTED, text, line)
    if language == "python" or (not language and re.match(r"from |import |def ", text)):
        return Block(Kind.PYTHON, text, line, reason)
    if language in ("bash", "sh", "shell") or (not language and text.split()[0] in COMMANDS):
        return Block(Kind.SHELL, text, line, reason)
    return None


def script(found: list[Block], folder: Path) -> str:
    """A script for bash that runs the blocks; files that they name are written to ``folder``.

    Python blocks that follow one another without another name are one program. What has a ``__main__`` part or no name
    is run; a file with neither is a module for others.
    """
    lines, program = [PREAMBLE], ""
    for each in [each for each in found if each.reason is None and each.kind is not Kind.PRINTED]:
        if each.kind is Kind.SHELL:
            lines.append(each.text)
            program = ""
            continue
        begins = each.file is not None or not program
        program = (each.file or f"block_{each.line}.py") if begins else program
        path = folder / program
        path.write_text(("" if begins else path.read_text(encoding="utf-8")) + each.text, encoding="utf-8")
        runs = f"python -W error {program}"
        if not begins and lines[-1] == runs:
            lines.pop()
        if each.file is None or "__main__" in each.text:
            lines.append(runs)
    return "\n".join(lines) + "\n"


def prints_all(found: list[Block], output: str) -> str | None:
    """None if the output has what the page shows, in that order; else the line that is not there."""
    position = 0
    for line in [
        line for each in found if each.kind is Kind.PRINTED for line in each.text.splitlines() if line.strip()
    ]:
        wanted = r"\s+".join(
            ".*" if word == "..." else re.escape(word).replace(r"\.\.\.", ".*") for word in line.split()
        )
        match = re.compile(rf"^\s*{wanted}\s*$", re.MULTILINE).search(output, position)
        if match is None:
            return line
        position = match.end()
    return None

"""The generated parts of docs/compare.md, from the recorded run and the programs; the rest is written by hand."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import figures
from figures import Figure
from peer_limits import LIMITS, Limit
from peer_programs import PROGRAMS, Job, Library, Program
from peer_record import RECORDED, Entry, Record
from runs import DOCS

PAGE = DOCS / "compare.md"
SHOWN = (Job.HELLO, Job.DURABLE, Job.LATER, Job.CANCEL, Job.PROGRESS, Job.RESUME)
TITLES = {
    Job.HELLO: "Hello world",
    Job.DURABLE: "Durable hello world",
    Job.LATER: "Its result in another program",
    Job.CANCEL: "Cancel",
    Job.PROGRESS: "Progress",
    Job.RESUME: "Resume",
}


def drawn(page: str, record: Record) -> str:
    """Return the page with its generated parts replaced.

    Raises:
        ValueError: the page lacks the marks of a part.
    """
    parts = {"lines": _lines(record), "limits": _limits(), "speed": _speed(record.figures), "run": _run(record)}
    for job in SHOWN:
        parts[f"programs {job}"] = _programs(job)
    for name, text in parts.items():
        page = _replaced(page, name, text)
    return page


def draw(record: Record) -> None:
    """Write the generated parts into the page."""
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8"), record), encoding="utf-8")


def _replaced(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name}: made by tools/bench/peers.py -->\n", f"<!-- end of {name} -->"
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise ValueError(f"{PAGE.name} has no part {name!r}: put {begin.strip()!r} and {end!r} around it")
    return f"{before}{begin}\n{text}\n{end}{after}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _lines(record: Record) -> str:
    """Lines of code and, after a plus, terminals in which something else has to run."""
    found = {(entry.library, entry.job): entry for entry in record.entries}
    rows = [[TITLES[job], *(_cell(found.get((library, job))) for library in Library)] for job in SHOWN]
    return _table(["lines to write", *(f"`{library}`" for library in Library)], rows)


def _cell(entry: Entry | None) -> str:
    if entry is None:
        return "-"
    remark = f" ({entry.remark})" if entry.remark else ""
    return f"{entry.lines}{f' + {len(entry.commands)}' if entry.commands else ''}{remark}"


def _limits() -> str:
    grouped: dict[tuple[Library, Limit], list[Job]] = {}
    for (library, job), limit in LIMITS.items():
        grouped.setdefault((library, limit), []).append(job)
    rows = [
        [f"`{library}`", ", ".join(TITLES[job].lower() for job in jobs), f"{limit.text} ([source]({limit.source}))"]
        for (library, limit), jobs in grouped.items()
    ]
    return _table(["library", "no program for", "why"], rows)


def _speed(found: Sequence[Figure]) -> str:
    if not found:
        return "No times are recorded.\n"
    names = list(dict.fromkeys(figure.name for figure in found))
    by = {(figure.name, figure.by): figure for figure in found}
    rows = [[name, *(_figure(by.get((name, library)), found, name, library) for library in Library)] for name in names]
    return _table(["seconds (ratio)", *(f"`{library}`" for library in Library)], rows)


def _figure(figure: Figure | None, among: Sequence[Figure], name: str, library: Library) -> str:
    if figure is None:
        return "-" if "cancel" in name and not Program(library, Job.CANCEL).exists else "not measured"
    ours = figures.ours_beside(figure, among)
    value = "under 0.01" if figure.value < 0.01 else figures.number(figure.value)
    if figure.side is figures.Side.OURS or ours is None or min(figure.value, ours.value) < 0.01:
        return value
    return f"{value} ({figures.number(figures.advantage(ours, figure))} x)"


def _run(record: Record) -> str:
    machine = record.machine
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return (
        f"Measured on {record.date}, on {machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, "
        f"{machine.system}, load {machine.load} at the beginning and {record.load_at_end} at the end. "
        f"Python {machine.python}, {versions}.\n"
    )


def _programs(job: Job) -> str:
    shown = [Program(library, job) for library in Library if Program(library, job).exists]
    return "\n".join([*(_shared(path) for path in _shared_files(shown)), *(_program(program) for program in shown)])


def _shared_files(programs: Sequence[Program]) -> list[Path]:
    """The modules next to the folders of the libraries which the programs import."""
    texts = [path.read_text(encoding="utf-8") for program in programs for path in program.files]
    return [path for path in sorted(PROGRAMS.glob("*.py")) if any(f"from {path.stem} import" in text for text in texts)]


def _shared(path: Path) -> str:
    return f"All of them import this file:\n\n```python\n# {path.name}\n{path.read_text(encoding='utf-8')}```\n"


def _program(program: Program) -> str:
    commands = [shlex.join(command) for command in program.commands]
    first = (
        f"Before it, each in its own terminal: {', '.join(f'`{each}`' for each in commands)}\n\n" if commands else ""
    )
    code = "\n".join(f"```python\n{_named(program, number)}```\n" for number in range(len(program.files)))
    opened = " open" if program.library is Library.OURS else ""
    title = f"<code>{program.library}</code>, {program.lines} lines"
    return f"<details{opened}><summary>{title}</summary>\n\n{first}{code}\n</details>\n"


def _named(program: Program, number: int) -> str:
    path = program.files[number]
    lines = [line for line in path.read_text(encoding="utf-8").splitlines(True) if not line.startswith("# $ ")]
    return "".join([f"# {path.name}\n", *lines])


__all__ = ["PAGE", "RECORDED", "draw", "drawn"]

"""Writes a report for a window, in a process of its own: ``python -m openhcs_runtime.report RESULTS FILE``.

It prints a line of JSON for each thing that it begins, and one for the end; see ``ReportLine``.
"""

import sys
from pathlib import Path

import msgspec

from openhcs_runtime.exceptions import OpenHCSError
from openhcs_runtime.report.lines import ReportLine


def main(results: str, file: str) -> int:
    """Write the report; gives the exit code."""
    from openhcs_runtime.report.write import write_report  # noqa: PLC0415  heavy, after the first line

    try:
        made = write_report(results, Path(file), on_progress=lambda what: _print(ReportLine(doing=what)))
    except OpenHCSError as error:
        _print(ReportLine(error=str(error)))
        return 1
    _print(ReportLine(file=str(made.path), left_out=made.left_out))
    return 0


def _print(line: ReportLine) -> None:
    print(msgspec.json.encode(line).decode(), flush=True)


if __name__ == "__main__":
    _print(ReportLine(doing="loading"))
    sys.exit(main(*sys.argv[1:]))

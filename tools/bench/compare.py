"""Compare a run of the benchmarks with the stored one, to detect regressions.

    python tools/bench/table.py --json new.json
    python tools/bench/compare.py new.json [--stored FILE] [--tolerance 0.25]

Only ratios to a reference are compared, because a slower or busy machine affects both sides. The exit code is 1 if a
ratio is worse than the stored one by more than the tolerance, or is missing.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chart
import figures
from runs import STORED, Run, read


@dataclass(frozen=True, slots=True)
class Change:
    """A ratio before and now; None where it was not measured."""

    name: str
    by: str
    before: float | None
    now: float | None

    def is_worse(self, tolerance: float) -> bool:
        """Return whether it is worse by more than a fraction, such as 0.25, or is missing."""
        return self.before is not None and (self.now is None or self.now < self.before * (1 - tolerance))


def main() -> int:
    """Print all ratios, before and now; return 1 if one is worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the new run, written by table.py --json")
    parser.add_argument(
        "--stored", type=Path, default=STORED, help="the run to compare with [default: docs/benchmarks.json]"
    )
    parser.add_argument(
        "--tolerance", type=float, default=0.25, help="fraction by which a ratio may be worse [default: 0.25]"
    )
    options = parser.parse_args()
    stored, run = read(options.stored), read(options.run)
    if stored.quick != run.quick:
        raise SystemExit("one of the two is a quick run: compare two quick or two full runs")
    found = list(changes(stored, run))
    worse = [change for change in found if change.is_worse(options.tolerance)]
    for change in found:
        mark = "WORSE" if change in worse else ""
        print(f"{change.name:66} {change.by:30} {_text(change.before):>10} {_text(change.now):>10}  {mark}".rstrip())
    print(f"{len(worse)} of {len(found)} ratios are worse by more than {options.tolerance:.0%}")
    return 1 if worse else 0


def changes(before: Run, now: Run) -> Iterator[Change]:
    """Return all ratios of the scripts that both runs have, new ones last."""
    both = {part.script for part in before.parts} & {part.script for part in now.parts}
    old, new = _ratios(before, both), _ratios(now, both)
    for name, by in [*old, *(key for key in new if key not in old)]:
        yield Change(name, by, old.get((name, by)), new.get((name, by)))


def _ratios(run: Run, scripts: set[str]) -> dict[tuple[str, str], float]:
    parts = [part for part in run.parts if part.script in scripts]
    return {(row.name, row.other.by): row.times for part in parts for row in chart.comparisons([part])}


def _text(ratio: float | None) -> str:
    return "-" if ratio is None else f"{figures.number(ratio)} x"


if __name__ == "__main__":
    sys.exit(main())

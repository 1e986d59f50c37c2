"""Compares a run of the benchmarks with the one that is stored, to see whether something has become slower.

    python tools/bench/table.py --json new.json
    python tools/bench/compare.py new.json [--stored FILE] [--tolerance 0.25]

Only what has a floor or a peer beside it is compared, and of that the ratio: another machine, or a busy one, is slower
in both. The exit code is 1 when a ratio is worse than the stored one by more than the tolerance, or is not there any
more.
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
    """How good ours was beside another, and is; None where it is not measured."""

    name: str
    by: str
    before: float | None
    now: float | None

    def is_worse(self, tolerance: float) -> bool:
        """Whether it is worse by more than a part, such as 0.25, or is missing."""
        return self.before is not None and (self.now is None or self.now < self.before * (1 - tolerance))


def main() -> int:
    """Print all ratios, before and now; 1 when one is worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the new run, as table.py --json wrote it")
    parser.add_argument("--stored", type=Path, default=STORED, help="the run to compare with; docs/benchmarks.json")
    parser.add_argument("--tolerance", type=float, default=0.25, help="the part that it may be worse by (0.25)")
    options = parser.parse_args()
    stored, run = read(options.stored), read(options.run)
    if stored.quick != run.quick:
        raise SystemExit("one of the two is a quick run, which measures less: compare two of a kind")
    found = list(changes(stored, run))
    worse = [change for change in found if change.is_worse(options.tolerance)]
    for change in found:
        mark = "WORSE" if change in worse else ""
        print(f"{change.name:66} {change.by:30} {_text(change.before):>10} {_text(change.now):>10}  {mark}".rstrip())
    print(f"{len(worse)} of {len(found)} ratios are worse by more than {options.tolerance:.0%}")
    return 1 if worse else 0


def changes(before: Run, now: Run) -> Iterator[Change]:
    """All ratios of the scripts that both runs have, those that are new last."""
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

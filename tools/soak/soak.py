"""Runs plates without end while servers, workers and viewers are killed at random, and measures what all of it holds.

Two clients, a viewer and, with --window, the window of openhcs-gui are attached all the time; the window runs one plate
in three, and sees the others in its pane of servers. After every plate its files are compared with those of an
undisturbed run, and memory, descriptors, threads and shared memory are measured. At the end: did every plate come out
right, did anything grow, was anything left behind? The exit code is 1 if so.

Of 32 plates the first twelve are disturbed and the others are not, so that processes live long enough to be seen
growing. SOAK_SECONDS and SOAK_SEED set how long and which course.
"""

import argparse
import os
import secrets
import sys
import tempfile
import traceback
from pathlib import Path

import msgspec
import soak_measures
from soak_plates import Deed, Record, Soak, SoakError
from soak_processes import MARK
from soak_window import WindowError

from zmqruntime import ZMQRuntimeError

LEAST_SHARE = 10
"""The pane looks once a second: of so many short runs it sees one at the very least."""


def main() -> int:
    """Run until the time is over; gives the exit code."""
    options = _parser().parse_args()
    attached = f"{options.viewer} viewer, {'a' if options.window else 'no'} window"
    print(f"seed {options.seed}, {options.seconds:.0f} s, {options.wells} wells, {attached}", flush=True)
    with tempfile.TemporaryDirectory(prefix="zs", ignore_cleanup_errors=True) as home:
        for variable in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
            os.environ[variable] = home
        for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
            os.environ.pop(variable, None)
        os.environ[MARK] = secrets.token_hex(8)
        soak = Soak(Path(home), options)
        try:
            soak.run()
        except (SoakError, WindowError, ZMQRuntimeError, TimeoutError) as error:
            log = soak.client.config.server_dir(options.port) / "server.log"
            soak.record.complain(f"the soak ends here: {type(error).__name__}: {error}")
            traceback.print_exc()
            print(log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.is_file() else f"no {log}")
        finally:
            soak.close()
            if options.json is not None:
                options.json.write_bytes(msgspec.json.format(msgspec.json.encode(soak.record.samples)))
        return verdict(soak.record, problems_of_window(soak))


def problems_of_window(soak: Soak) -> list[str]:
    """Say what the window has heard; what of that is too little to be true."""
    if soak.window is None:
        return []
    shown, record = soak.window.shown, soak.record
    print(
        f"\nthe window ran {record.by_window} plates, and its row of them was shown anew {shown.changes} times; "
        f"its pane of servers has shown {shown.others} executions besides, the clients had {record.by_clients}"
    )
    problems = []
    if shown.changes < record.by_window:
        problems.append("the window has not shown how its plates went")
    if shown.others < record.by_clients // LEAST_SHARE:
        problems.append("the window has hardly seen what others run")
    return problems


def verdict(record: Record, problems: list[str]) -> int:
    """Print what all of it comes to, with these problems besides those of the record; the exit code."""
    happened = ", ".join(f"{deed} {number}" for deed, number in record.deeds.items() if deed is not Deed.NOTHING)
    print(f"\n{record.plates} plates; {happened or 'nothing happened'}")
    viewed = record.viewed
    print(f"the viewer was sent {viewed.sent} images and has shown {viewed.displayed}; {viewed.skipped} were skipped\n")
    print(f"{'':8} {'':12} {'typical':>14}  {'growth with each plate':>25} {'limit':>10}")
    problems = record.problems + problems
    for growth in soak_measures.growths(record.samples):
        rate = "none lived long enough" if growth.per_plate is None else f"{growth.per_plate:+,.2f}"
        limit = soak_measures.LIMITS[growth.quantity]
        print(f"{growth.role:8} {growth.quantity:12} {growth.typical:14,.0f}  {rate:>25} {limit:10,.2f}")
        if not growth.is_flat:
            problems.append(
                f"the {growth.quantity} of the {growth.role} grows by {growth.per_plate:,.2f} with each plate"
            )
    print()
    for problem in problems:
        print(f"WRONG {problem}")
    print("every plate as if undisturbed, all flat, nothing left" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    seconds, seed = float(os.environ.get("SOAK_SECONDS", "1800")), int(os.environ.get("SOAK_SEED", "0"))
    parser.add_argument("--seconds", type=float, default=seconds, help=f"how long ({seconds:.0f})")
    parser.add_argument("--seed", type=int, default=seed or secrets.randbelow(2**31), help="which course (random)")
    parser.add_argument("--wells", type=int, default=48, help="wells of the plate (48)")
    parser.add_argument("--size", type=int, default=256, help="pixels of an image in each direction (256)")
    parser.add_argument("--viewer", choices=("plain", "napari"), default="plain", help="what shows the images (plain)")
    parser.add_argument("--window", action="store_true", help="open the window of openhcs-gui, too")
    parser.add_argument("--peaceful", action="store_true", help="do nothing bad: only look for growth")
    parser.add_argument("--port", type=int, default=7960, help="of the server (7960)")
    parser.add_argument("--viewer-port", type=int, default=7961, help="of the viewer (7961)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())

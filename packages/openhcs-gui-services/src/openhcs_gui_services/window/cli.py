"""The command ``openhcs-gui``: a window to add plates, run them on a background server and watch their progress."""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import psutil

from openhcs_runtime.builtin_files import builtin_names, builtin_text

__all__ = ["Options", "main"]

DISTRIBUTION = "openhcs-gui-services"
INTERRUPTED = 130
_WRONG_USE = 2
_EXAMPLES = """\
examples:
  openhcs-gui
  openhcs-gui demo /data/plate7 --pipeline segment.py

Runs continue after the window is closed; open it again to see their progress.
Exit codes: 0 closed, 1 failure, 2 usage error, 130 interrupted with Ctrl-C."""


@dataclass(frozen=True)
class Options:
    """Options of the command line; None stands for the settings of the window."""

    plates: tuple[str, ...] = ()
    pipeline: Path | None = None
    """A pipeline file, or the name of a built-in pipeline."""
    host: str | None = None
    port: int | None = None
    time_start: bool = False
    import_seconds: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the window until it is closed.

    Args:
        arguments: command line arguments [default: those of the process].

    Returns:
        The exit code: 0 closed, 130 interrupted with Ctrl-C.
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.pipeline is not None and (wrong := _wrong_pipeline(asked.pipeline)):
        parser.error(wrong)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    begin = time.perf_counter()
    from openhcs_gui_services.window.window import show_window  # noqa: PLC0415  --help and --version don't need Qt

    options = Options(
        plates=tuple(asked.plates),
        pipeline=asked.pipeline,
        host=asked.host,
        port=asked.port,
        time_start=asked.time_start,
        import_seconds=time.perf_counter() - begin,
    )
    try:
        return show_window(options, on_usable=lambda: _print_times(options) if options.time_start else None)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


def _wrong_pipeline(path: Path) -> str:
    """Return what is wrong with a pipeline that was asked for; "" if it is there."""
    if path.expanduser().is_file() or builtin_text(path) is not None:
        return ""
    known = f"; the built-in pipelines are {', '.join(builtin_names())}" if not path.suffix else ""
    return f"no such pipeline file: {path}{known}"


class _Parser(argparse.ArgumentParser):
    """Parser that reports errors in one line, like the other commands."""

    def error(self, message: str) -> NoReturn:
        self.exit(_WRONG_USE, f"Error: {message} (see '{self.prog} --help')\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="openhcs-gui",
        description="A window to run image pipelines over microscopy plates on a background server.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "plates",
        nargs="*",
        metavar="PLATE",
        help="folder with the images of a plate, or its URL, to be added to the window",
    )
    parser.add_argument(
        "--pipeline",
        type=Path,
        metavar="FILE.py",
        help="pipeline file for the added plates, or a built-in pipeline: "
        + ", ".join(builtin_names())
        + " [default: nuclei_count]",
    )
    parser.add_argument(
        "--host", metavar="H", help="host name of the server [default: from the settings, or this machine]"
    )
    parser.add_argument(
        "--port", type=_port, metavar="P", help="data port of the server [default: from the settings, or 7777]"
    )
    parser.add_argument("--time-start", action="store_true", help="print how long it took to open the window")
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version(DISTRIBUTION)}", help="print the version"
    )
    return parser


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 64535:
        raise argparse.ArgumentTypeError(
            f"{text} is not a port: enter a number from 1 to 64535; the control port is 1000 higher"
        )
    return number


def _print_times(options: Options) -> None:
    usable = _process_seconds()
    print(f"imports {options.import_seconds:.3f} s, usable window {usable:.3f} s after process start", flush=True)


def _process_seconds() -> float:
    """Return the age of this process in seconds."""
    if sys.platform == "linux":  # accurate to 10 ms; psutil rounds to seconds on some machines
        after_name = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - psutil.Process().create_time()

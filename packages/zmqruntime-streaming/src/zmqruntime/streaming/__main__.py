"""``python -m zmqruntime.streaming``: keys for other machines, and programs to try a connection with."""

import argparse
import sys
from collections.abc import Sequence
from typing import TypeAlias

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.streaming.keys import admit, forget, show_keys, trust
from zmqruntime.streaming.trial import camera, watch
from zmqruntime.streaming.wire import ViewerPort

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0, 1 after an error, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except (ZMQRuntimeError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    config, host = ZMQConfig(app_name=options.app), getattr(options, "host", None)
    match options.command:
        case "watch":
            watch(options.port, host=host, latest=options.latest, seconds=options.seconds, config=config)
        case "camera":
            camera(options.port, host=host, side=options.side, fps=options.fps, frames=options.frames, config=config)
        case "show":
            show_keys(config)
        case "admit":
            admit(config, options.name, options.key)
        case "trust":
            trust(config, options.name, options.key)
        case _:
            forget(config, options.name)


def _parser() -> argparse.ArgumentParser:
    text = "Exchange keys between machines, and try a connection."
    parser = argparse.ArgumentParser(prog="python -m zmqruntime.streaming", description=text)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--app", default="zmqruntime", help="app_name of the programs [default: %(default)s]")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_trials(commands, common)
    keys = commands.add_parser("keys", help="which machines may send and receive").add_subparsers(
        required=True, metavar="COMMAND"
    )
    texts = {
        "show": "print the public keys of this machine, and those that were exchanged",
        "admit": "let a sender on another machine send to receivers here",
        "trust": "let senders here send to a receiver on another machine",
        "forget": "undo an admit or a trust",
    }
    for command, text in texts.items():
        each = keys.add_parser(command, help=text, description=text, parents=[common])
        each.set_defaults(command=command)
        if command != "show":
            each.add_argument("name", help="host of the receiver" if command == "trust" else "name of your choice")
        if command in ("admit", "trust"):
            each.add_argument("key", help="public key that the other machine shows, in single quotes")
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_trials(commands: Commands, common: argparse.ArgumentParser) -> None:
    watching = commands.add_parser("watch", help="print once a second what arrives, and from where", parents=[common])
    watching.add_argument("--host", help="address to listen on for other machines, such as 0.0.0.0")
    watching.add_argument("--latest", action="store_true", help="drop arrays for newer ones")
    watching.add_argument("--seconds", type=int, metavar="N", help="end after N seconds [default: at Ctrl-C]")
    filming = commands.add_parser("camera", help="send images as a camera would", parents=[common])
    filming.add_argument("--host", help="host of the receiver")
    filming.add_argument("--side", type=int, default=2048, help="pixels of a side [default: %(default)s]")
    filming.add_argument("--fps", type=float, default=100.0, help="images per second [default: %(default)g]")
    filming.add_argument("--frames", type=int, metavar="N", help="end after N images [default: at Ctrl-C]")
    for name, each in (("watch", watching), ("camera", filming)):
        each.set_defaults(command=name)
        each.add_argument("port", type=int, nargs="?", default=int(ViewerPort.ARRAYS), help="[default: %(default)s]")


if __name__ == "__main__":
    sys.exit(main())

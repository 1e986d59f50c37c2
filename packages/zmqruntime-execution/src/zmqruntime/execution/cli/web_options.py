"""The options of ``web``, for this command line and others that have it."""

import argparse

from zmqruntime.execution.cli.arguments import whole_number
from zmqruntime.execution.cli.output import Output

__all__ = ["SUMMARY", "add_web_options", "show_page"]

SUMMARY = "serve a page with your servers on this machine until Ctrl-C (needs the extra 'web')"


def add_web_options(parser: argparse.ArgumentParser) -> None:
    """Let a command say how the page is served; :func:`show_page` reads it."""
    parser.add_argument(
        "--port", type=whole_number(0, 65535), default=8790, metavar="P", help="0 takes a free one [default: 8790]"
    )
    parser.add_argument(
        "--bind",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to serve it on; another one needs the token that is printed [default: 127.0.0.1]",
    )
    parser.add_argument(
        "--token", action="store_true", help="need the token on 127.0.0.1, too, where other users of this machine are"
    )
    parser.add_argument(
        "--allow-actions", action="store_true", help="let the page cancel, pause and retry; needs the token"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="further name of this machine in addresses of the page; may be repeated [default: its own names]",
    )
    parser.add_argument("--open", action="store_true", help="open it in a browser")


def show_page(options: argparse.Namespace, output: Output) -> int:
    """Serve the page that the options describe."""
    from zmqruntime.execution.cli.commands.web import serve_page, settings_for  # noqa: PLC0415 - needs an extra

    settings = settings_for(
        options.bind,
        options.port,
        token=options.token,
        allow_actions=options.allow_actions,
        hosts=tuple(options.allow_host),
    )
    return serve_page(settings, output, opens=options.open)

"""``web``: the page of ``zmqruntime web``, with plate maps, heat maps and thumbnails."""

from typing import Annotated

from openhcs_runtime.cli.declare import Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, whole_number

__all__ = ["web"]


def web(
    port: Annotated[int, Option(parser=whole_number(0, 65535), metavar="P", help="0 takes a free one")] = 8790,
    bind: Annotated[
        str, Option(metavar="ADDRESS", help="Address to serve it on; another one needs the token that is printed")
    ] = "127.0.0.1",
    token: Annotated[
        bool, Option("--token", help="Need the token on 127.0.0.1, too, where other users of this machine are")
    ] = False,
    allow_actions: Annotated[
        bool, Option("--allow-actions", help="Let the page cancel, pause and retry; needs the token")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        Option(metavar="NAME", help="Further name of this machine in addresses of the page [default: its own]"),
    ] = None,
    opens: Annotated[bool, Option("--open", help="Open it in a browser")] = False,
    as_json: Json = False,
) -> int:
    """Serve a page with your servers and plates on this machine, until Ctrl-C.

    It shows queues, runs, logs, plate maps with failed wells, heat maps and thumbnails, live. It never starts or ends a
    server. It needs two packages: pip install 'openhcs-runtime[web]'.

    \b
      openhcs-runtime web --open
      openhcs-runtime web --bind 0.0.0.0 --allow-actions
    """
    with uninterrupted():
        from zmqruntime.execution.cli.commands.web import serve_page, settings_for
        from zmqruntime.execution.cli.output import Output
    hosts = tuple(allow_host or ())
    settings = settings_for(bind, port, token=token, allow_actions=allow_actions, hosts=hosts)
    return serve_page(settings, Output(as_json), opens=opens)

"""What can be typed about an OMERO server in containers: omero start, omero status, omero stop."""

from pathlib import Path
from typing import Annotated

import typer

from openhcs_runtime.cli import commands
from openhcs_runtime.cli.options import Json, seconds, whole_number

__all__ = ["register"]

Project = Annotated[str, typer.Option(metavar="NAME", help="Docker's name for the set of containers and volumes.")]
ComposeFile = Annotated[
    Path | None, typer.Option(metavar="FILE.yaml", help="Another compose file than the one of this program.")
]
OmeroPort = Annotated[
    int, typer.Option("--port", parser=whole_number(1, 65535), metavar="P", help="Where the server is reached.")
]

_PROJECT = "openhcs-omero"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer()
    group.callback()(_group)
    group.command("start")(start)
    group.command("status")(status)
    group.command("stop")(stop)
    app.add_typer(group, name="omero")


def _group() -> None:
    """Start and end an OMERO server in containers, by hand.

    It is for this machine only, and needs Docker with its compose plugin. No run ever starts or ends it.

    \b
      openhcs-runtime omero start
      openhcs-runtime omero stop
    """


def start(
    port: OmeroPort = 4063,
    secure_port: Annotated[
        int, typer.Option(parser=whole_number(1, 65535), metavar="P", help="Where the server is reached with TLS.")
    ] = 4064,
    web_port: Annotated[
        int, typer.Option(parser=whole_number(1, 65535), metavar="P", help="Where the web client is reached.")
    ] = 4080,
    timeout: Annotated[
        float, typer.Option(parser=seconds(1), metavar="S", help="How many seconds it may take until it answers.")
    ] = 600,
    project: Project = _PROJECT,
    compose_file: ComposeFile = None,
    as_json: Json = False,
) -> int:
    """Start OMERO, its database and its web client, and wait until it answers.

    Only this machine reaches it. The password of its user root is OMERO_ROOT_PASSWORD of the environment, or asked for;
    it is set when the server is started for the very first time.

    \b
      openhcs-runtime omero start
      openhcs-runtime omero start --port 14063 --secure-port 14064 --web-port 14080
    """
    instance = commands.OmeroInstance(project, compose_file, port, secure_port, web_port)
    return commands.omero_start(instance, timeout, as_json=as_json)


def status(
    port: OmeroPort = 4063, project: Project = _PROJECT, compose_file: ComposeFile = None, as_json: Json = False
) -> int:
    """Show which containers run, and whether the server answers.

    \b
      openhcs-runtime omero status
    """
    return commands.omero_status(commands.OmeroInstance(project, compose_file, port), as_json=as_json)


def stop(
    remove_data: Annotated[
        bool, typer.Option("--remove-data", help="Remove its database and all images in it, too.")
    ] = False,
    project: Project = _PROJECT,
    compose_file: ComposeFile = None,
    as_json: Json = False,
) -> int:
    """End and remove the containers.

    The database and the images are kept for the next start, unless --remove-data is given.

    \b
      openhcs-runtime omero stop
      openhcs-runtime omero stop --remove-data
    """
    instance = commands.OmeroInstance(project, compose_file)
    return commands.omero_stop(instance, remove_data=remove_data, as_json=as_json)

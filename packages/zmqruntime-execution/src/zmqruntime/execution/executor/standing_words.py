"""What an executor says about its connection: shut down, forked, another server, other options, no answer."""

import math
from collections.abc import Callable

from zmqruntime.exceptions import WrongServerError
from zmqruntime.execution.executor.client import FunctionClient
from zmqruntime.execution.helpers.patience import PatienceTeller
from zmqruntime.standing import ClientState, Standing

__all__ = ["forked", "not_awaited", "remedy", "shut_down", "tell_patience", "wrong_server"]


def shut_down(name: str) -> str:
    """Return why an executor that was shut down gives no answer."""
    return (
        f"executor {name!r} cannot be asked after shutdown: make another Executor({name!r}), which has all executions"
    )


def forked(name: str) -> str:
    """Return why an executor does not work in a forked child."""
    return f"executor {name!r} belongs to the parent of this forked process: make another Executor({name!r}) here"


def not_awaited(name: str, execution_id: str) -> str:
    """Return why a future has no result, although its execution goes on."""
    return (
        f"executor {name!r} was closed before the result arrived; the execution goes on: "
        f"Executor({name!r}).future({execution_id!r}) gives its result"
    )


def wrong_server(name: str, error: WrongServerError, *, has_port: bool) -> WrongServerError:
    """Return the error of a server that is not the one of this executor, with a remedy for executors."""
    if has_port:
        return error
    if error.environments is None:
        return type(error)(f"executor {name!r} cannot be used: {error}; or use another name for the executor")
    there, here = error.environments
    return type(error)(
        f"the server of executor {name!r} runs in the Python environment {there}, this program in {here}: use another "
        f"name in one of the two, or end that server with 'zmqruntime stop --executor {name}'",
        error.environments,
    )


def remedy(name: str, client: FunctionClient) -> str:
    """Return how a server gets the options that are asked for."""
    if not client.is_local:
        return "it is on another machine: start it there with these options"
    if not client.server.lifetime:
        return "no executor has started it: start it again with these options where it was started"
    return (
        f"it is busy, and the next Executor({name!r}, ...) with these options that finds it idle restarts it; to have "
        f"that now, stop it with 'zmqruntime stop --executor {name}': what is running is called again"
    )


def tell_patience(client: FunctionClient, name: str, write: Callable[[str], None]) -> None:
    """Write one line when the server does not answer while somebody waits, and one when it answers again."""
    teller = PatienceTeller(lambda line: write(f"Executor {name!r}: {line}"), every_seconds=math.inf)

    def note(standing: Standing) -> None:
        if not standing.is_waiting or (standing.state is ClientState.SILENT and client.wants_successor()):
            teller(standing)

    client.add_listener(note)

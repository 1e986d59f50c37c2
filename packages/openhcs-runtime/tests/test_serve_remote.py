"""A server that other machines reach: two homes stand for two machines, and all of it goes over TCP."""

import dataclasses
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openhcs_runtime import ZMQExecutionClient
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.service.server import OpenHCSExecutionServer
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.testing import CommandLine, Finished
from zmqruntime import Security

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a second address that leads to this machine")

FAR = "127.0.0.2"
"""Where nothing is taken for this machine: a client there starts no server, and knows no key of one."""
PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto-remote-server.md"
LAST_LINE = "shows this server."


@dataclass(frozen=True)
class FarServer:
    """A server that listens everywhere, and what it told its user to do."""

    home: CommandLine
    place: tuple[str, ...]
    told: tuple[str, ...]

    def to_type(self, where: str, command: str) -> list[str]:
        """The arguments of a command that is to be typed 'there' or 'here', after ``zmqruntime``."""
        (line,) = [line for line in self.told if line.split()[:1] == [where] and f" {command} " in line]
        return shlex.split(line)[2:]


@pytest.fixture
def far(command: CommandLine, free_port: Callable[[], int]) -> Iterator[FarServer]:
    port = str(free_port())
    server = command.start("serve", "--host", "0.0.0.0", "--port", port)
    assert server.stdout is not None
    told: list[str] = []
    while not (told and told[-1].endswith(LAST_LINE)):
        line = server.stdout.readline()
        assert line, command.finish(server).stderr
        told.append(line.rstrip())
    yield FarServer(command, ("--port", port, "--host", FAR), tuple(told))
    server.send_signal(signal.SIGINT)
    assert command.finish(server).code == 0


@pytest.fixture
def laptop(tmp_path: Path) -> CommandLine:
    """The command line of somebody else, with keys of their own."""
    home = tmp_path / "laptop"
    home.mkdir()
    return CommandLine(home)


def keys(home: CommandLine, *arguments: str) -> Finished:
    """Run the command ``zmqruntime`` in a home."""
    return home.finish(home.start_python("-m", "zmqruntime.execution.cli", *arguments))


def test_keys_are_exchanged_as_it_is_told_and_a_plate_is_run(
    far: FarServer, laptop: CommandLine, plate: Path, tmp_path: Path
) -> None:
    assert any("so far: none" in line for line in far.told)
    unknown = laptop("status", "--json", *far.place)
    assert (unknown.code, unknown.document["error"]["kind"]) == (2, "configuration")
    assert "identity cannot be verified" in unknown.document["error"]["message"]

    trust = [FAR if word == "HOST" else word for word in far.to_type("there", "trust")]
    assert keys(laptop, *trust).code == 0
    run: tuple[str | Path, ...] = ("run", plate, "--output", tmp_path / "out", *far.place)
    refused = laptop(*run)
    assert (refused.code, refused.stdout) == (1, "")
    assert f"{FAR}:{int(far.place[1]) + 1000} does not know this client's key" in refused.stderr

    client_key = keys(laptop, *far.to_type("there", "show"), "--json").document["client"]
    assert f"zmqruntime keys admit --app openhcs -- NAME '{client_key}'" in refused.stderr
    words = {"NAME": "laptop", "KEY": client_key}
    admit = [words.get(word, word) for word in far.to_type("here", "admit")]
    assert keys(far.home, *admit).code == 0

    done = laptop(*run, "--json")
    assert done.code == 0, done.stderr
    assert (tmp_path / "out" / "measurements.csv").is_file()
    execution_id = done.document["execution_id"]
    seen = laptop.together(
        ("status", "--json", *far.place),
        ("history", "--json", *far.place),
        ("logs", execution_id, *far.place),
        ("watch", execution_id, "--json", *far.place),
    )
    assert [finished.code for finished in seen] == [0, 0, 0, 0]
    accepted = [known["execution_id"] for known in seen[1].document["executions"]]
    assert accepted == [execution_id], "nothing of a stranger's"
    assert seen[0].document["server"]["pid"] in [process.pid for process in far.home.processes()]
    assert laptop.processes() == [], "all work is done by the server"

    assert keys(far.home, "keys", "forget", "--app", "openhcs", "laptop").code == 0
    assert laptop("status", "--json", *far.place).document["error"]["kind"] == "refused"


@pytest.mark.skipif(not PAGE.is_file(), reason="the pages are not here")
def test_the_page_can_be_followed(
    far: FarServer, laptop: CommandLine, new_plate: Callable[..., Path], tmp_path: Path
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = laptop.together(*([*shlex.split(line)[1:2], "--help"] for line in _typed(text, "openhcs-runtime")))
    assert [page.code for page in shown] == [0] * len(shown)

    server_key = keys(far.home, "keys", "show", "--app", "openhcs", "--json").document["server"]
    client_key = keys(laptop, "keys", "show", "--app", "openhcs", "--json").document["client"]
    said = {"lab7": FAR, "KEY OF THE SERVER": server_key, "KEY OF THE CLIENT": client_key}
    trust, show, admit, *_ = [shlex.split(line)[1:] for line in _typed(text, "zmqruntime")]
    for home, line in ((laptop, trust), (laptop, show), (far.home, admit)):
        assert keys(home, *(said.get(word, word) for word in line)).code == 0

    (script,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for name, value in (("lab7", FAR), ("7777", far.place[1]), ("/data/plate7", str(new_plate()))):
        script = script.replace(name, value)
    (tmp_path / "segment.py").write_text(builtin_source(), encoding="utf-8")
    ran = laptop.finish(laptop.start_python("-c", script, cwd=tmp_path))
    assert (ran.stdout, ran.stderr) == ("complete complete\n", "")
    assert (tmp_path / "plate_results" / "latest" / "measurements.csv").is_file()


def _typed(page: str, program: str) -> list[str]:
    """The lines of a page that are typed into a terminal."""
    return re.findall(rf"^    ({program} .*)$", page, re.MULTILINE)


def test_the_wrong_server_is_not_talked_to(far: FarServer, laptop: CommandLine) -> None:
    stranger = keys(laptop, "keys", "show", "--app", "openhcs", "--json").document
    assert keys(laptop, "keys", "trust", "--app", "openhcs", "--", FAR, stranger["server"]).code == 0
    assert keys(far.home, "keys", "admit", "--app", "openhcs", "--", "laptop", stranger["client"]).code == 0
    refused = laptop("status", "--json", *far.place)
    assert refused.code == 1
    assert "has another key than the one trusted here" in refused.document["error"]["message"]


def test_no_server_elsewhere_is_started_from_here(
    command: CommandLine, plate: Path, free_port: Callable[[], int]
) -> None:
    place = ("--port", str(free_port()), "--host", FAR)
    run, status, told = command.together(
        ("run", plate, "--json", *place), ("status", "--json", *place), ("status", *place)
    )
    assert (run.code, run.document["error"]["kind"]) == (1, "no_server")
    assert "start one there" in run.document["error"]["message"]
    assert (status.code, status.document["server"]) == (0, None)
    assert f"of {FAR}; 'openhcs-runtime serve --host 0.0.0.0' there starts one." in told.stdout


def test_what_is_told_to_programs(command: CommandLine, laptop: CommandLine, free_port: Callable[[], int]) -> None:
    client_key = keys(laptop, "keys", "show", "--app", "openhcs", "--json").document["client"]
    assert keys(command, "keys", "admit", "--app", "openhcs", "--", "laptop", client_key).code == 0
    server = command.start("serve", "--host", "0.0.0.0", "--port", str(free_port()), "--json")
    assert server.stdout is not None
    lines = [server.stdout.readline()]
    while lines[-1] not in ("}\n", ""):
        lines.append(server.stdout.readline())
    server.send_signal(signal.SIGINT)
    assert command.finish(server).code == 0
    document = Finished(0, "".join(lines), "").document
    assert document["admitted"] == ["laptop"]
    assert document["server_key"] == keys(command, "keys", "show", "--app", "openhcs", "--json").document["server"]


def test_without_keys_it_is_refused_unless_that_is_spelled_out(
    command: CommandLine, free_port: Callable[[], int], isolated_home: Path
) -> None:
    code = (
        "import sys, zmq; zmq.has = lambda what: False\n"
        "from openhcs_runtime.cli import main; sys.argv[0] = 'openhcs-runtime'; sys.exit(main())"
    )
    port = free_port()
    started = command.start_python("-c", code, "serve", "--host", "0.0.0.0", "--port", str(port), "--json")
    refused = command.finish(started)
    assert (refused.code, refused.document["error"]["kind"]) == (2, "configuration")
    assert "does not support CURVE encryption" in refused.document["error"]["message"]

    config = dataclasses.replace(OPENHCS_CONFIG, security=Security.NONE)
    with (
        OpenHCSExecutionServer(port, host="0.0.0.0", config=config) as server,
        ZMQExecutionClient(port, persistent=True, host=FAR, config=config) as client,
    ):
        assert client.server.instance_id == server.instance_id

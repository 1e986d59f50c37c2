"""What a worker is started with, and that the next task finds it as the first one did."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zmqruntime import ConfigurationError, ErrorCode, ExecutionStatus, RequestRefusedError
from zmqruntime.execution import ExecutionClient, TaskEnvironment

MakeClient = Callable[..., ExecutionClient]


def here(**changes: str) -> TaskEnvironment:
    found = TaskEnvironment.current()
    return TaskEnvironment(variables={**found.variables, **changes}, folder=found.folder)


def run(client: ExecutionClient, do: str, environment: TaskEnvironment | None = None, **arguments: Any) -> Any:
    ended = client.wait(client.submit({"do": do, **arguments}, environment=environment), 60)
    assert ended.status is ExecutionStatus.COMPLETE, ended
    return ended.result


def test_current_leaves_out_what_belongs_to_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIGMA", "6")
    for name in ("SHLVL", "_", "TERM", "TERM_PROGRAM", "COLUMNS", "SSH_AUTH_SOCK", "TMUX"):
        monkeypatch.setenv(name, "1")
    monkeypatch.chdir(tmp_path)
    found = TaskEnvironment.current()
    assert found.variables["SIGMA"] == "6"
    assert (
        not {"SHLVL", "_", "TERM", "TERM_PROGRAM", "COLUMNS", "SSH_AUTH_SOCK", "TMUX", "PWD"} & found.variables.keys()
    )
    assert found.folder == str(tmp_path)


def test_what_is_not_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD", os.fsdecode(b"pl\xe4t"))
    with pytest.raises(ConfigurationError, match="ODD"):
        TaskEnvironment.current()


def test_a_task_runs_in_a_process_that_was_started_with_exactly_that(client: ExecutionClient, tmp_path: Path) -> None:
    asked = TaskEnvironment(variables={**here().variables, "SIGMA": "6"}, folder=str(tmp_path))
    started = run(client, "started_with", asked)
    assert started == {"variables": asked.variables, "folder": str(tmp_path)}


def test_a_worker_of_the_same_environment_is_used_again_and_another_is_replaced(client: ExecutionClient) -> None:
    first = run(client, "pid", here(SIGMA="1"))
    assert run(client, "pid", here(SIGMA="1")) == first
    assert run(client, "pid", here(SIGMA="2")) != first


def test_the_servers_own_environment_needs_no_other_worker(client: ExecutionClient) -> None:
    first = run(client, "pid")
    assert run(client, "pid", here()) == first
    assert run(client, "pid") == first


def test_several_environments_run_at_once(make_client: MakeClient) -> None:
    client = make_client("TwoAtOnceServer")
    ids = [client.submit({"do": "variable", "name": "SIGMA"}, environment=here(SIGMA=str(n % 3))) for n in range(12)]
    assert [client.wait(each, 60).result for each in ids] == [str(n % 3) for n in range(12)]


def test_it_is_kept_with_the_submission(client: ExecutionClient) -> None:
    asked = here(SIGMA="6")
    assert client.submission_of(client.submit({"do": "nothing"}, environment=asked)).environment == asked
    assert client.submission_of(client.submit({"do": "nothing"})).environment is None


@pytest.mark.parametrize(
    "environment",
    [
        TaskEnvironment(variables={"A=B": "1"}, folder="/"),
        TaskEnvironment(variables={"A": "zero\0byte"}, folder="/"),
        TaskEnvironment(variables={"A": "1"}, folder="not/absolute"),
        TaskEnvironment(variables={"A": "x" * 2_000_000}, folder="/"),
    ],
)
def test_what_no_process_can_have_is_refused(client: ExecutionClient, environment: TaskEnvironment) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        client.submit({"do": "nothing"}, environment=environment)
    assert refused.value.code is ErrorCode.INVALID


def test_a_folder_that_is_gone_fails_that_execution_in_words(client: ExecutionClient, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    asked = TaskEnvironment(variables=here().variables, folder=str(folder))
    run(client, "pid", asked)  # its worker is warm now, and in that folder
    folder.rmdir()
    ended = client.wait(client.submit({"do": "pid"}, environment=asked), 60)
    assert ended.status is ExecutionStatus.FAILED
    assert str(folder) in (ended.error or "")
    run(client, "pid")


def test_an_environment_in_which_python_cannot_start_fails_that_execution(client: ExecutionClient) -> None:
    ended = client.wait(client.submit({"do": "pid"}, environment=here(PYTHONHOME="/nowhere")), 60)
    assert ended.status is ExecutionStatus.FAILED
    assert "no worker could be started" in (ended.error or "")
    run(client, "pid")


def test_a_server_with_threads_refuses_another_environment(make_client: MakeClient) -> None:
    client = make_client("ThreadServer")
    run(client, "pid", here())
    with pytest.raises(RequestRefusedError, match="threads"):
        client.submit({"do": "pid"}, environment=here(SIGMA="6"))


def test_what_a_task_changes_in_its_process_is_put_back(client: ExecutionClient) -> None:
    before = run(client, "state")
    run(client, "change_state")
    after = run(client, "state")
    assert after == before


def test_what_cannot_be_put_back_costs_the_worker(client: ExecutionClient) -> None:
    before = run(client, "state")
    run(client, "lower_hard_limit")
    after = run(client, "state")
    assert after["limit"] == before["limit"]
    assert after["pid"] != before["pid"]


def test_an_edited_module_is_never_the_old_one(client: ExecutionClient, tmp_path: Path) -> None:
    module = tmp_path / "helper_of_a_user.py"
    module.write_text("VALUE = 1\n")
    assert run(client, "import_from", folder=str(tmp_path), name=module.stem) == 1
    assert run(client, "import_from", folder=str(tmp_path), name=module.stem) == 1
    module.write_text("VALUE = 'two'\n")
    assert run(client, "import_from", folder=str(tmp_path), name=module.stem) == "two"


def test_a_module_that_is_edited_while_its_task_runs_is_loaded_anew(client: ExecutionClient, tmp_path: Path) -> None:
    module = tmp_path / "edited_by_a_user.py"
    module.write_text("VALUE = 1\n")
    edited = run(client, "import_and_edit", folder=str(tmp_path), name=module.stem, text="VALUE = 'two'\n")
    assert edited == 1
    assert run(client, "import_from", folder=str(tmp_path), name=module.stem) == "two"


def test_edited_code_gives_each_execution_one_run(client: ExecutionClient, tmp_path: Path) -> None:
    module = tmp_path / "often_edited.py"
    for value in range(4):
        module.write_text(f"VALUE = {10**value}\n")
        ended = client.wait(client.submit({"do": "import_from", "folder": str(tmp_path), "name": module.stem}), 60)
        assert (ended.result, ended.attempts) == (10**value, 1)


def test_python_of_the_worker_is_ours(client: ExecutionClient) -> None:
    assert run(client, "executable", here(PATH="/nowhere")) == sys.executable

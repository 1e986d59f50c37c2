"""Batches by themselves: in which order things are submitted, and that every plate has one end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from openhcs_gui_services.services.plates.outcome import PlateOutcome, SubmittedPlate
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlatesChanged, StatusMessage
from openhcs_gui_services.services.runs.batches import BatchWorkflowService, CompileJob, RunJob
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_runtime.tasks import CompileReport, PlateTask, TaskAction
from zmqruntime.exceptions import ConnectionFailedError, RequestTimeoutError, ServerLostError
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

STATUSES = {
    "/failed": ExecutionStatus.FAILED,
    "/cancelled": ExecutionStatus.CANCELLED,
    "/interrupted": ExecutionStatus.INTERRUPTED,
}


class Host:
    """Has plates of which each meets another fate; writes down what happens to them."""

    def __init__(self) -> None:
        self.happened: list[tuple[str, str]] = []
        self.ends: dict[str, list[PlateOutcome]] = {}

    async def submit(self, path: str, task: PlateTask) -> SubmittedPlate:
        """All is accepted and ends at once, save for what can't be handed over."""
        self.happened.append((task.action.value, path))
        match path, task.action:
            case "/refused", TaskAction.COMPILE:
                raise ConnectionFailedError("no server")
            case "/lost", TaskAction.RUN:
                raise ServerLostError("away")
            case "/silent", TaskAction.RUN:
                raise RequestTimeoutError("no answer")
        ended: asyncio.Future[ExecutionSnapshot] = asyncio.get_running_loop().create_future()
        status = ExecutionStatus.COMPLETE if task.action is TaskAction.COMPILE else STATUSES.get(path)
        ended.set_result(
            ExecutionSnapshot(
                execution_id=f"{task.action.value}{path}",
                plate_id=path,
                status=status or ExecutionStatus.COMPLETE,
                submitted_at=0.0,
                result=None if task.action is TaskAction.RUN or path == "/odd" else report(path),
            )
        )
        return SubmittedPlate(f"{task.action.value}{path}", ended)

    def is_wanted(self, path: str) -> bool:
        return path != "/stopped"

    def on_queued(self, paths: Sequence[str]) -> None:
        self.happened += [("queued", path) for path in paths]

    async def prepare_runs(self, jobs: Sequence[RunJob]) -> None:
        self.happened += [("prepared", job.path) for job in jobs]

    def on_compile_pending(self, path: str) -> None:
        pass

    def on_compiled(self, path: str, report: CompileReport) -> None:
        self.happened.append(("compiled", path))

    def on_compile_ended(self, ending: PlateOutcome) -> None:
        self.ends.setdefault(ending.path, []).append(ending)

    def on_ended(self, ending: PlateOutcome) -> None:
        self.ends.setdefault(ending.path, []).append(ending)


def report(path: str) -> dict[str, object]:
    """What a compilation gives."""
    return {
        "compile_artifact_id": f"compiled{path}",
        "plate_path": path,
        "output_dir": "/out",
        "signature": "s",
        "wells": ["A01"],
        "steps": ["one"],
        "workers": 1,
    }


def task_of(path: str) -> PlateTask:
    return PlateTask(plate_path=path, source="pipeline_steps = []")


def test_all_are_compiled_before_the_first_runs_and_each_has_one_end() -> None:
    host = Host()
    paths = ["/refused", "/odd", "/stopped", "/lost", "/silent", "/failed", "/cancelled", "/interrupted", "/good"]

    async def work() -> None:
        jobs = [CompileJob(path, task_of(path)) for path in paths]
        ready = RunJob("/ready", task_of("/ready"))
        async with asyncio.timeout(20):
            await BatchWorkflowService(host).run(jobs, [ready])

    asyncio.run(work())
    kinds = [kind for kind, _ in host.happened]
    assert kinds[: len(paths) + 1] == ["queued"] * (len(paths) + 1)
    last_compilation = max(place for place, kind in enumerate(kinds) if kind in ("compile", "compiled"))
    assert kinds.index("prepared") > last_compilation
    assert kinds.index("run") > kinds.index("prepared")
    assert {path: [end.state for end in ends] for path, ends in host.ends.items()} == {
        "/refused": [PlateStatus.FAILED],
        "/odd": [PlateStatus.FAILED],
        "/stopped": [PlateStatus.CANCELLED],
        "/lost": [PlateStatus.INTERRUPTED],
        "/silent": [PlateStatus.INTERRUPTED],
        "/failed": [PlateStatus.FAILED],
        "/cancelled": [PlateStatus.CANCELLED],
        "/interrupted": [PlateStatus.INTERRUPTED],
        "/good": [PlateStatus.COMPLETE],
        "/ready": [PlateStatus.COMPLETE],
    }
    assert host.ends["/refused"][0].error == "no server"


def test_a_run_that_never_came_to_the_server_leaves_the_plate_its_earlier_one(tmp_path: Path) -> None:
    async def work() -> None:
        workspace = PlateWorkspace(7863, memory=tmp_path / "windows", default_pipeline="pipeline_steps = []")
        await workspace.add(["/p"])
        host, record = workspace._server.host, workspace._book.records()[0]
        for state in (PlateStatus.CANCELLED, PlateStatus.FAILED, PlateStatus.INTERRUPTED):
            record.execution_id = "earlier"
            host.on_queued(["/p"])
            await host.prepare_runs([RunJob("/p", task_of("/p"))])
            prepared = workspace.rows()[0].execution_id
            assert prepared != "earlier"
            assert prepared is not None
            assert prepared in (tmp_path / "windows" / "window-1.json").read_text()  # before the server knows it
            host.on_ended(PlateOutcome("/p", state, "why"))
            expected = prepared if state is PlateStatus.INTERRUPTED else "earlier"
            assert workspace.rows()[0].execution_id == expected
        await workspace.close()

    asyncio.run(work())


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "windows"
    taken.write_text("a file")

    async def work() -> None:
        workspace = PlateWorkspace(7863, memory=taken)
        messages: list[StatusMessage] = []
        workspace.subscribe(lambda event: messages.append(event) if isinstance(event, StatusMessage) else None)
        await workspace.reattach()
        assert "last window can't be read" in messages[-1].text
        await workspace.add(["/p"])
        await workspace.close()
        assert "could not be saved" in messages[-1].text
        assert all(message.is_error for message in messages)

    asyncio.run(work())


def test_a_compilation_that_its_server_has_lost_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        workspace = PlateWorkspace(7863, memory=tmp_path)
        await workspace.add(["/p"])
        events: list[object] = []
        workspace.subscribe(events.append)
        host = workspace._server.host
        host.on_compile_pending("/p")
        host.on_compile_ended(PlateOutcome("/p", PlateStatus.INTERRUPTED, "away"))
        assert StatusMessage("p was not checked: away", is_error=True, path="/p") in events
        assert [each.rows[0].snapshot.state for each in events if isinstance(each, PlatesChanged)] == [
            PlateStatus.COMPILE_PENDING,
            PlateStatus.CREATED,
        ]
        await workspace.close()

    asyncio.run(work())

"""Calls of a client about schedules: tasks that the server submits again and again."""

from typing import Any, TypeVar, Unpack

from zmqruntime.execution.client.options import SubmitOptions
from zmqruntime.messages import (
    ExecuteRequest,
    Message,
    Schedule,
    ScheduleRequest,
    SchedulesRequest,
    SchedulesResponse,
    UnscheduleRequest,
)

__all__ = ["AsyncScheduleCalls", "ScheduleCalls"]

ResponseT = TypeVar("ResponseT", bound=Message)


class ScheduleCalls:
    """Schedules of an :class:`ExecutionClient`."""

    def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and return the reply; implemented by the client."""
        raise NotImplementedError

    def request_for(self, task: Any, config: Any = None, **options: Unpack[SubmitOptions]) -> ExecuteRequest:
        """Return a submission; implemented by the client."""
        raise NotImplementedError

    def schedule(
        self,
        name: str,
        task: Any,
        config: Any = None,
        /,
        *,
        every: float | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Schedule:
        """Let the server submit a task again and again, also while no client is connected and after restarts.

        Each due time gives one execution, whose id follows from the name and the time. If due times pass while no
        server is running, one execution makes up for all of them. Calling it again with the same arguments keeps the
        next due time; other arguments replace the schedule.

        Args:
            name: Name of the schedule.
            task: As for :meth:`ExecutionClient.submit`.
            config: As for :meth:`ExecutionClient.submit`.
            every: Seconds from one execution to the next, at least 1; the first one is due after that time.
            cron: The due times as text of five fields, such as ``0 3 * * mon-fri``; needs the extra ``[schedules]``
                where the server runs.
            timezone: Time zone of ``cron``, such as ``Europe/Madrid``; UTC by default.
            options: As for :meth:`ExecutionClient.submit`.

        Returns:
            The schedule with its next due time.

        Raises:
            RequestRefusedError: The server cannot keep this schedule; the error says why.
        """
        request = _schedule_request(name, self.request_for(task, config, **options), every, cron, timezone)
        return self.request(request, SchedulesResponse).schedules[0]

    def schedules(self) -> list[Schedule]:
        """Return all schedules of the server, by name."""
        return self.request(SchedulesRequest(), SchedulesResponse).schedules

    def unschedule(self, name: str) -> Schedule:
        """Remove a schedule and return it; executions that it has submitted are not affected.

        Raises:
            RequestRefusedError: The server has no such schedule.
        """
        return self.request(UnscheduleRequest(name=name), SchedulesResponse).schedules[0]


class AsyncScheduleCalls:
    """Schedules of an :class:`AsyncExecutionClient`; see :class:`ScheduleCalls`."""

    async def request(self, message: Message, expect: type[ResponseT], timeout: float | None = None) -> ResponseT:
        """Send a request and return the reply; implemented by the client."""
        raise NotImplementedError

    def request_for(self, task: Any, config: Any = None, **options: Unpack[SubmitOptions]) -> ExecuteRequest:
        """Return a submission; implemented by the client."""
        raise NotImplementedError

    async def schedule(
        self,
        name: str,
        task: Any,
        config: Any = None,
        /,
        *,
        every: float | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Schedule:
        """Let the server submit a task again and again; see :meth:`ScheduleCalls.schedule`."""
        request = _schedule_request(name, self.request_for(task, config, **options), every, cron, timezone)
        return (await self.request(request, SchedulesResponse)).schedules[0]

    async def schedules(self) -> list[Schedule]:
        """Return all schedules of the server, by name."""
        return (await self.request(SchedulesRequest(), SchedulesResponse)).schedules

    async def unschedule(self, name: str) -> Schedule:
        """Remove a schedule and return it; see :meth:`ScheduleCalls.unschedule`."""
        return (await self.request(UnscheduleRequest(name=name), SchedulesResponse)).schedules[0]


def _schedule_request(
    name: str, request: ExecuteRequest, every: float | None, cron: str | None, timezone: str | None
) -> ScheduleRequest:
    return ScheduleRequest(name=name, request=request, every=every, cron=cron, timezone=timezone)

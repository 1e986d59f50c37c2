"""A list of ended executions, put together from as many replies as it takes."""

from collections.abc import Callable

from zmqruntime.messages import ExecutionSnapshot, HistoryRequest, StatusResponse

__all__ = ["HistoryPages", "collect_history"]

_MOST_AT_ONCE = 1_000


class HistoryPages:
    """Ask for :attr:`request` and :meth:`add` the reply, as long as there is one; then ``found`` is all there is."""

    def __init__(self, limit: int, before: float | None = None, older_than: str | None = None) -> None:
        self.found: list[ExecutionSnapshot] = []
        self._limit = limit
        self._before = before
        self._older_than = older_than
        self._has_more = True

    @property
    def request(self) -> HistoryRequest | None:
        """What to ask for next; None at the end."""
        lacking = self._limit - len(self.found)
        if lacking <= 0 or not self._has_more:
            return None
        older_than = self.found[-1].execution_id if self.found else self._older_than
        return HistoryRequest(limit=min(lacking, _MOST_AT_ONCE), before=self._before, older_than=older_than)

    def add(self, reply: StatusResponse) -> None:
        """Take a page."""
        request = self.request
        self._has_more = (
            bool(reply.executions) and request is not None and (reply.more or len(reply.executions) == request.limit)
        )
        self.found += reply.executions


def collect_history(
    limit: int,
    before: float | None,
    older_than: str | None,
    ask: Callable[[HistoryRequest, type[StatusResponse]], StatusResponse],
) -> list[ExecutionSnapshot]:
    """The pages that ``ask`` fetches, in one list."""
    pages = HistoryPages(limit, before, older_than)
    while (request := pages.request) is not None:
        pages.add(ask(request, StatusResponse))
    return pages.found

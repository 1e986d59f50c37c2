"""A list of ended executions, assembled from as many replies as necessary."""

from collections.abc import Callable

from zmqruntime.messages import ExecutionSnapshot, HistoryRequest, StatusResponse

__all__ = ["HistoryPages", "collect_history"]

_MOST_AT_ONCE = 1_000


class HistoryPages:
    """Assembles the list: send :attr:`request` and :meth:`add` the reply until it is None; the result is ``found``."""

    def __init__(self, limit: int, before: float | None = None, older_than: str | None = None) -> None:
        self.found: list[ExecutionSnapshot] = []
        self._limit = limit
        self._before = before
        self._older_than = older_than
        self._has_more = True

    @property
    def request(self) -> HistoryRequest | None:
        """Next request to send; None at the end."""
        lacking = self._limit - len(self.found)
        if lacking <= 0 or not self._has_more:
            return None
        older_than = self.found[-1].execution_id if self.found else self._older_than
        return HistoryRequest(limit=min(lacking, _MOST_AT_ONCE), before=self._before, older_than=older_than)

    def add(self, reply: StatusResponse) -> None:
        """Append a page."""
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
    """Fetch all pages with ``ask`` and return them as one list."""
    pages = HistoryPages(limit, before, older_than)
    while (request := pages.request) is not None:
        pages.add(ask(request, StatusResponse))
    return pages.found

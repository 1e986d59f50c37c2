"""Posts the end of a batch as JSON to an address on the web."""

import urllib.error
import urllib.request
from email.message import Message
from http import HTTPStatus
from typing import IO, Final
from urllib.parse import urlsplit

from openhcs_gui_services.exceptions import NoticeError
from openhcs_gui_services.services.notice_targets import webhook_problem

__all__ = ["PassingError", "post_json"]

TIMEOUT_SECONDS: Final = 10.0
_WHERE: Final = "Settings > Notices"


class PassingError(NoticeError):
    """A failure that another try may not have, such as a network that is down."""


def post_json(url: str, document: bytes, timeout: float = TIMEOUT_SECONDS) -> None:
    """Post a document; blocks until the server has answered.

    Args:
        url: an address that ``webhook_problem`` has nothing against.
        document: JSON in UTF-8.
        timeout: how long the server may be silent, in seconds.

    Raises:
        PassingError: the server can't be reached, or is overloaded.
        NoticeError: it refuses the document.
    """
    if problem := webhook_problem(url):
        raise NoticeError(f"the webhook has no usable address: {problem[0].lower()}{problem[1:]}")
    host = urlsplit(url).netloc
    request = urllib.request.Request(
        url, document, {"Content-Type": "application/json", "User-Agent": "openhcs-gui"}, method="POST"
    )
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout):
            pass  # the answer says nothing that matters
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(host, error.code) from error
    except (OSError, ValueError) as error:  # URLError is an OSError; an answer that is not HTTP is a ValueError or one
        reason = getattr(error, "reason", None) or error
        raise PassingError(
            f"the webhook at {host} could not be reached ({reason}): check its address in {_WHERE}, and the network"
        ) from error


def _refusal(host: str, code: int) -> NoticeError:
    try:
        answer = f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        answer = str(code)
    said = f"the webhook at {host} answered {answer}"
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT):
        return PassingError(f"{said}: try later, or remove it in {_WHERE}")
    if code < HTTPStatus.BAD_REQUEST:
        return NoticeError(f"{said}, which points to another address: enter that one in {_WHERE}")
    return NoticeError(f"{said}: copy its address into {_WHERE} again, and check that it takes JSON")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Lets a redirect fail: a POST that is redirected would become a GET without the document."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow no redirect."""

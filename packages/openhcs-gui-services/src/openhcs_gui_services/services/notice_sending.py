"""Sends the notice about the end of a batch everywhere the settings say, and says what went wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from openhcs_gui_services.exceptions import NoticeError
from openhcs_gui_services.services.notice_mail import mail_of, send_mail
from openhcs_gui_services.services.notice_targets import MailAccount, MailSecurity
from openhcs_gui_services.services.notice_webhook import PassingError, post_json
from openhcs_gui_services.services.notices import BatchEnd, Notice, PlateEnd, notice_json, notice_of
from openhcs_gui_services.services.settings import WindowSettings

__all__ = ["EXAMPLE_END", "mail_account", "send_notices"]

PAUSES: Final = (2.0, 8.0)
"""Seconds before the second and the third try."""

EXAMPLE_END: Final = BatchEnd(
    (
        PlateEnd("plate_01", "/data/plate_01", "complete", 96, 96),
        PlateEnd("plate_02", "/data/plate_02", "failed", 94, 96, (("B07", "an example"), ("C11", "an example"))),
    ),
    5400.0,
)
"""What a test notice is about."""


def mail_account(settings: WindowSettings) -> MailAccount | None:
    """Return where mail is sent from and to; None if no mail is wanted."""
    if not settings.mail_to:
        return None
    return MailAccount(
        settings.mail_to,
        settings.smtp_host,
        settings.mail_from,
        settings.smtp_port,
        settings.smtp_user,
        MailSecurity(settings.smtp_security),
    )


async def send_notices(
    settings: WindowSettings,
    end: BatchEnd,
    desktop: Callable[[Notice], Awaitable[bool]] | None = None,
    pauses: Sequence[float] = PAUSES,
    *,
    is_test: bool = False,
) -> tuple[str, ...]:
    """Send the notice to the desktop, the webhook and by mail, as far as each is wanted; all at the same time.

    Args:
        settings: what is wanted.
        end: how the batch ended.
        desktop: shows a notice on the desktop, and returns whether the desktop has shown it.
        pauses: seconds before each further try of the webhook and the mail.
        is_test: whether to say so if the desktop shows no notices; after a run the window itself shows the end.

    Returns:
        What went wrong, a line each, with what to do; empty if all was sent.
    """
    works: list[Awaitable[str]] = []
    if settings.notify_desktop and desktop is not None:
        works.append(_shown(desktop(notice_of(end)), is_test))
    if url := settings.webhook_url:
        works.append(_tried(lambda: post_json(url, notice_json(end)), pauses))
    if account := mail_account(settings):
        works.append(_tried(lambda: send_mail(mail_of(end, account), account), pauses))
    return tuple(problem for problem in await asyncio.gather(*works) if problem)


async def _shown(showing: Awaitable[bool], is_test: bool) -> str:
    if await showing or not is_test:
        return ""
    return "this desktop shows no notices: start its notification service, or turn them off in Settings > Notices"


async def _tried(send: Callable[[], None], pauses: Sequence[float]) -> str:
    """Send in a thread, trying again after failures that may pass; return the last failure, "" if it was sent."""
    for pause in (*pauses, None):
        try:
            await asyncio.to_thread(send)
        except PassingError as error:
            if pause is None:
                return f"{error} (tried {len(pauses) + 1} times)"
            await asyncio.sleep(pause)
        except NoticeError as error:
            return str(error)
        else:
            return ""
    raise AssertionError("the last try returns")

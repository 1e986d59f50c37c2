"""Sends the end of a batch by mail."""

import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from openhcs_gui_services.exceptions import NoticeError
from openhcs_gui_services.services.notice_password import PASSWORD_VARIABLE, find_password
from openhcs_gui_services.services.notice_targets import MailAccount, MailSecurity
from openhcs_gui_services.services.notice_webhook import PassingError
from openhcs_gui_services.services.notices import BatchEnd, notice_of

__all__ = ["mail_of", "send_mail"]

TIMEOUT_SECONDS: Final = 20.0
_WHERE: Final = "Settings > Notices"
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_TEMPORARY: Final = range(400, 500)
_MOST_WELLS: Final = 200
"""Failed wells of a plate whose errors are in the mail."""


def mail_of(end: BatchEnd, account: MailAccount, machine: str = "") -> EmailMessage:
    """Return the mail about the end of a batch, with the error of each failed well.

    Args:
        end: how the batch ended.
        account: where it is sent from and to.
        machine: name of the machine [default: that of this one].

    Raises:
        NoticeError: an address is not valid.
    """
    notice = notice_of(end, machine)
    lines = list(notice.lines)
    for plate in end.plates:
        if plate.failed:
            lines += ["", f"Failed wells of {plate.name} ({plate.path}):"]
            lines += [f"  {well}: {error.strip()}" for well, error in plate.failed[:_MOST_WELLS]]
            lines += [f"  and {len(plate.failed) - _MOST_WELLS} more"] * (len(plate.failed) > _MOST_WELLS)
    mail = EmailMessage()
    try:
        mail["Subject"] = notice.title
        mail["From"] = account.sender or account.to.split(",")[0].strip()
        mail["To"] = account.to
    except (ValueError, MessageError, IndexError) as error:
        raise NoticeError(f"the mail has an address that is not valid ({error}): correct it in {_WHERE}") from error
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain="openhcs-gui.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(lines) + "\n")
    return mail


def send_mail(mail: EmailMessage, account: MailAccount, timeout: float = TIMEOUT_SECONDS) -> None:
    """Send a mail; blocks until the server has taken it.

    Args:
        mail: the mail.
        account: the server, and how to log in.
        timeout: how long the server may be silent, in seconds.

    Raises:
        PassingError: the server can't be reached, or asks to try later.
        NoticeError: it refuses the mail or the password, or does not encrypt, or there is no password.
    """
    password = _password_for(account)
    with _errors_of(account), _connected(account, timeout) as server:
        if account.user:
            server.login(account.user, password)
        server.send_message(mail)


@contextlib.contextmanager
def _connected(account: MailAccount, timeout: float) -> Iterator[smtplib.SMTP]:
    host, port = account.address
    server: smtplib.SMTP
    if account.security is MailSecurity.TLS:
        server = smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(host, port, timeout=timeout)
    with server:
        if account.security is MailSecurity.STARTTLS:
            server.starttls(context=ssl.create_default_context())
        yield server


@contextlib.contextmanager
def _errors_of(account: MailAccount) -> Iterator[None]:
    """Turn errors of the connection into those of notices."""
    where = "mail server {}:{}".format(*account.address)
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise NoticeError(f"{where} refuses the password of {account.user}: set it again in {_WHERE}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise NoticeError(f"{where} does not offer what is set ({error}): choose another encryption in {_WHERE}") from (
            error
        )
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        kind = PassingError if error.smtp_code in _TEMPORARY else NoticeError
        raise kind(f"{where} does not take the mail ({error.smtp_code} {said}): check {_WHERE}") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise NoticeError(
            f"{where} refuses {', '.join(error.recipients)}: correct the addresses in {_WHERE}"
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise NoticeError(
            f"{where} has a certificate that is not trusted ({error.verify_message}): enter the server by the name "
            f"in its certificate in {_WHERE}, or install its authority on this machine"
        ) from error
    except ssl.SSLError as error:
        raise NoticeError(
            f"{where} can't be reached safely ({error.reason or error}): choose another encryption or port in {_WHERE}"
        ) from error
    except (OSError, smtplib.SMTPException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise PassingError(f"{where} can't be reached ({reason}): check it in {_WHERE}, and the network") from error


def _password_for(account: MailAccount) -> str:
    if not account.user:
        return ""
    if account.security is MailSecurity.NONE and account.host not in _LOCAL:
        raise NoticeError(
            f"a password is not sent to {account.host} without encryption: choose STARTTLS or TLS in {_WHERE}"
        )
    password = find_password(account.host, account.user)
    if password is None:
        raise NoticeError(
            f"there is no password for {account.user} at {account.host}: set it in {_WHERE}, or set {PASSWORD_VARIABLE}"
        )
    return password

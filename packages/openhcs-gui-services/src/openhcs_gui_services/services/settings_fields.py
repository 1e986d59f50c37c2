"""The fields of the settings of a window, by the names under which they are saved."""

import enum
from typing import Final

__all__ = ["LOCAL_HOSTS", "NO", "YES", "SettingsField"]

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
YES: Final = "yes"
NO: Final = "no"
"""The texts of a field that is switched on or off."""


class SettingsField(enum.StrEnum):
    """The fields of the settings form, in the order in which they are shown."""

    HOST = "host"
    PORT = "port"
    SERVER_KEY = "server_key"
    WORKERS = "workers"
    VIEWER = "viewer"
    PATTERN = "pattern"
    PLATE_FORMAT = "plate_format"
    PAGES = "pages"
    OUTPUT_DIR = "output_dir"
    NOTIFY_DESKTOP = "notify_desktop"
    WEBHOOK_URL = "webhook_url"
    MAIL_TO = "mail_to"
    MAIL_FROM = "mail_from"
    SMTP_HOST = "smtp_host"
    SMTP_PORT = "smtp_port"
    SMTP_SECURITY = "smtp_security"
    SMTP_USER = "smtp_user"

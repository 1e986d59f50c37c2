"""The virtual environment of this checkout, ``.venv``: made when missing or broken, filled anew when needs changed."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import system_libraries
from children import run

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
TOOLS = ("nox>=2025.11.12", "uv>=0.9")
# Where Linux distributions keep the certificates that they trust.
CERTIFICATE_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class SetupError(Exception):
    """The environment could not be made; the message says what to do."""


def ensure() -> None:
    """Make ``.venv`` with nox and uv in it; at once if it is there.

    Raises:
        SetupError: this Python cannot make one, or the tools could not be downloaded.
    """
    stamp = VENV / ".tools"
    inside = Path(sys.prefix).resolve() == VENV.resolve()  # started with the very Python that would be replaced
    wanted = "\n".join((os.path.realpath(sys.executable), str(ROOT), *TOOLS))
    if (inside or _content(stamp) == wanted) and _works(PYTHON):
        return
    if inside:
        raise SetupError(f"{VENV} is incomplete; start this with the system's Python, not with the one in there")
    _ensure_venv_module()
    say(f"Making the virtual environment {VENV}")
    if run([sys.executable, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise SetupError(f"python could not make {VENV}: is the disk full, or the folder read-only?")
    say("Installing nox and uv into it")
    if run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS]) != 0:
        raise SetupError("pip could not install nox and uv (its words are above): is the package index reachable?")
    stamp.write_text(wanted, encoding="utf-8")


def install_packages() -> None:
    """Install the five packages of this checkout into ``.venv``, editable; at once if they are there as declared.

    Raises:
        SetupError: they could not be installed.
    """
    folders = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
    declared = hashlib.sha256((ROOT / "VERSION").read_bytes())
    for folder in folders:
        declared.update((folder / "pyproject.toml").read_bytes())
    stamp = VENV / ".packages"
    if _content(stamp) == declared.hexdigest():
        return
    say(f"Installing {', '.join(folder.name for folder in folders)} and what they need (once)")
    editable = [argument for folder in folders for argument in ("--editable", str(folder))]
    uv = [str(PYTHON), "-m", "uv", "pip", "install", "--python", str(PYTHON), *editable]
    if run(uv, env={**os.environ, **uv_settings()}) != 0:
        raise SetupError("uv could not install the packages (its words are above): is the package index reachable?")
    stamp.write_text(declared.hexdigest(), encoding="utf-8")


def uv_settings() -> dict[str, str]:
    """Environment variables that make uv use the package index and the certificates that pip uses here."""
    listing = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    # Lines like  global.cert='/a/path' ; those of environment variables (":env:") come last, as they win.
    lines = sorted(listing.splitlines(), key=lambda line: line.startswith(":env:"))
    pip = {key.rpartition(".")[2]: ast.literal_eval(value) for key, _, value in (line.partition("=") for line in lines)}
    settings = {"SSL_CERT_FILE": pip.get("cert"), "UV_DEFAULT_INDEX": pip.get("index-url")}
    if not sys.platform.startswith("linux") or any(Path(bundle).is_file() for bundle in CERTIFICATE_BUNDLES):
        settings["UV_SYSTEM_CERTS"] = settings["UV_NATIVE_TLS"] = "true"
    return {name: value for name, value in settings.items() if value and name not in os.environ}


def say(text: str) -> None:
    """Tell the user what happens now."""
    print(f"-> {text}", flush=True)


def _ensure_venv_module() -> None:
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    say(f"This Python lacks the module venv; Debian and Ubuntu have it in {package}")
    if not system_libraries.install([package]):
        raise SetupError("start again when it is installed")


def _works(python: Path) -> bool:
    if not python.is_file():
        return False
    check = [str(python), "-c", "import nox, uv"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None

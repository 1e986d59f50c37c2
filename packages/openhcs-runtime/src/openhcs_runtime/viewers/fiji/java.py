"""Finds ImageJ on this machine, and starts Java with it, which a process can do only once."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from zmqruntime import ConfigurationError

__all__ = ["Installation", "Source", "find_installation", "start_java"]

FIJI_VARIABLE, JAR_VARIABLE = "FIJI_HOME", "IJ_JAR"
_JARS = (
    Path("/usr/share/java/ij.jar"),
    Path("/usr/share/imagej/ij.jar"),
    Path("/Applications/ImageJ.app/Contents/Java/ij.jar"),
    Path("C:/ImageJ/ij.jar"),
)
_REMEDY = (
    "Install ImageJ (Debian and Ubuntu: apt-get install default-jre libij-java), or set the environment variable "
    f"{JAR_VARIABLE} to its file, or {FIJI_VARIABLE} to the folder of a Fiji"
)

_JAVA_OPTIONS = (
    "-Xrs",  # leaves the signals of this process to Python
    "-XX:+UseSerialGC",  # allocates planes directly in the old generation instead of copying them there
    "-XX:PretenureSizeThreshold=1m",
    "-Xmn64m",  # leaves nearly all memory to the old generation
)


class Source(StrEnum):
    """Kind of an ImageJ installation."""

    JAR = "jar"
    """Plain ImageJ, a single file."""
    PYIMAGEJ = "pyimagej"
    """Fiji: its folder, or Maven coordinates such as ``sc.fiji:fiji``, which pyimagej downloads."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An ImageJ that can be started."""

    source: Source
    location: str


def find_installation(
    fiji: str | None = None, jar: str | None = None, environment: Mapping[str, str] = os.environ
) -> Installation:
    """Find ImageJ: from the arguments, or FIJI_HOME or IJ_JAR, or else in the usual places.

    Args:
        fiji: folder of a Fiji, or Maven coordinates. If pyimagej is not installed, the plain ImageJ in that folder is
            used.
        jar: the file ``ij.jar``.
        environment: the environment variables.

    Returns:
        The installation.

    Raises:
        ConfigurationError: nothing was found; the message says what to install.
    """
    if fiji is None and jar is None:
        fiji, jar = environment.get(FIJI_VARIABLE) or None, environment.get(JAR_VARIABLE) or None
    if fiji is not None:
        return _fiji(fiji)
    if jar is not None:
        if not Path(jar).is_file():
            raise ConfigurationError(f"ImageJ was not found at {jar}. {_REMEDY}")
        return Installation(Source.JAR, jar)
    for path in _JARS:
        if path.is_file():
            return Installation(Source.JAR, str(path))
    raise ConfigurationError(f"ImageJ was not found. {_REMEDY}")


def start_java(installation: Installation, heap_bytes: int) -> None:
    """Start Java with ImageJ in this process.

    Args:
        installation: the ImageJ to start.
        heap_bytes: maximum size of Java's heap.

    Raises:
        ConfigurationError: JPype, Java or a display is missing, or Java does not start; the message says what to do.
    """
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        raise ConfigurationError(
            "ImageJ needs a display, and DISPLAY is not set: run it in a desktop session, or with xvfb-run"
        )
    if importlib.util.find_spec("jpype") is None:
        raise ConfigurationError("the Fiji viewer needs jpype: pip install openhcs-runtime[fiji]")
    options = [f"-Xmx{max(256, heap_bytes >> 20)}m", *_JAVA_OPTIONS]
    if installation.source is Source.PYIMAGEJ:
        _start_fiji(installation.location, options)
    else:
        _start_plain(installation.location, options)


def _fiji(location: str) -> Installation:
    folder = Path(location)
    if not folder.is_dir() and (":" not in location or folder.is_absolute()):
        raise ConfigurationError(f"Fiji was not found at {location}. {_REMEDY}")
    if importlib.util.find_spec("imagej") is not None:
        return Installation(Source.PYIMAGEJ, location)
    jars = sorted(folder.glob("jars/ij-1*.jar")) if folder.is_dir() else []
    if not jars:
        raise ConfigurationError(f"Fiji at {location} needs pyimagej: pip install pyimagej. {_REMEDY}")
    return Installation(Source.JAR, str(jars[-1]))


def _start_plain(jar: str, options: list[str]) -> None:
    jpype: Any = importlib.import_module("jpype")
    config: Any = importlib.import_module("jpype.config")
    config.destroy_jvm = False  # Java would wait for its windows, even if they hang
    try:
        jpype.startJVM(*options, classpath=[jar], convertStrings=False)
    except jpype.JVMNotFoundException as error:
        raise ConfigurationError(
            "Java was not found: install it (Debian and Ubuntu: apt-get install default-jre), or set JAVA_HOME"
        ) from error
    except (OSError, RuntimeError, jpype.JException) as error:
        raise ConfigurationError(f"Java did not start: {error}") from error
    try:
        window = jpype.JClass("ij.ImageJ")
    except (TypeError, jpype.JException) as error:
        raise ConfigurationError(
            f"{jar} does not contain an ImageJ that this Java can run: {error}. {_REMEDY}"
        ) from error
    try:
        window(window.EMBEDDED)  # does not end the process when the user quits
    except jpype.JException as error:
        raise ConfigurationError(
            f"ImageJ cannot open a window on display {os.environ.get('DISPLAY', '')}: {error}. It needs a display "
            "(xvfb-run provides one) and a Java with AWT (Debian and Ubuntu: default-jre, not default-jre-headless)"
        ) from error


def _start_fiji(location: str, options: list[str]) -> None:
    scyjava: Any = importlib.import_module("scyjava")
    imagej: Any = importlib.import_module("imagej")
    for option in options:
        scyjava.config.add_option(option)
    scyjava.config.set_java_constraints(fetch="auto")  # the default downloads a Java even if there is one
    if Path(location).is_dir():
        scyjava.config.endpoints.clear()  # everything is in the folder; Maven is not needed
    try:
        gateway = imagej.init(location, mode="interactive")
        gateway.ui().showUI()
    except Exception as error:  # any error, of Python or Java
        raise ConfigurationError(f"Fiji at {location} did not start: {error}") from error

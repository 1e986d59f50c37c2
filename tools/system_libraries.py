"""The system libraries that tests of windows need; run alone, it prints the Debian packages that are missing."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

from children import run

# What Qt loads, offscreen and on X11, by the name the loader knows, and the Debian/Ubuntu package that has it.
LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    # What the browser of Qt loads, in which the test of reports looks at them.
    "libnss3.so": "libnss3",
    "libgbm.so.1": "libgbm1",
    "libxkbfile.so.1": "libxkbfile1",
    "libXcomposite.so.1": "libxcomposite1",
    "libXdamage.so.1": "libxdamage1",
    "libXrandr.so.2": "libxrandr2",
    "libXtst.so.6": "libxtst6",
    "libasound.so.2": "libasound2-dev",  # the library itself has other names in other releases
}
# Programs and files that tests need: a screen, a desktop's session bus, and ImageJ with its Java.
PROGRAMS = {"Xvfb": "xvfb", "dbus-daemon": "dbus-daemon", "java": "default-jre"}
FILES = {Path("/usr/share/java/ij.jar"): "libij-java"}
FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
FONT_PACKAGE = "fonts-dejavu-core"


def missing_packages() -> list[str]:
    """The Debian packages of whatever is not found; empty on systems other than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    packages = [package for name, package in LIBRARIES.items() if not _loads(name)]
    packages += [package for name, package in PROGRAMS.items() if shutil.which(name) is None]
    packages += [package for path, package in FILES.items() if not path.is_file()]
    if not any(True for folder in FONT_FOLDERS for _ in folder.rglob("*.[to]tf")):
        packages.append(FONT_PACKAGE)
    return packages


def install(packages: list[str]) -> bool:
    """Install Debian packages if this is root on Debian or Ubuntu; else say which command would. True if it worked."""
    if not packages:
        return True
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        print(f"   Missing on this system; install what holds the same as Debian's {' '.join(packages)}", flush=True)
        return False
    if os.geteuid() != 0:
        print(f"   Missing; please run:\n     sudo apt-get update && sudo {' '.join(command)}", flush=True)
        return False
    print(f"   Installing {' '.join(packages)}", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if run(["apt-get", "update", "-qq"], env=env) == 0 and run([*command, "-qq"], env=env) == 0:
        return True
    print(f"   That failed; when it is mended, run:\n     {' '.join(command)}", flush=True)
    return False


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(" ".join(missing_packages()))

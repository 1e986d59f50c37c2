"""The services work where there is no Qt."""

import subprocess
import sys


def test_importing_the_services_brings_in_no_qt() -> None:
    code = "import sys, openhcs_gui_services.services; print([name for name in sys.modules if 'Qt' in name])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"

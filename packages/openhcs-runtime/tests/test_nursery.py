"""The process that workers are forked from."""

import multiprocessing
import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="processes are not forked on this platform"
)

SCRIPT = """
import multiprocessing, signal, threading
from openhcs_runtime.engine.executors.nursery import Nursery
from openhcs_runtime.engine.executors.worker import Ready

nursery = Nursery.begin()

def fork():
    ours, theirs = multiprocessing.Pipe()
    worker = nursery.fork(theirs, None)
    theirs.close()
    assert isinstance(ours.recv(), Ready)
    return ours, worker

(first, one), (second, two) = fork(), fork()
assert one.exitcode is None
first.close()
one.join(30)
two.kill()
two.join(30)
print(one.exitcode, two.exitcode == -signal.SIGKILL)
second.close()
"""


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    return done.stdout.split()


def test_it_forks_workers_and_tells_how_they_end_and_there_is_none_beside_threads() -> None:
    beside = "threading.Thread(target=threading.Event().wait, daemon=True).start()\nprint(Nursery.begin())"
    assert run(SCRIPT + beside) == ["0", "True", "None"]


def test_it_ends_with_its_process_and_so_do_its_workers() -> None:
    code = SCRIPT + "kept = fork()\nprint('forked', flush=True)\nsignal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().split()[0] for _ in range(2)] == ["0", "forked"]
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 2
        process.kill()
        assert psutil.wait_procs(family, 30)[1] == []


def test_a_worker_that_can_not_be_forked_is_an_error() -> None:
    code = """
nursery = fork()[1] and nursery
import psutil
for child in psutil.Process().children():
    child.kill()
    child.wait()
try:
    fork()
except OSError as error:
    print(type(error).__name__)
"""
    assert run(SCRIPT + code)[2:] == ["BrokenPipeError"]


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of another process are only seen on Linux")
def test_libraries_of_functions_are_loaded_by_the_process_that_workers_are_forked_from_alone() -> None:
    code = """
import multiprocessing, os, sys
import psutil
from openhcs_runtime.engine.executors.worker import Ready
from openhcs_runtime.service.warm import nursery

ours, theirs = multiprocessing.Pipe()
worker = nursery.fork(theirs, None)
theirs.close()
assert isinstance(ours.recv(), Ready)
for pid in os.getpid(), worker.pid:
    files = {os.path.basename(each.path).partition(".")[0] for each in psutil.Process(pid).memory_maps()}
    print(*sorted(files & {"_nd_image", "_watershed_cy", "_compute"}), sep=",")
"""
    assert run(code) == ["_compute,_nd_image,_watershed_cy"]  # nothing in the process itself

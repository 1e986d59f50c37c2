"""The checks of this repository, one session each: ``nox -l`` lists them, ``python3 tools/start.py tests`` runs all."""

import os
import shutil
import tempfile
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "uv|venv"
nox.options.error_on_external_run = True

ROOT = Path(__file__).parent
WHEELS = ROOT / "dist"
VERSION = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
PACKAGES = (
    "zmqruntime-core",
    "zmqruntime-execution",
    "zmqruntime-streaming",
    "openhcs-runtime",
    "openhcs-gui-services",
)
COVERAGE = {  # percent of lines and branches
    "zmqruntime-core": 95,
    "zmqruntime-execution": 95,
    "zmqruntime-streaming": 90,
    "openhcs-runtime": 90,
    "openhcs-gui-services": 85,
}
TEST_PROCESSES = 3  # many tests wait most of their time, for processes that start or end
HANGING = ["-o", "faulthandler_timeout=600", "-o", "faulthandler_exit_on_timeout=true"]
"""What a test's own time limit cannot end is shown, and its process ended: another takes its place."""
TEST_ENVIRONMENT = {
    "TESTS_FROM_WHEELS": "1",
    "QT_QPA_PLATFORM": "offscreen",
    "QT_API": "pyqt6",
    "PYTEST_QT_API": "pyqt6",
}
COMPILED = {"UV_COMPILE_BYTECODE": "1"}
"""Makes uv compile what it installs: tests start thousands of processes, and the environment may keep each of them from
storing what it has compiled."""
LIGHT_IMPORTS = """
import sys
import zmqruntime, zmqruntime.execution
packages = {name.partition(".")[0] for name in sys.modules}
heavy = sorted(name for name in packages if name == "numpy" or name.startswith("openhcs"))
sys.exit(f"importing zmqruntime and zmqruntime.execution must not bring in {heavy}" if heavy else 0)
"""


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format of all Python files."""
    session.install(*group(ROOT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what the packages depend on; asks PyPI, so it is run by hand and not in CI.

    It fails too when the index that it asks knows nothing of a dependency: what was not looked at is not well.
    """
    editable = [argument for package in PACKAGES for argument in ("--editable", f"packages/{package}")]
    session.install("pip", "pip-audit", *editable)
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        found = session.run("python", "-m", "pip", "freeze", "--exclude-editable", silent=True)
        listed.write_text(str(found), encoding="utf-8")
        options = "--strict", "--no-deps", "--disable-pip", "--progress-spinner=off"
        session.run("pip-audit", *options, "--requirement", str(listed))


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, over the five packages, their tests and the tools."""
    groups = [name for package in PACKAGES for name in group(ROOT / "packages" / package, "tests")]
    editable = [argument for package in PACKAGES for argument in ("--editable", f"packages/{package}")]
    session.install(*group(ROOT, "types"), *groups, *editable)
    session.run("mypy")
    for package in PACKAGES:  # one run each: test files of equal names clash within a run
        session.run("mypy", f"packages/{package}/tests")
    session.run("mypy", "noxfile.py", "tools")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build each package: an sdist, and from that the wheel, to dist/."""
    if "WHEELS_MADE" in os.environ:  # by an earlier run of the same command
        return
    session.install(*group(ROOT, "build"))
    shutil.rmtree(WHEELS, ignore_errors=True)
    for package in PACKAGES:
        session.run("python", "-m", "build", "--no-isolation", f"--outdir={WHEELS}", f"packages/{package}")


@nox.session(requires=["wheels"])
def boundaries(session: nox.Session) -> None:
    """Which package may import which, on the built wheels: import-linter cannot see through editable installs."""
    session.install(*group(ROOT, "boundaries"), *map(wheel, with_siblings("zmqruntime-execution")), "numpy")
    session.install("--no-deps", *map(wheel, PACKAGES))
    session.run("lint-imports", "--no-cache")
    session.run("python", "-I", "-c", LIGHT_IMPORTS)


@nox.session(requires=["wheels"])
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    """One package's tests against its wheel and what it declares, nothing else."""
    session.env.update(COMPILED)
    session.install(*map(wheel, with_siblings(package)), *group(ROOT / "packages" / package, "tests"))
    run_pytest(session, f"packages/{package}/tests", "tools/tests/test_from_wheels.py")


@nox.session(requires=["wheels"])
def tests_all(session: nox.Session) -> None:
    """All tests, with all five packages together from their wheels, and the checks of the repository itself."""
    install_all(session)
    run_pytest(session, *(f"packages/{package}/tests" for package in PACKAGES), "tools/tests")


@nox.session(requires=["wheels"], default=False)
def repository(session: nox.Session) -> None:
    """The checks of the repository itself, with all five packages together from their wheels."""
    install_all(session)
    run_pytest(session, "tools/tests")


@nox.session(requires=["wheels"])
def chaos(session: nox.Session) -> None:
    """A million damaged frames, fifty clients that start one server, twenty of one that is stopped for 30 s,
    five minutes of random kills, cancels, restarts; sixty power cuts, syncs of 3 s, a network that is cut for a minute,
    sixty damaged databases.

    FUZZ_FRAMES, FUZZ_SEED, SPAWN_CLIENTS, SPAWN_ROUNDS, SILENCE_SECONDS, SILENCE_CLIENTS, CHAOS_SECONDS, CHAOS_SEED,
    POWER_CUTS, POWER_SEED, SLOW_SYNC_SECONDS, NETWORK_CUT_SECONDS and DAMAGE_SEEDS set how much and which.
    """
    session.install(*map(wheel, with_siblings("zmqruntime-execution")))
    session.install(*group(ROOT / "packages" / "zmqruntime-execution", "tests"))
    session.env["CHAOS_SECONDS"] = os.environ.get("CHAOS_SECONDS", "300")
    session.env["FUZZ_FRAMES"] = os.environ.get("FUZZ_FRAMES", "1000000")
    session.env["SPAWN_CLIENTS"] = os.environ.get("SPAWN_CLIENTS", "50")
    session.env["SPAWN_ROUNDS"] = os.environ.get("SPAWN_ROUNDS", "20")
    session.env["SILENCE_SECONDS"] = os.environ.get("SILENCE_SECONDS", "30")
    session.env["SILENCE_CLIENTS"] = os.environ.get("SILENCE_CLIENTS", "20")
    session.env["POWER_CUTS"] = os.environ.get("POWER_CUTS", "60")
    session.env["SLOW_SYNC_SECONDS"] = os.environ.get("SLOW_SYNC_SECONDS", "3")
    session.env["NETWORK_CUT_SECONDS"] = os.environ.get("NETWORK_CUT_SECONDS", "60")
    session.env["DAMAGE_SEEDS"] = os.environ.get("DAMAGE_SEEDS", "60")
    core, execution = "packages/zmqruntime-core/tests", "packages/zmqruntime-execution/tests"
    files = (
        f"{core}/test_fuzz.py",
        f"{core}/test_starting.py",
        f"{execution}/test_silence.py",
        f"{execution}/test_chaos.py",
        f"{execution}/test_unreliable_machine.py",
        f"{execution}/test_network_cut.py",
        f"{execution}/test_damage.py",
    )
    run_pytest(session, *files, "--capture=no", processes=0)


@nox.session(requires=["wheels"], python="3.11")
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def oldest(session: nox.Session, package: str) -> None:
    """One package's tests with the oldest dependencies, also of its extras, that it and its siblings declare."""
    siblings, of_tests = with_siblings(package), group(ROOT / "packages" / package, "tests")
    bounded = [line for line in of_tests if Requirement(line).specifier]  # the oldest of the others is too old to run
    session.install("--resolution=lowest-direct", *declared(siblings, extras_of=package), *bounded)
    session.install(*map(wheel, siblings), *of_tests)
    run_pytest(session, f"packages/{package}/tests")


@nox.session
def coverage(session: nox.Session) -> None:
    """Lines and branches that all tests together run, also in the processes that they start; below its bar a package
    fails.
    """
    groups = [name for package in PACKAGES for name in group(ROOT / "packages" / package, "tests")]
    editable = [argument for package in PACKAGES for argument in ("--editable", f"packages/{package}")]
    session.install(*group(ROOT, "coverage"), *group(ROOT, "tools"), *groups, *editable)
    session.run("coverage", "erase")
    paths = [f"packages/{package}/tests" for package in PACKAGES]
    spread = [f"--numprocesses={TEST_PROCESSES}", "--dist=loadfile"]
    # On a disk that is full coverage cannot write what it has measured, and says so in the output that they check.
    measured = "coverage", "run", "-m", "pytest", "--hypothesis-profile=ci", *spread, "-k", "not test_a_disk_that"
    session.run(*measured, *session.posargs, *paths, "tools/tests", env={**TEST_ENVIRONMENT, "TESTS_FROM_WHEELS": None})
    session.run("coverage", "combine", "--quiet")
    for package, percent in COVERAGE.items():
        session.run("coverage", "report", f"--include=packages/{package}/src/*", f"--fail-under={percent}")


@nox.session(requires=["wheels"])
def soak(session: nox.Session) -> None:
    """Plates without end, with a viewer, a window and two clients, and random kills; does anything grow or differ?

    SOAK_SECONDS (1800) and SOAK_SEED set how long and which course; what comes after -- goes to tools/soak/soak.py.
    """
    extra = [f"{wheel('openhcs-runtime')}[napari]"] if "napari" in session.posargs else []
    session.install(*map(wheel, PACKAGES), *extra)
    session.run("python", "tools/soak/soak.py", "--window", *session.posargs)


@nox.session(requires=["wheels"])
def bench(session: nox.Session) -> None:
    """One table: this machine's floor, ours, and peers; -- --quick for a look, -- --store to keep it in docs/."""
    peers = "huey", "ipyparallel", "imagezmq", "cp_measure>=0.3; python_version < '3.14'"
    session.install(*map(wheel, PACKAGES), f"{wheel('openhcs-runtime')}[dask,fast,fiji,napari,tracking]", *peers)
    session.run("python", "tools/bench/table.py", *session.posargs, success_codes=[0, 1])


@nox.session(requires=["wheels"], default=False)
def peers(session: nox.Session) -> None:
    """The same small jobs with other libraries: run, checked, timed; -- huey for one, -- --store to keep them."""
    others = "huey", "taskiq", "taskiq-redis", "distributed", "ipyparallel", "joblib", "executorlib[cache]"
    session.install(*map(wheel, with_siblings("zmqruntime-execution")), *others)
    session.run("python", "tools/bench/peers.py", *session.posargs)


@nox.session(requires=["wheels"], default=False)
def profile(session: nox.Session) -> None:
    """Where the time goes, as tables: by step, function, process, system call and import; -- images for one of them."""
    session.install(*map(wheel, PACKAGES), f"{wheel('openhcs-runtime')}[fast]", "py-spy")
    session.run("python", "tools/budgets/budgets.py", *session.posargs)


@nox.session(requires=["wheels"], default=False)
def cellprofiler(session: nox.Session) -> None:
    """CellProfiler 4 beside ours, in an environment of its own; needs a JDK and a C compiler, takes minutes."""
    folder = Path(session.create_tmp(), "cellprofiler")
    python = str(folder / "bin" / "python")
    needed = ROOT / "tools" / "bench" / "cellprofiler"
    session.install(*map(wheel, with_siblings("openhcs-runtime")), "uv")
    session.run("uv", "venv", "--clear", "--python=3.11", str(folder))
    install = "uv", "pip", "install", f"--python={python}"
    session.run(*install, "numpy==1.23.5", "cython<3", "setuptools<70", "wheel")  # its old packages build with these
    built = "--no-build-isolation-package=python-javabridge", "--no-build-isolation-package=centrosome"
    session.run(
        *install, *built, f"--override={needed / 'overrides.txt'}", f"--requirement={needed / 'requirements.txt'}"
    )
    session.run("python", str(needed / "in_turns.py"), python, *session.posargs, success_codes=[0, 1])


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site, to docs/_build; a warning is an error."""
    editable = [argument for package in PACKAGES for argument in ("--editable", f"packages/{package}")]
    session.install(*group(ROOT, "docs"), *editable)
    session.run("python", "tools/docs/docs_pages.py", "--check")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--quiet", *session.posargs, "docs", "docs/_build")
    session.run("python", "tools/docs/docs_api.py", "docs/_build", env={"QT_QPA_PLATFORM": "offscreen"})


@nox.session(requires=["wheels"])
def demo(session: nox.Session) -> None:
    """The demo against the wheels, in a home of its own so that it cannot meet a server of the user."""
    session.install(*map(wheel, with_siblings("openhcs-runtime")))
    # A short path: a socket's name has about 100 characters, and a checkout may be deep.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = {"HOME": folder, "USERPROFILE": folder, "LOCALAPPDATA": folder}
        env = {**home, "XDG_DATA_HOME": None}
        # On Ctrl-C it still has a server to stop.
        session.run("python", "tools/demo.py", folder, env=env, interrupt_timeout=30, terminate_timeout=30)


def install_all(session: nox.Session) -> None:
    """All five wheels, and what any of the tests need."""
    session.env.update(COMPILED)
    groups = [name for package in PACKAGES for name in group(ROOT / "packages" / package, "tests")]
    session.install(*map(wheel, PACKAGES), *groups, *group(ROOT, "tools"))


def group(folder: Path, name: str) -> tuple[str, ...]:
    """The requirements of a dependency group of the pyproject.toml in ``folder``."""
    return nox.project.dependency_groups(nox.project.load_toml(folder / "pyproject.toml"), name)


def with_siblings(package: str) -> list[str]:
    """The package, and those of the five that it declares as dependencies, directly or not."""
    found: list[str] = []
    waiting = [package]
    while waiting:
        name = waiting.pop()
        if name in PACKAGES and name not in found:
            found.append(name)
            project = nox.project.load_toml(ROOT / "packages" / name / "pyproject.toml")["project"]
            waiting += [Requirement(line).name for line in project["dependencies"]]
    return found


def declared(packages: list[str], extras_of: str) -> list[str]:
    """What these packages need besides each other, and what the extras of one of them do."""
    found: list[str] = []
    for name in packages:
        project = nox.project.load_toml(ROOT / "packages" / name / "pyproject.toml")["project"]
        extras = project.get("optional-dependencies", {}) if name == extras_of else {}
        found += [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    return [line for line in found if Requirement(line).name not in PACKAGES]


def wheel(package: str) -> str:
    """The path of the package's wheel: a path, because an index or a cache could answer a name with another build."""
    return str(WHEELS / f"{package.replace('-', '_')}-{VERSION}-py3-none-any.whl")


def run_pytest(session: nox.Session, *paths: str, processes: int = TEST_PROCESSES) -> None:
    """Run pytest, the files spread over processes; with JUNIT_FOLDER set, leave a report there under the session's
    name."""
    folder = os.environ.get("JUNIT_FOLDER")
    report = [f"--junitxml={Path(folder) / session.name}.xml"] if folder else []
    spread = [f"--numprocesses={processes}", "--dist=loadfile", *HANGING] if processes else []
    options = ["--hypothesis-profile=ci", *spread, *report]
    session.run("pytest", *options, *session.posargs, *paths, env=TEST_ENVIRONMENT)

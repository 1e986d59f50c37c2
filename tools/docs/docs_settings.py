"""The page of settings: their types with defaults, environment variables, files."""

import ast
import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

from docs_texts import attribute_docs, listed_docs

from openhcs_runtime.config import GlobalConfig, ImageFormat, PipelineConfig
from zmqruntime.config import ZMQConfig
from zmqruntime.execution import SubmitOptions

SOURCES = Path(__file__).resolve().parents[2] / "packages"

VARIABLES = {
    "OPENHCS_USE_ZMQ_EXECUTION": "`false`, `0`, `no` or `off`: `run` and `RemoteOrchestrator` need no server",
    "OPENHCS_KEEP_SECONDS": "how long the worker processes of a server stay ready after a run, `600` by default; `0` "
    "ends them with the run; see [workers that stay warm](explain-warm-workers.md)",
    "OPENHCS_KEEP_MEMORY": "how much memory such a process may hold between runs, such as `4 GB`; by default its share "
    "of a quarter of the machine's memory",
    "OPENHCS_MODEL_MEMORY": "how much main memory the loaded models of one process may take together, such as `8 GB`; "
    "by default a quarter of the machine's memory",
    "ZMQRUNTIME_TRACING": "the function, as `module:function`, that configures [traces](howto-tracing.md) in the "
    "processes of a server",
    "ZMQRUNTIME_ON_END_COMMAND": "a command that a server runs [when an execution has ended](howto-queues.md)",
    "ZMQRUNTIME_ON_END_WEBHOOK": "an address to which a server posts [each execution that has ended](howto-queues.md)",
    "FIJI_HOME": "the folder of a Fiji for `--view fiji`; the option `fiji` goes before it",
    "IJ_JAR": "the file `ij.jar` of a plain ImageJ for `--view fiji`; the option `jar` goes before it",
    "OPENHCS_SMTP_PASSWORD": "the password for notices by mail, if the system's keyring has none",
    "OMERO_ROOT_PASSWORD": "the password of the user `root` of `openhcs-runtime omero`; else it is asked for",
    "DISPLAY": "the screen of viewers and of the window on Linux; without it and `WAYLAND_DISPLAY` they do not start",
    "WAYLAND_DISPLAY": "the screen of napari and of the window under Wayland",
    "CUDA_VISIBLE_DEVICES": "the GPUs that a run uses, unless `--gpus` names them; worker processes see only their own",
    "HIP_VISIBLE_DEVICES": "the same for GPUs of AMD",
    "CELLPOSE_LOCAL_MODELS_PATH": "the folder in which `segment_cellpose` looks for weights; else `~/.cellpose/models`",
    "KERAS_HOME": "the folder in which `segment_stardist` looks for `models/StarDist2D`; else `~/.keras`",
    "INSTANSEG_BIOIMAGEIO_PATH": "the folder in which `segment_instanseg` looks for weights; else that of its package",
    "QT_QPA_PLATFORM": "how Qt gets to a screen; `offscreen` needs none",
}

LONG_NUMBER = 99_999
PLAIN = {
    "default_port": "the data port where none is named; if neither it nor `app_name` is set, a server class has "
    "[one of its own](howto-task-server.md#whose-server-is-it)",
    "ipc_socket_dir": "the folder of socket files within `~/.{app_name}`",
    "ipc_socket_prefix": "how the name of a socket file begins",
    "ipc_socket_extension": "how it ends",
    "shared_ack_port": "where a process hears what became of images; see [a viewer of your own](howto-own-viewer.md)",
}

INTRODUCTION = """# Settings, environment variables, files

This page is written by `tools/docs/docs_pages.py` from the types that hold the settings.
"""

FILES = """## Files

`APP` is the name of the application: `zmqruntime` unless a program chose another, `openhcs` for plates.

| where (Linux) | what |
|---|---|
| `~/.APP/ipc/` | socket files, and the locks that let one server start at a time; only this user can open the folder |
| `~/.APP/keys/` | the keys of CURVE; see [the security model](explain-security.md) |
| `~/.local/share/APP/server-PORT/` | the database of executions, logs |

On macOS the last one is below `~/Library/Application Support`, on Windows below `%LOCALAPPDATA%`. On Linux
`XDG_DATA_HOME` moves it.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            section(
                "Servers and clients: `zmqruntime.ZMQConfig`", fields(ZMQConfig, PLAIN | attribute_docs(ZMQConfig))
            ),
            "Both sides must have the same ports, names and security.\n",
            section("A submission: the options of `submit`", submit_options()),
            section("The machine: `openhcs_runtime.GlobalConfig`", fields(GlobalConfig)),
            section("The pipeline: `openhcs_runtime.PipelineConfig`", fields(PipelineConfig)),
            f"`image_format` is one of {', '.join(f'`{each.value}`' for each in ImageFormat)}.\n",
            "A pipeline file may define both, as `global_config` and `pipeline_config`; the command line wins.\n",
            "## Environment variables\n",
            "\n".join(
                ["| variable | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in VARIABLES.items()), ""]
            ),
            FILES,
        ]
    )


def section(title: str, rows: list[str]) -> str:
    """A heading and a table."""
    return "\n".join([f"## {title}\n", "| setting | default | |", "|---|---|---|", *rows, ""])


def fields(owner: type, docs: dict[str, str] | None = None) -> list[str]:
    """Rows for the fields of a dataclass."""
    found = dataclasses.fields(owner)
    docs = listed_docs(owner, [field.name for field in found]) if docs is None else docs
    return [f"| `{field.name}` | `{shown(field.default)}` | {docs.get(field.name, '')} |" for field in found]


def shown(default: object) -> str:
    """A default as it is written in a program."""
    if isinstance(default, str):
        return f'"{default}"'
    return f"{default:_}" if type(default) is int and default > LONG_NUMBER else str(default)


def submit_options() -> list[str]:
    """Rows for what a submission may say."""
    names = list(typing.get_type_hints(SubmitOptions))
    docs = listed_docs(SubmitOptions, names)
    defaults = {"priority": "0", "max_retries": "0", "retry_delay": "1", "resumable": "False", "plate_id": '""'}
    return [f"| `{name}` | `{defaults.get(name, 'None')}` | {docs[name]} |" for name in names]


def variables_read() -> set[str]:
    """The environment variables that the sources of the packages read by name."""
    return {name for path in SOURCES.glob("*/src/**/*.py") if path.name != "testing.py" for name in read_in(path)}


def read_in(path: Path) -> Iterator[str]:
    """Those of one module: ``environ.get(NAME)`` and ``environ[NAME]``, with a literal or a constant of the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = dict(constants_of(tree))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and node.args
        ):
            owner, key = node.func.value, node.args[0]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            owner, key = node.value, node.slice
        else:
            continue
        if ast.unparse(owner) in ("os.environ", "environ", "environment"):
            yield str(key.value) if isinstance(key, ast.Constant) else constants[ast.unparse(key)]


def constants_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names of a module that stand for text."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield ast.unparse(node.target), node.value.value
        elif isinstance(node, ast.Assign):
            names, values = (
                each.elts if isinstance(each, ast.Tuple) else [each] for each in (node.targets[0], node.value)
            )
            for name, value in zip(names, values, strict=False):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield ast.unparse(name), value.value

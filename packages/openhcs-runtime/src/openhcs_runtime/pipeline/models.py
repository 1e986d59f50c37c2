"""Models that are loaded once per process: ``@model`` for the functions that load them.

    @model(size="500 MB")
    def load_net(weights: str) -> Net:
        return Net(weights)

Calling ``load_net("nuclei.pt")`` in a step loads the model the first time; after that it returns the same object, in
later wells and, as worker processes stay ready, in later runs.
"""

import functools
import gc
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, ParamSpec, TypeVar, overload

from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.limits import available_bytes, bytes_of, total_bytes
from openhcs_runtime.pipeline.model_keys import ModelCall, ModelKey, ModelVersion, call_of, is_replaced, name_of
from openhcs_runtime.pipeline.random_state import random_state_kept
from zmqruntime.execution import current_task

__all__ = [
    "Device",
    "ModelCounts",
    "ModelTraits",
    "Models",
    "drop_models",
    "model",
    "model_memory",
    "model_traits",
    "models_here",
    "take_counts",
]

Device = Literal["cpu", "gpu"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

MODEL_MEMORY = "OPENHCS_MODEL_MEMORY"
"""Environment variable: how much memory the models of one process may take together."""

_ATTRIBUTE = "__openhcs_model__"
_MOST_MODELS = 8
_SHARE = 0.25
"""Part of the machine's memory that the models of one process may take."""
_SPARE_SHARE = 0.1
"""Other models are dropped when less than this part of the memory is available."""
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What a loader declares of its model.

    Attributes:
        size_bytes: memory that the model needs on its device; None if it is not declared.
        device: where the model is.
    """

    size_bytes: int | None = None
    device: Device = "cpu"


@dataclass(frozen=True, slots=True)
class ModelCounts:
    """How many models were loaded in a run and how long that took, and how often a loaded one was used."""

    loaded: int = 0
    seconds: float = 0.0
    reused: int = 0

    def __add__(self, other: "ModelCounts") -> "ModelCounts":
        return ModelCounts(self.loaded + other.loaded, self.seconds + other.seconds, self.reused + other.reused)

    def __bool__(self) -> bool:
        return bool(self.loaded or self.reused)

    def __str__(self) -> str:
        return f"models_loaded: {self.loaded}, in {self.seconds:.2f} s; models already loaded were used {self.reused} x"


@overload
def model(loader: Callable[_P, _T], /) -> Callable[_P, _T]: ...
@overload
def model(
    *, size: str | int | None = None, device: Device = "cpu"
) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]: ...
def model(
    loader: Callable[_P, _T] | None = None, /, *, size: str | int | None = None, device: Device = "cpu"
) -> Callable[_P, _T] | Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Make a function that loads a model load it once per process for the same arguments.

    The model is loaded again if the function, a local module, or a file or folder given as an argument has changed. It
    is shared by all wells of a process, so it must not be changed by using it. Loading doesn't advance the global
    random number generators.

    Args:
        loader: the function, defined at the top of a module or pipeline file.
        size: memory that the model needs, such as "500 MB" or a number of bytes [default: what loading it took].
        device: "gpu" if the model is in the memory of a graphics card.

    Raises:
        PipelineError: ``size`` or ``device`` is not valid, or the function is defined inside another one.
    """
    if device not in ("cpu", "gpu"):
        raise PipelineError(f"@model: device {device!r} is neither 'cpu' nor 'gpu'")
    traits = ModelTraits(_size_of(size), device)

    def declare(function: Callable[_P, _T]) -> Callable[_P, _T]:
        if "<" in function.__qualname__:
            raise PipelineError(
                f"@model: {function.__qualname__} is inside a function: define it at the top of its file"
            )

        @functools.wraps(function)
        def load(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            found: _T = models_here().get(function, traits, args, kwargs)
            return found

        setattr(load, _ATTRIBUTE, traits)
        return load

    return declare if loader is None else declare(loader)


def model_traits(function: object) -> ModelTraits | None:
    """Return what a function decorated with ``@model`` declares; None for any other function."""
    traits = getattr(function, _ATTRIBUTE, None)
    return traits if isinstance(traits, ModelTraits) else None


@functools.cache
def models_here() -> "Models":
    """Return the models of this process.

    Raises:
        PipelineError: the environment variable for their memory can't be used.
    """
    given = model_memory()
    return Models() if given is None else Models(most_bytes=given)


def model_memory() -> int | None:
    """Return how much memory the models of a process may take by the environment; None if it does not say.

    Raises:
        PipelineError: the environment variable can't be used.
    """
    given = os.environ.get(MODEL_MEMORY)
    if not given:
        return None
    try:
        memory = bytes_of(given)
    except ValueError as error:
        raise PipelineError(f"environment variable {MODEL_MEMORY}: {error}") from None
    if not memory:
        raise PipelineError(
            f"environment variable {MODEL_MEMORY}: {given!r} leaves no room: set it to 8 GB, or unset it"
        )
    return memory


def take_counts() -> ModelCounts:
    """Return the counts of this process since the last call."""
    return models_here().take_counts() if models_here.cache_info().currsize else ModelCounts()


def drop_models(device: Device | None = None) -> int:
    """Drop the loaded models of this process, or those on one device; return how many there were."""
    return models_here().drop(device)


class _Gate:
    """A lock that only one thread at a time can load a model behind."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


@dataclass(slots=True)
class _Loaded:
    model: Any
    version: ModelVersion
    size_bytes: int
    device: Device


@dataclass(slots=True)
class Models:
    """The loaded models of a process, the last ones used. Thread-safe.

    Attributes:
        available: returns how much memory is available.
        most_bytes: memory that models may take together.
        most: how many models are kept.
    """

    available: Callable[[], int] = available_bytes
    most_bytes: int = field(default_factory=lambda: int(total_bytes() * _SHARE))
    most: int = _MOST_MODELS
    _loaded: OrderedDict[ModelKey, _Loaded] = field(default_factory=OrderedDict)
    _gates: "weakref.WeakValueDictionary[ModelKey, _Gate]" = field(default_factory=weakref.WeakValueDictionary)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: ModelCounts = ModelCounts()
    _looked: float = 0.0

    def get(
        self, loader: Callable[..., Any], traits: ModelTraits, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Return the model for a call of its loader, which is called if the model is not loaded or out of date."""
        call = call_of(loader, args, kwargs)
        with self._lock:
            gate = self._gates.setdefault(call.key, _Gate())
        with gate.lock:
            found = self._current(call.key, loader)
            if found is not None:
                self._relieve(call.key)
                return found.model
            self._make_room(traits.size_bytes or 0, traits.device)
            return self._load(call, loader, traits, lambda: loader(*args, **kwargs))

    def drop(self, device: Device | None = None, *, spare: ModelKey | None = None) -> int:
        """Drop models, all or those on one device; return how many."""
        with self._lock:
            keys = [k for k, known in self._loaded.items() if k != spare and device in (None, known.device)]
            dropped = [self._loaded.pop(key) for key in keys]
        count = len(dropped)
        dropped.clear()
        if count:
            _release_memory()
        return count

    def take_counts(self) -> ModelCounts:
        """Return the counts since the last call."""
        with self._lock:
            counts, self._counts = self._counts, ModelCounts()
        return counts

    def __len__(self) -> int:
        return len(self._loaded)

    def _current(self, key: ModelKey, loader: Callable[..., Any]) -> _Loaded | None:
        with self._lock:
            known = self._loaded.get(key)
        if known is None:
            return None
        is_current = known.version.is_current(loader) and not is_replaced(known.model)
        with self._lock:
            if is_current:
                self._counts += ModelCounts(reused=1)
                if key in self._loaded:
                    self._loaded.move_to_end(key)
                return known
            self._loaded.pop(key, None)
        return None

    def _load(self, call: ModelCall, loader: Callable[..., Any], traits: ModelTraits, load: Callable[[], Any]) -> Any:
        before, begun = _memory_here(), time.monotonic()
        earlier = ModelVersion.of(loader, call)
        with random_state_kept(loader.__qualname__):
            loaded = load()
        seconds, taken = time.monotonic() - begun, max(0, _memory_here() - before)
        size = traits.size_bytes if traits.size_bytes is not None else taken
        current_task().log.info("%s loaded in %.2f s, %.0f MB", name_of(loader), seconds, size / 1e6)
        version = earlier.with_modules(ModelVersion.of(loader, call))
        with self._lock:
            self._counts += ModelCounts(1, seconds)
            self._loaded[call.key] = _Loaded(loaded, version, size, traits.device)
        self._shrink(call.key)
        return loaded

    def _shrink(self, newest: ModelKey) -> None:
        """Drop the models that were used longest ago until number and memory are within the limits."""
        dropped = []
        with self._lock:
            while len(self._loaded) > 1 and (len(self._loaded) > self.most or self._bytes() > self.most_bytes):
                oldest = next(key for key in self._loaded if key != newest)
                dropped.append(self._loaded.pop(oldest))
        if dropped:
            dropped.clear()
            _release_memory()

    def _bytes(self) -> int:
        return sum(known.size_bytes for known in self._loaded.values() if known.device == "cpu")

    def _make_room(self, size: int, device: Device) -> None:
        """Drop all models if the machine has no memory for another one."""
        needed = size if device == "cpu" else 0
        if self._loaded and self.available() < needed + total_bytes() * _SPARE_SHARE:
            self.drop()

    def _relieve(self, used: ModelKey) -> None:
        """Drop the other models if the machine is short of memory; looks only once in a while."""
        now = time.monotonic()
        if len(self._loaded) > 1 and now - self._looked > _LOOK_SECONDS:
            self._looked = now
            if self.available() < total_bytes() * _SPARE_SHARE:
                self.drop(spare=used)


def _release_memory() -> None:
    """Return the memory of dropped models, also that which PyTorch keeps on a card."""
    gc.collect()
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        cuda.empty_cache()


def _memory_here() -> int:
    import psutil  # noqa: PLC0415 - a third of the time that help takes to load

    return int(psutil.Process().memory_info().rss)


def _size_of(size: str | int | None) -> int | None:
    if isinstance(size, str):
        try:
            return bytes_of(size)
        except ValueError as error:
            raise PipelineError(f"@model: size {error}") from None
    if size is not None and (isinstance(size, bool) or size < 0):
        raise PipelineError(f"@model: size {size!r} is not an amount of memory: write it like '500 MB'")
    return size

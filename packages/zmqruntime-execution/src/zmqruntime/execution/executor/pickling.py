"""Objects by value, with the code they need: only where both ends have asked for it."""

import importlib
from typing import Any

from zmqruntime.exceptions import ConfigurationError, UnsendableError

__all__ = ["CloudPickler"]


class CloudPickler:
    """Pickles with cloudpickle (github.com/cloudpipe/cloudpickle), which also takes lambdas and notebook cells.

    Raises:
        ConfigurationError: It is not installed.
    """

    def __init__(self) -> None:
        try:
            self._cloudpickle: Any = importlib.import_module("cloudpickle")
        except ImportError as error:
            raise ConfigurationError(
                "allow_pickle=True needs cloudpickle: pip install 'zmqruntime-execution[pickle]'"
            ) from error

    def dumps(self, value: object) -> bytes:
        """Return the pickled value.

        Raises:
            UnsendableError: It cannot be pickled.
        """
        try:
            data: bytes = self._cloudpickle.dumps(value)
        except Exception as error:
            raise UnsendableError(
                f"a value of type {type(value).__qualname__} cannot be pickled either: {type(error).__name__}: {error}"
            ) from error
        return data

    def loads(self, data: memoryview) -> Any:
        """Return the value; this may run any code."""
        return self._cloudpickle.loads(data)

"""A tokenizer of one's own, named as module:function."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from pmi_spark.errors import ConfigurationError, RunError

HOW_TO_BRING = "install it on every machine, give it to spark-submit with --py-files, or set PYTHONPATH"


@lru_cache(maxsize=8)
def load_function(reference: str) -> Callable[[str], Iterable[str]]:
    """The function that ``module:function`` names; ConfigurationError when there is none.

    >>> load_function("str:split")
    Traceback (most recent call last):
    pmi_spark.errors.ConfigurationError: tokens.tokenizer = str:split: there is no module str; install it on every
        machine, give it to spark-submit with --py-files, or set PYTHONPATH
    """
    module_name, _, name = reference.partition(":")
    where = f"tokens.tokenizer = {reference}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A part of the name itself, or something that the module imports.
        missing = f"{module_name}." if error.name is None else f"{error.name}."
        found = f"there is no module {error.name}" if f"{module_name}.".startswith(missing) else f"{error}"
        raise ConfigurationError(f"{where}: {found}", cure=HOW_TO_BRING) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigurationError(f"{where}: {module_name} has no function {name}", cure="check the name")
    return function  # type: ignore[no-any-return]


@dataclass(frozen=True)
class OwnTokenizer:
    """Calls a function from text to words, a text at a time.

    What is pickled is the function's name: each worker imports it once, so models that its module loads at import, or
    keeps from the first call, are loaded once a worker.

    >>> OwnTokenizer("shlex:split")(pa.array(["to be or 'not to be'", ""])).to_pylist()
    [['to', 'be', 'or', 'not to be'], []]
    """

    reference: str

    def __call__(self, texts: pa.Array) -> pa.Array:
        """A list of words a text, empty words left out; RunError when the function returns something else."""
        function = load_function(self.reference)
        lists = [self._words(function(text)) for text in texts.to_pylist()]
        return pa.array(lists, type=pa.list_(pa.string()))

    def _words(self, returned: Any) -> list[str]:
        if isinstance(returned, Iterable) and not isinstance(returned, str | bytes):
            words = [word for word in returned if word != ""]
            wrong = next((word for word in words if not isinstance(word, str)), None)
            if wrong is None:
                return words
            returned = wrong
        found = f"{self.reference} gave {type(returned).__name__} where words were expected"
        raise RunError(found, cure="let it return a list of str for each text")

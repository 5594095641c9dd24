"""The dictionaries of jieba, as content: what every worker must have the same of, wherever jieba is installed."""

from __future__ import annotations

import hashlib
import io
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pmi_spark.errors import InputError, MissingToolError

FORM = "give one word a line, UTF-8: word frequency part-of-speech, parted by single spaces"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class JiebaDictionaries:
    """A main dictionary, empty for jieba's own, and the user dictionaries that are added to it in turn.

    A value that is pickled with its content: ``SparkContext.addFile`` keeps the first content of a path for as long as
    the session lives, and of two files of one name only one. A broadcast of it has the same ``value``.
    """

    main: bytes = b""
    user: tuple[bytes, ...] = ()

    @property
    def value(self) -> JiebaDictionaries:
        """Itself, where a worker would find it in a broadcast."""
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of all content in order, empty for jieba's own alone: a run's identity holds it, not the paths."""
        if self == JiebaDictionaries():
            return ""
        parts = [hashlib.sha256(content).digest() for content in (self.main, *self.user)]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def main_file(self) -> io.BytesIO:
        """The main dictionary, open. jieba's own is read as a resource: jieba may lie in a zip of ``--py-files``."""
        return io.BytesIO(self.main or own_dictionary())

    def build(self) -> Any:
        """A ``jieba.Tokenizer`` with these dictionaries: about a second and 100 MB for jieba's own.

        A user's word without a frequency is cut once to find one, about 20 microseconds.
        """
        import jieba

        segmenter = jieba.Tokenizer()
        segmenter.get_dict_file = self.main_file
        # initialize() would read and write a cache in the shared temporary folder, which another user may own.
        segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(self.main_file())
        segmenter.initialized = True
        for content in self.user:
            segmenter.load_userdict(io.BytesIO(content))
        return segmenter


def own_dictionary() -> bytes:
    """The content of the dictionary that jieba brings."""
    content = pkgutil.get_data("jieba", "dict.txt")
    if content is None:
        raise MissingToolError("jieba came without its dict.txt", cure="pip install jieba")
    return content


def load_dictionaries(
    read: Callable[[str], bytes], main: str, user: Iterable[str], needs_parts: bool = False
) -> JiebaDictionaries:
    r"""The dictionaries under these paths, checked, on the driver; an empty ``main`` is jieba's own.

    ``read`` maps a path to its bytes. Raises InputError, which names file and line, for text that is not UTF-8 and for
    lines of the main dictionary without a frequency, or with ``needs_parts`` without a part of speech.

    >>> files = {"a.txt": "云计算 5 n\n".encode(), "b.txt": b"ok x\n"}
    >>> load_dictionaries(files.__getitem__, "", ["a.txt"]).user[0].decode()
    '云计算 5 n\n'
    >>> load_dictionaries(files.__getitem__, "b.txt", [])
    Traceback (most recent call last):
    pmi_spark.errors.InputError: dictionary b.txt, line 1: ok x is no entry; give one word a line, UTF-8: word
        frequency part-of-speech, parted by single spaces
    """
    fields = 3 if needs_parts else 2
    return JiebaDictionaries(
        main=_checked(main, read(main), fields) if main else b"",
        user=tuple(_checked(path, read(path), 1) for path in user),
    )


def _checked(path: str, content: bytes, fields: int) -> bytes:
    """The lines that are not blank, since jieba takes a blank line of a main dictionary for a mistake."""
    lines = [line.strip() for line in content.removeprefix(BOM).split(b"\n")]
    for number, line in enumerate(lines, 1):
        try:
            parts = line.decode().split(" ")
        except UnicodeDecodeError as error:
            raise InputError(f"dictionary {path}, line {number}: not UTF-8", cure=FORM) from error
        is_entry = len(parts) >= fields and (fields == 1 or parts[1].isdecimal())
        if line and not (is_entry and (fields < 3 or len(parts) == fields)):
            raise InputError(f"dictionary {path}, line {number}: {line.decode()} is no entry", cure=FORM)
    return b"".join(line + b"\n" for line in lines if line)

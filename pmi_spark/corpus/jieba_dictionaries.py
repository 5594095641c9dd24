"""The dictionaries of jieba, as content: what every worker must have the same of, wherever jieba is installed."""

from __future__ import annotations

import hashlib
import io
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pmi_spark.errors import InputError, MissingToolError

FORM = "give one word a line, UTF-8: word frequency part-of-speech, parted by single spaces"
BOM = b"\xef\xbb\xbf"
# What jieba's words are made of: a text is parted at all other characters before its dictionary is asked.
WORD = re.compile(r"[\u4E00-\u9FD5a-zA-Z0-9+#&._%\-]+")
# Stands for no text: its frequency makes up a total.
REMAINDER = "\0\0"
# A line of a main dictionary; one of a user dictionary may lack frequency, part of speech or both.
ENTRY = re.compile(r"[^ ]+ [0-9]+( .*)?")
ENTRY_WITH_PART = re.compile(r"[^ ]+ [0-9]+ [^ ]+")
USER_ENTRY = re.compile(r".+")


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

    def build_fast(self) -> Any:
        """The same dictionaries in rjieba; its ``cut`` with HMM off gives the same words.

        That way depends on the frequencies and their total alone, so both are taken from jieba itself, 0.3 s more than
        :meth:`build`. jieba's total is more than the sum: it counts a replaced word twice.
        """
        import rjieba

        if self == JiebaDictionaries():
            return rjieba
        segmenter = self.build()
        fast: Any = rjieba.Jieba.empty()  # type: ignore[no-untyped-call]
        known = 0
        for word, frequency in segmenter.FREQ.items():
            if frequency and WORD.fullmatch(word):
                fast.add_word(word, frequency, None)
                known += frequency
        if segmenter.total > known:
            fast.add_word(REMAINDER, segmenter.total - known, None)
        return fast


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
    entry = ENTRY_WITH_PART if needs_parts else ENTRY
    return JiebaDictionaries(
        main=_checked(main, read(main), entry) if main else b"",
        user=tuple(_checked(path, read(path), USER_ENTRY) for path in user),
    )


def _checked(path: str, content: bytes, entry: re.Pattern[str]) -> bytes:
    """The lines that are not blank, since jieba takes a blank line of a main dictionary for a mistake."""
    kept = []
    for number, line in enumerate(content.removeprefix(BOM).split(b"\n"), 1):
        try:
            text = line.decode().strip()
        except UnicodeDecodeError as error:
            raise InputError(f"dictionary {path}, line {number}: not UTF-8", cure=FORM) from error
        if text and not entry.fullmatch(text):
            raise InputError(f"dictionary {path}, line {number}: {text} is no entry", cure=FORM)
        kept += [text] if text else []
    if not kept:
        raise InputError(f"dictionary {path} is empty", cure=FORM)
    return "\n".join([*kept, ""]).encode()

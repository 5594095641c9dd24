"""Chinese -> words, by jieba or by rjieba where that gives the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pmi_spark.corpus.jieba_dictionaries import JiebaDictionaries

# The characters of one call: its words, 60 bytes each as Python has them, then stay in the processor's cache.
PIECE_CHARACTERS = 1 << 14
# What jieba cuts at, whatever its dictionary: a text too long for one call is parted before one of these.
BORDER = re.compile("[\\s\0，。、；：？！]")
# A character no dictionary has: jieba makes it a word of its own, as it does with all that is neither Han nor ASCII.
BETWEEN_TEXTS = "\0"

# A piece of text -> the lengths of its words in characters, and which of them are wanted (None: all).
Cut = Callable[[str], tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]]


JIEBAS_OWN = JiebaDictionaries()


class HasDictionaries(Protocol):
    """JiebaDictionaries, or a broadcast of them."""

    @property
    def value(self) -> JiebaDictionaries: ...


@dataclass(frozen=True)
class JiebaTokenizer:
    """jieba's words that have a letter or digit; those of the parts of speech in ``parts`` alone, if it names any.

    Words stand as jieba cuts them: runs of ASCII letters and digits are one word (iPhone15), 3.14 is two with HMM off
    and one with HMM on, a letter that is neither ASCII nor Han is a word of its own (café gives caf and é). Pickled
    without its segmenter, which each worker builds once.

    >>> JiebaTokenizer("jieba")(pa.array(["我来到北京清华大学。", "iPhone15卖3.14元"])).to_pylist()
    [['我', '来到', '北京', '清华大学'], ['iPhone15', '卖', '3', '14', '元']]
    """

    engine: str
    hmm: bool = False
    parts: tuple[str, ...] = ()
    dictionaries: HasDictionaries = JIEBAS_OWN

    def __call__(self, texts: pa.Array) -> pa.Array:
        """A list of words a text, computed a few texts at a time, so that it stays in the processor's cache."""
        lists = [self._words(group) for group in groups(texts.to_pylist(), PIECE_CHARACTERS)]
        return pa.concat_arrays(lists) if lists else pa.array([], type=pa.list_(pa.string()))

    def _words(self, texts: list[str]) -> pa.Array:
        """A list of words a text.

        jieba parts a text and leaves nothing out. So only the lengths of its words are kept, and the words are read
        from the texts' own bytes, which spares a second copy of each as a Python string and then as an Arrow one.
        """
        joined = BETWEEN_TEXTS.join(texts)
        lengths, wanted = self._cut(joined)
        ends = np.cumsum(lengths)
        starts = ends - lengths
        keep = wanted & _has_alphanumeric(joined, starts, ends)
        first_words = np.searchsorted(starts, np.cumsum([0, *(len(text) + 1 for text in texts)]))
        kept_before = np.concatenate([[0], np.cumsum(keep)])
        offsets = pa.array(kept_before[first_words].astype(np.int32))
        return pa.ListArray.from_arrays(offsets, _substrings(joined, ends).filter(pa.array(keep)))

    def _cut(self, text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The lengths of a text's words, in characters, and whether each is of a part of speech that is wanted."""
        cut = _cutter(self.engine, self.hmm, self.parts, self.dictionaries.value)
        found = [cut(piece) for piece in pieces(text, PIECE_CHARACTERS)]
        lengths = np.concatenate([np.zeros(0, np.int64), *(part for part, _ in found)])
        chosen = [np.ones(len(part), dtype=bool) if flags is None else flags for part, flags in found]
        return lengths, np.concatenate([np.zeros(0, bool), *chosen])


def groups(texts: list[str], size: int) -> Iterator[list[str]]:
    """Texts in turn, in groups that end as soon as they have so many characters.

    >>> list(groups(["ab", "c", "defg", "h"], 3))
    [['ab', 'c'], ['defg'], ['h']]
    """
    group, characters = [], 0
    for text in texts:
        group.append(text)
        characters += len(text)
        if characters >= size:
            yield group
            group, characters = [], 0
    if group:
        yield group


def pieces(text: str, size: int) -> Iterator[str]:
    """A text in pieces of ``size`` characters and what follows until the next border that no word crosses.

    >>> list(pieces("一二三，四五。六", 2))
    ['一二三', '，四五', '。六']
    """
    start = 0
    while start < len(text):
        border = BORDER.search(text, start + size)
        end = border.start() if border else len(text)
        yield text[start:end]
        start = end


@lru_cache(maxsize=4)
def _cutter(engine: str, hmm: bool, parts: tuple[str, ...], dictionaries: JiebaDictionaries) -> Cut:
    """The segmenter as a function of a piece, built once a worker process."""
    if engine == "rjieba":
        fast = dictionaries.build_fast()
        return lambda piece: (_lengths(fast.cut(piece, hmm)), None)
    if not parts:
        segmenter = _segmenter(dictionaries)
        return lambda piece: (_lengths(segmenter.lcut(piece, HMM=hmm)), None)
    tagger = _tagger(dictionaries)

    def cut(piece: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        pairs = tagger.lcut(piece, HMM=hmm)
        tags = (found.flag.startswith(parts) for found in pairs)
        return _lengths([found.word for found in pairs]), np.fromiter(tags, bool, len(pairs))

    return cut


@lru_cache(maxsize=4)
def _segmenter(dictionaries: JiebaDictionaries) -> Any:
    return dictionaries.build()


@lru_cache(maxsize=4)
def _tagger(dictionaries: JiebaDictionaries) -> Any:
    """jieba's part-of-speech tagger, over a segmenter of its own: it takes the user's tags away from it.

    The import of the tagger reads the dictionary for jieba's shared instance, as a file beside it. In a zip there is no
    such file; hence the instance is told where to read for as long as the import takes.
    """
    import jieba

    jieba.dt.get_dict_file = JIEBAS_OWN.main_file
    try:
        from jieba import posseg
    finally:
        del jieba.dt.get_dict_file
    return posseg.POSTokenizer(dictionaries.build())


def _lengths(words: list[str]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(len, words), np.int64, len(words))


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


@lru_cache(maxsize=1)
def _is_alphanumeric() -> npt.NDArray[np.bool_]:
    """str.isalnum of every character, a byte each: 1 MB and 0.1 s, once a worker."""
    return np.fromiter((chr(code).isalnum() for code in range(0x110000)), bool, 0x110000)


def _has_alphanumeric(text: str, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the words between these characters have a letter or digit: nearly always the first character tells."""
    found = _is_alphanumeric()[_code_points(text)[starts]]
    for word in np.flatnonzero(~found & (ends - starts > 1)):
        found[word] = any(map(str.isalnum, text[starts[word] : ends[word]]))
    return found


def _substrings(text: str, ends: npt.NDArray[np.int64]) -> pa.Array:
    """The parts of a text that end at these characters, over its own UTF-8 bytes."""
    content = text.encode()
    # A byte that does not begin with the bits 10 begins a character.
    bytes_ = np.frombuffer(content, np.int8)
    character_starts = np.append(np.flatnonzero(bytes_ >= -64), len(content))
    offsets = np.concatenate([[0], character_starts[ends]]).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(content))

"""Text -> words. A tokenizer maps an Arrow string array to an Arrow array of word lists."""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pmi_spark.errors import MissingToolError

Tokenizer = Callable[[pa.Array], pa.Array]

WORD_CHARACTERS = r"\p{L}\p{M}\p{N}"
# What parts two words: any run of other characters but one apostrophe between two word characters.
SEPARATOR = rf"[^{WORD_CHARACTERS}]{{2,}}|[^{WORD_CHARACTERS}']|^'|'$"


def split_words(texts: pa.Array) -> pa.Array:
    """Lower-cased runs of Unicode letters, marks and digits, with inner apostrophes; a list of words a text.

    Runs in Arrow's C++ at about 5 M words/s a core: one regular expression turns separators into single spaces
    (splitting by the expression itself is three times slower).

    >>> split_words(pa.array(["Don\u2019t stop: 'Rock' 2 it!", "--"])).to_pylist()
    [["don't", 'stop', 'rock', '2', 'it'], []]
    """
    lowered = pc.utf8_lower(pc.replace_substring(texts, "\u2019", "'"))
    spaced = pc.utf8_trim(pc.replace_substring_regex(lowered, SEPARATOR, " "), " ")
    return _without_empty(pc.split_pattern(spaced, " "))


def _without_empty(lists: pa.Array) -> pa.Array:
    """Splitting an empty text gives one empty word; such lists become empty."""
    words = lists.flatten()
    if not pc.any(pc.equal(words, ""), min_count=0).as_py():
        return lists
    is_empty = pc.and_(pc.equal(pc.list_value_length(lists), 1), pc.equal(pc.list_element(lists, 0), ""))
    return pc.if_else(is_empty, pa.scalar([], type=lists.type), lists)


def split_words_plain(text: str) -> list[str]:
    """The plain twin of :func:`split_words`, a character at a time; what the tests compare it with.

    >>> split_words_plain("Rock'n'roll, isn't it''s")
    ["rock'n'roll", "isn't", 'it', 's']
    """
    text = text.replace("\u2019", "'")
    words, current = [], ""
    for place, character in enumerate(text):
        inner = character == "'" and current and _is_word_character(text[place + 1 : place + 2])
        if _is_word_character(character) or inner:
            # Arrow maps one character to one: U+0130 to a plain i, where str.lower adds a combining dot.
            current += character.lower()[0]
        elif current:
            words.append(current)
            current = ""
    return [*words, current] if current else words


def _is_word_character(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LMN"


def resolve_jieba_engine(engine: str, hmm: bool) -> str:
    """``jieba`` or ``rjieba``: which engine ``tokens.jieba_engine`` stands for on this machine.

    rjieba gives jieba's own tokens with HMM off (2.8 M tokens of Chinese Wikipedia compared, all equal) at ten times
    the speed; with HMM on it does not, so then jieba runs. Raises MissingToolError when rjieba is asked for and absent.
    """
    installed = importlib.util.find_spec("rjieba") is not None
    if engine == "rjieba" and not installed:
        raise MissingToolError(
            "tokens.jieba_engine is rjieba, which is not installed", cure="pip install 'pmi_spark[fast]'"
        )
    if engine == "rjieba" or (engine == "auto" and installed and not hmm):
        return "rjieba"
    return "jieba"


@lru_cache(maxsize=4)
def _jieba_cutter(engine: str, hmm: bool) -> Callable[[str], Any]:
    """The segmenter, built once a worker process: jieba's dictionary takes about a second and 100 MB."""
    if engine == "rjieba":
        import rjieba

        return lambda text: rjieba.cut(text, hmm)
    import jieba

    segmenter = jieba.Tokenizer()
    # initialize() would read and write a cache in the shared temporary folder, which another user may own.
    segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
    segmenter.initialized = True
    return lambda text: segmenter.cut(text, HMM=hmm)


def jieba_tokenizer(engine: str, hmm: bool) -> Tokenizer:
    """A tokenizer for Chinese: jieba's words, lower-cased, those without a letter or digit left out.

    >>> tokenize = jieba_tokenizer("jieba", hmm=False)
    >>> tokenize(pa.array(["我来到北京清华大学。"])).to_pylist()
    [['我', '来到', '北京', '清华大学']]
    """

    def tokenize(texts: pa.Array) -> pa.Array:
        cut = _jieba_cutter(engine, hmm)
        lists = [[word.lower() for word in cut(text) if any(map(str.isalnum, word))] for text in texts.to_pylist()]
        return pa.array(lists, type=pa.list_(pa.string()))

    return tokenize

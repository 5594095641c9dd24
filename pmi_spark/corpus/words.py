"""Text -> words by the characters alone: runs, single characters, or what white space parts."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

WORD_CHARACTERS = r"\p{L}\p{M}\p{N}"
# What parts two words: any run of other characters but one apostrophe between two word characters. A space alone does
# so already; leaving it out of the expression leaves most of the matches out, and makes the whole twice as fast.
SEPARATOR = rf"[^{WORD_CHARACTERS}]{{2,}}|[^{WORD_CHARACTERS}' ]|^'|'$"
# Scripts written without spaces between words, and the letters that Unicode counts to no script but are kana's.
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}〆ーｰﾞﾟ"
UNSPACED_RUN = rf"([{UNSPACED}][{UNSPACED}\p{{M}}]*)"
UNSPACED_CHARACTER = rf"([{UNSPACED}]\p{{M}}*)"


def split_words(texts: pa.Array) -> pa.Array:
    """Runs of Unicode letters, marks and digits, with inner apostrophes; a list of words a text.

    A run of a script written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) cannot be cut here and
    stays one word, but ends where another script or a digit of Europe's begins, so that English and numbers inside it
    are words. Runs in Arrow's C++: one regular expression turns separators into single spaces (splitting by the
    expression itself is three times slower).

    >>> split_words(pa.array(["Don\u2019t stop: 'Rock' 2 it!", "--", "我用Python3写程序"])).to_pylist()
    [["Don't", 'stop', 'Rock', '2', 'it'], [], ['我用', 'Python3', '写程序']]
    """
    return _split(texts, UNSPACED_RUN)


def split_characters(texts: pa.Array) -> pa.Array:
    """As :func:`split_words`, but each character of a script written without spaces is a word, with its marks.

    That is what Chinese character vectors are made from: Latin words and numbers, which mean nothing letter by letter,
    stay whole.

    >>> split_characters(pa.array(["我用Python3写程序", "3.14 is π"])).to_pylist()
    [['我', '用', 'Python3', '写', '程', '序'], ['3', '14', 'is', 'π']]
    """
    return _split(texts, UNSPACED_CHARACTER)


def split_whitespace(texts: pa.Array) -> pa.Array:
    """Text already cut: what Unicode white space parts, as it stands.

    >>> split_whitespace(pa.array(["New_York  isn't , 北京 。", " "])).to_pylist()
    [['New_York', "isn't", ',', '北京', '。'], []]
    """
    return _without_empty(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts)))


def _split(texts: pa.Array, unspaced: str) -> pa.Array:
    straight = _part_unspaced(pc.replace_substring(texts, "\u2019", "'"), unspaced)
    spaced = pc.utf8_trim(pc.replace_substring_regex(straight, SEPARATOR, " "), " ")
    return _without_empty(pc.split_pattern(spaced, " "))


def _part_unspaced(texts: pa.Array, pattern: str) -> pa.Array:
    """Spaces around each match, in those texts that have one: looking costs English a twentieth, replacing a half."""
    has_unspaced = pc.match_substring_regex(texts, f"[{UNSPACED}]")
    if not pc.any(has_unspaced, min_count=0).as_py():
        return texts
    parted = pc.replace_substring_regex(texts.filter(has_unspaced), pattern, r" \1 ")
    return pc.replace_with_mask(texts, has_unspaced, parted)


def _without_empty(lists: pa.Array) -> pa.Array:
    """Splitting an empty text gives one empty word; such lists become empty."""
    words = lists.flatten()
    if not pc.any(pc.equal(words, ""), min_count=0).as_py():
        return lists
    is_empty = pc.and_(pc.equal(pc.list_value_length(lists), 1), pc.equal(pc.list_element(lists, 0), ""))
    return pc.if_else(is_empty, pa.scalar([], type=lists.type), lists)


def split_words_plain(text: str, by_character: bool = False) -> list[str]:
    """The plain twin of :func:`split_words` and :func:`split_characters`; what the tests compare them with.

    >>> split_words_plain("Rock'n'roll, isn't it''s"), split_words_plain("Rock摇滚", by_character=True)
    (["Rock'n'roll", "isn't", 'it', 's'], ['Rock', '摇', '滚'])
    """
    text = text.replace("\u2019", "'")
    words, current, is_unspaced_run = [], "", False
    for place, character in enumerate(text):
        following = text[place + 1 : place + 2]
        inner = character == "'" and _is_spaced(following) and current and not is_unspaced_run
        joins = inner or (_is_mark(character) and is_unspaced_run)
        starts_unspaced = _is_unspaced(character) and not joins
        if current and not joins and (starts_unspaced != is_unspaced_run or (starts_unspaced and by_character)):
            words.append(current)
            current = ""
        if joins or _is_word_character(character):
            is_unspaced_run = is_unspaced_run if joins else starts_unspaced
            current += character
        elif current:
            words.append(current)
            current = ""
        is_unspaced_run = is_unspaced_run and bool(current)
    return [*words, current] if current else words


UNSPACED_NAMES = (
    *(
        "CJK UNIFIED",
        "CJK COMPATIBILITY IDEOGRAPH",
        "IDEOGRAPHIC ITERATION",
        "IDEOGRAPHIC NUMBER",
        "IDEOGRAPHIC CLOSING",
    ),
    *("HIRAGANA LETTER", "KATAKANA", "HALFWIDTH KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR"),
)


def _is_word_character(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LMN"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _is_unspaced(character: str) -> bool:
    return _is_word_character(character) and unicodedata.name(character, "").startswith(UNSPACED_NAMES)


def _is_spaced(character: str) -> bool:
    return _is_word_character(character) and not _is_unspaced(character)

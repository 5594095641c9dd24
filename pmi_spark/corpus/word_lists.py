"""Files of words, one a line: what a person lists to be kept, dropped or numbered."""

from __future__ import annotations

from pmi_spark.errors import InputError


def parse_words(text: str, path: str) -> list[str]:
    r"""The words of a list, each once, in the file's order; what follows a tab, blank lines and a BOM are passed over.

    Raises InputError when there are none.

    >>> parse_words("the\nof\t12\n\nthe\n", "stop.txt")
    ['the', 'of']
    """
    words = list(dict.fromkeys(word for word in _lines(text) if word))
    if not words:
        raise InputError(f"no words in {path}", cure="write one word a line")
    return words


def parse_numbered(text: str, path: str) -> list[str]:
    r"""A vocabulary's words, ``word`` or ``word TAB count`` a line: the word on line k has id k - 1.

    Raises InputError at a blank line or a word that came before, for either would leave ids in doubt.

    >>> parse_numbered("the\t90\nof\t40\n", "words.tsv")
    ['the', 'of']
    >>> parse_numbered("the\nof\nthe\n", "words.tsv")
    Traceback (most recent call last):
    pmi_spark.errors.InputError: words.tsv, line 3: the stands on line 1 already; give each word one line
    """
    words = _lines(text)
    while words and not words[-1]:
        words.pop()
    first: dict[str, int] = {}
    for number, word in enumerate(words, start=1):
        if not word:
            raise InputError(f"{path}, line {number}: no word", cure="a line's number is its word's id: fill the line")
        if word in first:
            raise InputError(
                f"{path}, line {number}: {word} stands on line {first[word]} already", cure="give each word one line"
            )
        first[word] = number
    if not words:
        raise InputError(f"no words in {path}", cure="write one word a line, in the order of their ids")
    return words


def _lines(text: str) -> list[str]:
    # Not splitlines, which also cuts at characters that are no line ends in a file, such as U+0085.
    lines = text.removeprefix("\ufeff").split("\n")
    return [line.partition("\t")[0].strip() for line in lines]

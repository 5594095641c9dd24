"""Files of human judgements -> rows: pairs of words with a score, and analogies in sections."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pmi_spark.errors import InputError

# The first of these that stands in a file's first row parts its columns; white space does where none is there.
_DELIMITERS = ("\t", ",", ";")


class Judgement(NamedTuple):
    """Two words and what somebody said of them."""

    first: str
    second: str
    score: float


class Analogy(NamedTuple):
    """``first`` is to ``second`` as ``third`` is to ``fourth``, asked under a section."""

    section: str
    first: str
    second: str
    third: str
    fourth: str


def read_judgements(path: str) -> list[Judgement]:
    """Word pairs with a score, a line each: columns parted by tabs, commas (quotes as in CSV), semicolons or spaces.

    The first row tells the form for all: the score is its first number after two words, and what stands in other
    columns (a part of speech, each judge's own score) is passed over. So are empty lines, lines that begin with # and
    one heading. Reads WordSim-353, MEN-3000, SimLex-999, SimVerb-3500, RG-65 and PKU-500 as they are published.

    Raises InputError with the number of the first line that is none of these.
    """
    judgements: list[Judgement] = []
    delimiter: str | None = None
    column, headings = 0, 0
    for number, line in _rows(path):
        if not judgements:
            delimiter = next((mark for mark in _DELIMITERS if mark in line), None)
        fields = _split(line, delimiter)
        if not judgements:
            column = next((place for place, field in enumerate(fields) if place > 1 and _is_number(field)), 0)
            if not column and not headings and len(fields) > 2:
                headings = 1
                continue
        if not column or len(fields) <= column or not _is_number(fields[column]) or not all(fields[:2]):
            raise InputError(
                f"{path} line {number} is {line!r}",
                cure="write word1, word2 and a score a line, parted by tabs, commas, semicolons or spaces",
            )
        judgements.append(Judgement(fields[0], fields[1], float(fields[column])))
    return judgements


def _split(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    if delimiter == ",":
        # A field past csv's limit is no word.
        with suppress(csv.Error):
            return [field.strip() for field in next(csv.reader([line], skipinitialspace=True))]
    return [field.strip() for field in line.split(delimiter)]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def read_analogies(path: str) -> list[Analogy]:
    """``: section`` lines, and four words a line under them; a file without sections is one without a name.

    Words are parted by white space or commas; empty lines and lines that begin with # are passed over. Raises
    InputError with the number of the first line that is none of these.
    """
    section, analogies = "", []
    for number, line in _rows(path):
        if line.startswith(":"):
            section = line[1:].strip()
            continue
        words = line.split()
        if len(words) != 4:
            words = [field.strip() for field in line.split(",")]
        if len(words) != 4 or not all(words):
            raise InputError(f"{path} line {number} is {line!r}", cure="write four words a line, or : section")
        analogies.append(Analogy(section, *words))
    return analogies


def _rows(path: str) -> Iterator[tuple[int, str]]:
    """(number, text) of each line that says something."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", cure="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}", cure="save it as UTF-8") from error
    # Not splitlines, which also ends a line at what may stand inside a word's column, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line

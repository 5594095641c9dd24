"""How well vectors agree with people: word-similarity judgements and analogies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from pmi_spark.errors import InputError
from pmi_spark.vectors.store import WordVectors

# A million words' scores for so many questions take 1 GB.
QUESTIONS_AT_ONCE = 256


class SimilarityScore(NamedTuple):
    """Spearman's rho over the judged pairs whose words are both known, and how many those are."""

    spearman: float
    pairs_known: int
    pairs_all: int


class AnalogyScore(NamedTuple):
    """The share of known questions answered right, and how many are known; all four words must be."""

    accuracy: float
    questions_known: int
    questions_all: int


class Analogy(NamedTuple):
    """``first`` is to ``second`` as ``third`` is to ``fourth``, asked under a section."""

    section: str
    first: str
    second: str
    third: str
    fourth: str


def read_judgements(path: str) -> list[tuple[str, str, float]]:
    """``word1 TAB word2 TAB score`` lines. Raises InputError with the line that is not one."""
    judgements = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            first, second, score = line.split("\t")
            judgements.append((first, second, float(score)))
        except ValueError as error:
            raise InputError(f"{path} line {number} is {line!r}", cure="write word1 TAB word2 TAB score") from error
    return judgements


def read_analogies(path: str) -> list[Analogy]:
    """``: section`` lines, and four words a line under them. Raises InputError with the line that is not one."""
    section, analogies = "", []
    for number, line in enumerate(_lines(path), start=1):
        if line.startswith(":"):
            section = line[1:].strip()
        elif line.strip():
            words = line.split()
            if len(words) != 4:
                raise InputError(f"{path} line {number} is {line!r}", cure="write four words a line, or : section")
            analogies.append(Analogy(section, *words))
    return analogies


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", cure="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}", cure="save it as UTF-8") from error


def score_similarity(vectors: WordVectors, judgements: Iterable[tuple[str, str, float]]) -> SimilarityScore:
    """Spearman correlation of cosine with the judged score; pairs with an unknown word are counted and left out."""
    rows = list(judgements)
    known = [
        (vectors.ids[first.lower()], vectors.ids[second.lower()], score)
        for first, second, score in rows
        if first.lower() in vectors.ids and second.lower() in vectors.ids
    ]
    if len(known) < 2:
        return SimilarityScore(float("nan"), len(known), len(rows))
    first_ids, second_ids, scores = (np.array(column) for column in zip(*known, strict=True))
    cosines = np.sum(vectors.unit_matrix[first_ids] * vectors.unit_matrix[second_ids], axis=1)
    return SimilarityScore(float(stats.spearmanr(cosines, scores).statistic), len(known), len(rows))


def score_analogies(vectors: WordVectors, analogies: Sequence[Analogy]) -> AnalogyScore:
    """3CosAdd over the whole vocabulary, the three words given left out (Mikolov et al. 2013): n d flops a question.

    argmax_w cos(w, b - a + c) over unit vectors
    """
    ids = vectors.ids
    asked = [[word.lower() for word in analogy[1:]] for analogy in analogies]
    known = np.array([[ids[word] for word in words] for words in asked if all(word in ids for word in words)])
    unit, right = vectors.unit_matrix, 0
    for start in range(0, len(known), QUESTIONS_AT_ONCE):
        first, second, third, fourth = known[start : start + QUESTIONS_AT_ONCE].T
        scores = (unit[second] - unit[first] + unit[third]) @ unit.T
        for given in (first, second, third):
            scores[np.arange(len(given)), given] = -np.inf
        right += int(np.sum(scores.argmax(axis=1) == fourth))
    return AnalogyScore(right / len(known) if len(known) else float("nan"), len(known), len(analogies))

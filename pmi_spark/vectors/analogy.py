"""Analogies: ``a`` is to ``b`` as ``c`` is to which word? Kernels over unit vectors, pure numpy.

Mikolov, Yih and Zweig 2013 add (3CosAdd); Levy and Goldberg 2014 multiply (3CosMul), so that no one of the three large
cosines decides alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pmi_spark.vectors.ranking import Longs, largest

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.integer]

# A million words' scores for so many questions take 256 MB; multiplying holds four such blocks.
QUESTIONS_AT_ONCE = 64
# Keeps the quotient finite. Levy and Goldberg take 0.001; this is gensim's, whose answers these are to be.
EPSILON = 1e-6


class Method(StrEnum):
    """How three cosines become one score."""

    add = "add"
    mul = "mul"


class RankedAnalogies(NamedTuple):
    """Ids of the best words of each question (questions x top, best first), and their scores.

    Where a vocabulary has fewer words than were asked for, ids are -1 and scores -inf.
    """

    ids: Longs
    scores: Floats


def combine_cosines(to_a: Floats, to_b: Floats, to_c: Floats, method: Method | str) -> Floats:
    """Scores from the cosines of words with a, b and c; arrays of any one shape.

        add   cos(w, b) - cos(w, a) + cos(w, c)
        mul   cos'(w, b) cos'(w, c) / (cos'(w, a) + 1e-6)        cos' = (cos + 1) / 2, which is never negative

    >>> combine_cosines(np.float32([0.0]), np.float32([0.5]), np.float32([1.0]), "add")
    array([1.5], dtype=float32)
    """
    if Method(method) is Method.add:
        return np.asarray(to_b - to_a + to_c, dtype=np.float32)
    a, b, c = ((cosines + 1) / 2 for cosines in (to_a, to_b, to_c))
    return np.asarray(b * c / (a + EPSILON), dtype=np.float32)


def rank_analogies(
    unit_matrix: Floats, a: Ids, b: Ids, c: Ids, method: Method | str = Method.add, top: int = 1
) -> RankedAnalogies:
    """The best words for many questions at once; the three words of a question are no answers to it.

    ``unit_matrix`` (words x d) has rows of length 1; ``a``, ``b`` and ``c`` are word ids, one a question. Costs
    2 n d flops a question by addition and three times that by multiplication, in blocks of QUESTIONS_AT_ONCE. Of equal
    scores the lower id is first.

    >>> angles = np.radians([0, 20, 50, 72, 180])
    >>> unit = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    >>> rank_analogies(unit, np.array([0]), np.array([1]), np.array([2])).ids
    array([[3]])
    """
    top = min(top, len(unit_matrix))
    ids = np.full((len(a), top), -1, np.int64)
    best = np.full((len(a), top), -np.inf, np.float32)
    for first, scores in _blocks(unit_matrix, (a, b, c), Method(method)):
        for row, row_scores in enumerate(scores, start=first):
            found = largest(row_scores, top)
            ids[row, : len(found)] = found
            best[row, : len(found)] = row_scores[found]
    return RankedAnalogies(ids, best)


def _blocks(unit: Floats, questions: tuple[Ids, Ids, Ids], method: Method) -> Iterator[tuple[int, Floats]]:
    """(the first question, scores of the block: questions x words, -inf for words that were given)."""
    for first in range(0, len(questions[0]), QUESTIONS_AT_ONCE):
        a, b, c = (np.asarray(ids)[first : first + QUESTIONS_AT_ONCE] for ids in questions)
        if method is Method.add:
            # Addition goes through the product: one instead of three.
            scores = np.asarray((unit[b] - unit[a] + unit[c]) @ unit.T, dtype=np.float32)
        else:
            scores = combine_cosines(unit[a] @ unit.T, unit[b] @ unit.T, unit[c] @ unit.T, method)
        for given in (a, b, c):
            scores[np.arange(len(given)), given] = -np.inf
        yield first, scores

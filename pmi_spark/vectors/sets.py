"""PMI of sets of words. Under independence within the sets it adds up over pairs, so a set is one summed vector.

    PMI(A, B) = sum over a in A, b in B of PMI(a, b) = |A| |B| shift + (sum v_a)' D (sum v_b)

A word that stands twice counts twice. Where the same word stands in both sets, the pair of it with itself counts as the
vectors estimate it: such cells are never counted, but the fit fills them like any other that was not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pmi_spark.vectors.ranking import Longs, largest
from pmi_spark.vectors.store import Floats, WordVectors

Doubles = npt.NDArray[np.float64]


class SetScore(NamedTuple):
    """``sum_pmi`` (nats) over ``pairs`` pairs, one for each word of one set with each of the other, and their mean."""

    sum_pmi: float
    pairs: int

    @property
    def mean_pmi(self) -> float:
        return self.sum_pmi / self.pairs if self.pairs else float("nan")


class PairScore(NamedTuple):
    """A pair behind a sum: estimated PMI (nats), and how many times it stands in the sum."""

    first: str
    second: str
    pmi: float
    times: int


class Keyword(NamedTuple):
    """A word with its summed and mean PMI (nats) to the words of a text, and how often it stands there."""

    word: str
    sum_pmi: float
    mean_pmi: float
    times: int
    word_count: int


def sum_vectors(vectors: WordVectors, ids: Longs) -> Doubles:
    """The sum of some words' vectors (d), in double precision."""
    return np.asarray(vectors.matrix[ids].sum(axis=0, dtype=np.float64))


def score_sets(vectors: WordVectors, first: Longs, second: Longs) -> SetScore:
    """PMI of two sets, by the product of their summed vectors: d^2 flops whatever the number of pairs."""
    pairs = len(first) * len(second)
    product = sum_vectors(vectors, first) @ vectors.pmi_metric @ sum_vectors(vectors, second)
    return SetScore(float(pairs * vectors.shift + product), pairs)


def pair_scores(vectors: WordVectors, first: Longs, second: Longs) -> list[PairScore]:
    """The pairs behind :func:`score_sets`, each pair of different spelling once, those that add most first."""
    (rows, row_times), (columns, column_times) = (np.unique(ids, return_counts=True) for ids in (first, second))
    metric = vectors.pmi_metric
    table = vectors.shift + vectors.matrix[rows].astype(np.float64) @ metric @ vectors.matrix[columns].T
    times = np.outer(row_times, column_times)
    words = [vectors.word_array.take(ids) for ids in (rows, columns)]
    order = np.argsort(-(table * times), axis=None, kind="stable")
    places = zip(*(place.tolist() for place in np.unravel_index(order, table.shape)), strict=True)
    return [PairScore(words[0][i], words[1][j], float(table[i, j]), int(times[i, j])) for i, j in places]


def scores_with_set(vectors: WordVectors, ids: Longs) -> Floats:
    """Estimated PMI (nats) of every word with a set, summed over it: one product of n x d, whatever asks for it after.

    The score of a text for a query is the sum of this over the text's words.
    """
    return vectors.estimates(sum_vectors(vectors, ids), len(ids))


def keywords(
    vectors: WordVectors, ids: Longs, top: int, minimum_count: int = 0, anywhere: bool = False
) -> list[Keyword]:
    """The words of a text, or ``anywhere`` in the vocabulary, with the highest PMI to the text's words, summed.

    A word is not scored with its own occurrences: else it would be its own best reason. One product of n x d.
    """
    distinct, times = np.unique(ids, return_counts=True)
    own_times = np.zeros(len(vectors.words), np.int64)
    own_times[distinct] = times
    scores = scores_with_set(vectors, ids).astype(np.float64)
    scores[distinct] -= times * vectors.estimated_pmi(distinct, distinct)
    others = len(ids) - own_times
    allowed = (np.asarray(vectors.word_counts) >= minimum_count) & (others > 0)
    ranked = largest(np.where(allowed & (anywhere | (own_times > 0)), scores, -np.inf), top)
    return list(_keywords(vectors, ranked, scores, own_times, others))


def _keywords(
    vectors: WordVectors, ranked: Longs, scores: Doubles, own_times: Longs, others: Longs
) -> Iterator[Keyword]:
    for place, word in zip(ranked.tolist(), vectors.word_array.take(ranked), strict=True):
        score, count = float(scores[place]), int(vectors.word_counts[place])
        yield Keyword(word, score, score / int(others[place]), int(own_times[place]), count)

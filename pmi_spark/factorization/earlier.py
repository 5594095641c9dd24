"""Vectors of an earlier run as the start of this one, and as the axes it keeps. Pure numpy.

In the gauge E |L|^(1/2) both sides of the table are known: U = E |L|^(1/2) and V = U S with S the signs, so that
U V' is the estimate less the shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.row_blocks import Doubles, Floats, Ids, Longs


class Gauged(NamedTuple):
    """Vectors (words x d) and the gauge they are written in: R E |L|^exponent, turned by ``rotation`` if there is one.

    ``eigenvalues`` are L, ``lengths`` says how the rows were stretched (R, diagonal), ``shift`` (nats) is added to
    every estimate. ``fitted_shift`` (nats) was taken off every PMI before the fit, ``regularization`` is its lambda.
    """

    words: Sequence[str]
    word_counts: Longs
    matrix: Floats
    eigenvalues: Doubles
    exponent: float
    shift: float
    lengths: LengthScale
    rotation: Doubles | None
    fitted_shift: float
    regularization: float = 0.0


class Match(NamedTuple):
    """Where this run's words stand in the earlier vectors: ``here[k]`` (this run's id) is ``there[k]`` (a row)."""

    here: Ids
    there: Ids

    def new_words(self, word_count: int) -> Ids:
        """The ids of this run that the earlier vectors do not hold."""
        return np.setdiff1d(np.arange(word_count, dtype=np.int32), self.here)


def match_words(words: Sequence[str], earlier: Sequence[str]) -> Match:
    """Words of both runs, by name.

    >>> match_words(["a", "b", "c"], ["c", "a"])
    Match(here=array([0, 2], dtype=int32), there=array([1, 0], dtype=int32))
    """
    places = {word: place for place, word in enumerate(earlier)}
    pairs = [(word_id, places[word]) for word_id, word in enumerate(words) if word in places]
    here, there = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return Match(here, there)


def start_from(earlier: Gauged, match: Match, word_count: int) -> tuple[Floats, Floats]:
    """Both sides' factors (words x d) as the earlier run left them; words it did not know start at zero."""
    rows = earlier.matrix / earlier.lengths.of(earlier.word_counts)
    canonical = rows if earlier.rotation is None else rows @ earlier.rotation.T
    left = np.zeros((word_count, earlier.matrix.shape[1]), dtype=np.float32)
    left[match.here] = canonical[match.there] * _powers(earlier.eigenvalues, 0.5 - earlier.exponent)
    return left, (left * np.sign(earlier.eigenvalues)).astype(np.float32)


def fill_in(left: Floats, words: Sequence[str], word_counts: Longs, earlier: Gauged, match: Match) -> Gauged:
    """The earlier vectors to the last bit for their words, and for the others ``left``, factors E |L|^(1/2)."""
    # The two texts may differ in length: what counts is how frequent a word is, not how often it came.
    as_earlier = word_counts * (earlier.word_counts.sum() / word_counts.sum())
    matrix = earlier.lengths.of(as_earlier) * left * _powers(earlier.eigenvalues, earlier.exponent - 0.5)
    if earlier.rotation is not None:
        matrix = matrix @ earlier.rotation
    matrix = np.asarray(matrix, dtype=np.float32)
    matrix[match.here] = earlier.matrix[match.there]
    return earlier._replace(words=words, word_counts=word_counts, matrix=matrix)


def align(vectors: Gauged, earlier: Gauged, match: Match) -> Gauged:
    """``vectors``, canonical, turned as near to the earlier ones as an orthogonal R (d x d) takes them.

    Canonical axes of like eigenvalues turn into each other when the counts change a little. What the vectors say does
    not change under R: cosines stay, and PMI goes by the metric R' D R. Procrustes over the words of both: R = W Z'
    from the singular value decomposition X'Y = W D Z' (Schoenemann 1966).
    """
    cross = vectors.matrix[match.here].astype(np.float64).T @ earlier.matrix[match.there].astype(np.float64)
    outer, _, inner = np.linalg.svd(cross)
    rotation = np.asarray(outer @ inner)
    return vectors._replace(matrix=(vectors.matrix @ rotation).astype(np.float32), rotation=rotation)


def _powers(eigenvalues: Doubles, exponent: float) -> Floats:
    """|L|^exponent, 1 where L is 0: such an axis holds nothing."""
    magnitudes = np.abs(eigenvalues)
    return np.asarray(np.where(magnitudes > 0, magnitudes, 1.0) ** exponent, dtype=np.float32)

"""Questions to word vectors: which words are similar, which are related, what was meant by a misspelt one."""

from __future__ import annotations

import difflib
from typing import NamedTuple

import numpy as np

from pmi_spark.errors import InputError
from pmi_spark.vectors.store import Floats, WordVectors, observed_pairs


class Neighbour(NamedTuple):
    """A word of the answer with its score (cosine, or PMI in nats) and how often it occurs."""

    word: str
    score: float
    word_count: int


def word_id(vectors: WordVectors, word: str) -> int:
    """The id of a word; InputError with the nearest spellings when the vocabulary does not hold it."""
    lowered = word.lower().replace("\u2019", "'")
    found = vectors.ids.get(word, vectors.ids.get(lowered))
    if found is None:
        near = nearest_spellings(vectors, lowered)
        cure = f"nearest spellings: {', '.join(near)}" if near else "no word is spelt like it"
        raise InputError(f"unknown word {word}", cure)
    return found


def nearest_spellings(vectors: WordVectors, word: str, count: int = 5) -> list[str]:
    """Words spelt most like ``word``, by difflib's ratio; among the 100,000 most frequent (about a second)."""
    candidates = [other for other in vectors.words[:100_000] if abs(len(other) - len(word)) <= 2]
    return difflib.get_close_matches(word, candidates, n=count, cutoff=0.6)


def similar_words(vectors: WordVectors, word: str, top: int, minimum_count: int = 0) -> list[Neighbour]:
    """The ``top`` words of largest cosine with ``word``. One product of n x d."""
    own = word_id(vectors, word)
    cosines = vectors.unit_matrix @ vectors.unit_matrix[own]
    return _best(vectors, cosines, own, top, minimum_count)


def related_words(vectors: WordVectors, word: str, top: int, minimum_count: int = 0) -> list[Neighbour]:
    """The ``top`` words of largest estimated PMI with ``word``, met or not. One product of n x d."""
    own = word_id(vectors, word)
    estimated = vectors.shift + vectors.matrix @ (vectors.pmi_metric @ vectors.matrix[own]).astype(np.float32)
    return _best(vectors, estimated, own, top, minimum_count)


def related_observed(
    output: str, vectors: WordVectors, word: str, top: int, minimum_count: int = 0, minimum_pairs: float = 0.0
) -> list[Neighbour]:
    """The ``top`` partners of largest observed PMI among those that ``word`` met ``minimum_pairs`` times (weighted)."""
    own = word_id(vectors, word)
    partners, pair_counts, values = observed_pairs(output, own, vectors.vocabulary_fingerprint)
    scores = np.full(len(vectors.words), -np.inf, dtype=np.float32)
    often = pair_counts >= minimum_pairs
    scores[partners[often]] = values[often]
    return _best(vectors, scores, own, top, minimum_count)


def _best(vectors: WordVectors, scores: Floats, own: int, top: int, minimum_count: int) -> list[Neighbour]:
    """The best-scored words but the asked one; ties go to the more frequent."""
    scores = scores.copy()
    scores[own] = -np.inf
    scores[vectors.word_counts < minimum_count] = -np.inf
    best = np.argsort(-scores, kind="stable")[:top]
    return [
        Neighbour(vectors.words[place], float(scores[place]), int(vectors.word_counts[place]))
        for place in best.tolist()
        if np.isfinite(scores[place])
    ]

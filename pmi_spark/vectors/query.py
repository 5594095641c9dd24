"""Questions about single words: which are similar, which are related, which want each other, what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pmi_spark.errors import ConfigurationError, InputError
from pmi_spark.vectors.analogy import Method, combine_cosines
from pmi_spark.vectors.contexts import context_factor, profile_cosines, profile_lengths
from pmi_spark.vectors.partners import mutual_partners
from pmi_spark.vectors.ranking import Longs, largest
from pmi_spark.vectors.spelling import fold_word
from pmi_spark.vectors.spelling import nearest_spellings as spellings_of
from pmi_spark.vectors.store import Floats, WordVectors, observed_pairs


class Neighbour(NamedTuple):
    """A word of the answer with its score (cosine, or PMI in nats) and how often it occurs."""

    word: str
    score: float
    word_count: int


class Relation(NamedTuple):
    """A partner by both PMIs (nats); observed is None, and the pairs 0, where the table does not have the two."""

    word: str
    estimated: float
    observed: float | None
    pair_count: float
    word_count: int


class MutualPartner(NamedTuple):
    """A partner that ranks the asked word among its own: estimated PMI (nats), and both ranks, from 1."""

    word: str
    score: float
    rank: int
    rank_back: int
    word_count: int


class AnalogyAnswer(NamedTuple):
    """A word that may be to the third what the second is to the first, by both scores."""

    word: str
    added: float
    multiplied: float
    word_count: int


def word_id(vectors: WordVectors, word: str) -> int:
    """The id of a word as written, or else as the run would have written it (see ``tokens``).

    InputError with near spellings when the vocabulary holds neither.
    """
    folded = fold_word(word, vectors.tokens)
    found = vectors.find([word, folded, folded.replace("\u2019", "'")])
    if found.max() < 0:
        near = nearest_spellings(vectors, folded)
        raise InputError(f"unknown word '{word}'", f"near: {', '.join(near)}" if near else "no word is spelt like it")
    return int(found[found >= 0][0])


def nearest_spellings(vectors: WordVectors, word: str, count: int = 5) -> list[str]:
    """Words of the vocabulary spelt most like ``word``: see :mod:`pmi_spark.vectors.spelling`."""
    return spellings_of(vectors.word_array, vectors.word_counts, word, count)


def similar_words(vectors: WordVectors, word: str, top: int, minimum_count: int = 0) -> list[Neighbour]:
    """The ``top`` words of largest cosine with ``word``. One product of n x d."""
    own = word_id(vectors, word)
    return _best(vectors, vectors.cosines(own), [own], top, minimum_count)


def nearest_words(vectors: WordVectors, direction: Floats, top: int) -> list[Neighbour]:
    """The ``top`` words of largest cosine with any vector (d); 0 all of them for one of length 0."""
    length = np.linalg.norm(direction) or 1.0
    return _best(vectors, np.asarray(vectors.matrix @ (direction / length) / vectors.lengths), [], top, 0)


class ContextSimilarity:
    """Similarity through the ``contexts`` most frequent words (see :mod:`pmi_spark.vectors.contexts`).

    Made ready once for all questions: 2 n d^2 flops. Raises ConfigurationError for fewer than two contexts, which have
    no correlation.
    """

    def __init__(self, vectors: WordVectors, contexts: int) -> None:
        if contexts < 2:
            raise ConfigurationError(f"query.context = {contexts} is too few for a correlation", "take 2 words or more")
        self._vectors = vectors
        frequent = largest(vectors.word_counts.astype(np.float64), contexts)
        self._factor = context_factor(vectors.matrix[frequent], vectors.pmi_metric)
        self._lengths = profile_lengths(vectors.matrix, self._factor)

    def similar_words(self, word: str, top: int, minimum_count: int = 0) -> list[Neighbour]:
        """The ``top`` words whose PMI with the context words is most correlated with that of ``word``."""
        own = word_id(self._vectors, word)
        scores = profile_cosines(self._vectors.matrix, self._factor, own, self._lengths)
        return _best(self._vectors, scores, [own], top, minimum_count)


def related_words(vectors: WordVectors, word: str, top: int, minimum_count: int = 0) -> list[Neighbour]:
    """The ``top`` words of largest estimated PMI with ``word``, met or not. One product of n x d."""
    own = word_id(vectors, word)
    return _best(vectors, vectors.estimates(vectors.matrix[own]), [own], top, minimum_count)


def related_observed(
    output: str, vectors: WordVectors, word: str, top: int, minimum_count: int = 0, minimum_pairs: float = 0.0
) -> list[Neighbour]:
    """The ``top`` partners of largest observed PMI among those that ``word`` met ``minimum_pairs`` times (weighted)."""
    own = word_id(vectors, word)
    partners, pair_counts, values = observed_pairs(output, own, vectors.vocabulary_fingerprint)
    scores = np.full(len(vectors.words), -np.inf, dtype=np.float32)
    often = pair_counts >= minimum_pairs
    scores[partners[often]] = values[often]
    return _best(vectors, scores, [own], top, minimum_count)


def related_both(output: str, vectors: WordVectors, word: str, top: int, minimum_count: int = 0) -> list[Relation]:
    """The partners of :func:`related_words`, each with what was counted of the two, if they are in the table at all."""
    own = word_id(vectors, word)
    estimated = vectors.estimates(vectors.matrix[own])
    places = _largest_but(vectors, estimated, [own], top, minimum_count)
    partners, pair_counts, values = observed_pairs(output, own, vectors.vocabulary_fingerprint)
    counted = dict(zip(partners.tolist(), zip(values.tolist(), pair_counts.tolist(), strict=True), strict=True))
    relations = []
    for place, other in zip(places.tolist(), vectors.word_array.take(places), strict=True):
        observed, pairs = counted.get(place, (None, 0.0))
        relations.append(Relation(other, float(estimated[place]), observed, pairs, int(vectors.word_counts[place])))
    return relations


def related_mutual(vectors: WordVectors, word: str, top: int, minimum_count: int, depth: int) -> list[MutualPartner]:
    """The ``top`` partners by estimated PMI that rank ``word`` among their own ``depth`` first, as it ranks them.

    Words under ``minimum_count`` are no one's partners here. 2 depth n d flops.
    """
    own = word_id(vectors, word)
    eligible = np.asarray(vectors.word_counts) >= minimum_count
    found = mutual_partners(vectors.matrix, vectors.pmi_metric, own, depth, eligible)
    scores = (vectors.shift + found.products[:top]).tolist()
    counts = vectors.word_counts[found.ids[:top]].tolist()
    columns = vectors.word_array.take(found.ids[:top]), scores, found.ranks.tolist(), found.ranks_back.tolist(), counts
    return [MutualPartner(*row) for row in zip(*(column[:top] for column in columns), strict=True)]


def analogous_words(
    vectors: WordVectors, words: Sequence[str], top: int, minimum_count: int = 0, method: Method | str = Method.add
) -> list[AnalogyAnswer]:
    """``words`` are a, b, c: which word is to c what b is to a? Ranked by 3CosAdd or 3CosMul, with both scores."""
    asked = [word_id(vectors, word) for word in words]
    to_a, to_b, to_c = (vectors.cosines(own) for own in asked)
    scores = {name: combine_cosines(to_a, to_b, to_c, name) for name in Method}
    places = _largest_but(vectors, scores[Method(method)], asked, top, minimum_count)
    columns = (
        vectors.word_array.take(places),
        *(scores[name][places].tolist() for name in (Method.add, Method.mul)),
        vectors.word_counts[places].tolist(),
    )
    return [AnalogyAnswer(*row) for row in zip(*columns, strict=True)]


def _best(vectors: WordVectors, scores: Floats, asked: Iterable[int], top: int, minimum_count: int) -> list[Neighbour]:
    """The best-scored words but the asked ones; ties go to the lower id, which is the more frequent word."""
    places = _largest_but(vectors, scores, asked, top, minimum_count)
    columns = vectors.word_array.take(places), scores[places].tolist(), vectors.word_counts[places].tolist()
    return [Neighbour(*row) for row in zip(*columns, strict=True)]


def _largest_but(
    vectors: WordVectors, scores: npt.NDArray[np.floating], asked: Iterable[int], top: int, minimum_count: int
) -> Longs:
    scores = scores.copy()
    scores[list(asked)] = -np.inf
    if minimum_count:
        scores[np.asarray(vectors.word_counts) < minimum_count] = -np.inf
    return largest(scores, top)

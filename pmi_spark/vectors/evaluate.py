"""How well vectors agree with people: word-similarity judgements and analogies, scored as gensim scores them.

Words are compared in capitals, so that Paris is found as paris; of several words that are alike in capitals the most
frequent stands for all. Pairs and questions with a word outside the vocabulary, or outside its most frequent words, are
left out and counted: a score without its coverage says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from pmi_spark.vectors.analogy import Method, rank_analogies
from pmi_spark.vectors.judgements import Analogy, Judgement
from pmi_spark.vectors.store import Floats, WordVectors

Longs = npt.NDArray[np.int64]
# gensim looks at so many answers for the first that is not one of the words given, in capitals or not.
ANSWERS_LOOKED_AT = 5


class SimilarityScore(NamedTuple):
    """Correlations of cosine and judgement over the pairs whose words are both known, and how many those are."""

    spearman: float
    pearson: float
    pairs_known: int
    pairs_all: int


class SectionScore(NamedTuple):
    """Questions of one section answered right, known (all four words) and asked."""

    section: str
    right: int
    questions_known: int
    questions_all: int

    @property
    def accuracy(self) -> float:
        """The share of known questions answered right; not a number where none is known."""
        return self.right / self.questions_known if self.questions_known else float("nan")


class Lexicon:
    """The ``restrict`` most frequent words (0: all) and how a word of a file is found among them.

    ``ids`` are their word ids, the most frequent first. ``stands_for`` has for each the place of the first that is
    alike in capitals.
    """

    def __init__(self, vectors: WordVectors, restrict: int = 0) -> None:
        counts = vectors.word_counts
        # Words of later increments stand behind more rarely used ones, so ids are not always by frequency.
        ordered = bool(np.all(counts[1:] <= counts[:-1]))
        order = np.arange(len(counts)) if ordered else np.argsort(-counts, kind="stable")
        self.ids: Longs = order[: restrict or None]
        words = islice(vectors.words, len(self.ids)) if ordered else (vectors.words[k] for k in self.ids.tolist())
        self._place: dict[str, int] = {}
        first = (self._place.setdefault(word.upper(), place) for place, word in enumerate(words))
        self.stands_for: Longs = np.fromiter(first, np.int64, len(self.ids))

    @property
    def has_variants(self) -> bool:
        """Are there words that differ by capitals alone?"""
        return len(self._place) < len(self.ids)

    def places(self, words: Sequence[str]) -> list[int] | None:
        """The places of some words; None when one of them is not known."""
        found = [self._place.get(word.upper(), -1) for word in words]
        return None if -1 in found else found


def score_similarity(
    vectors: WordVectors, judgements: Sequence[Judgement | tuple[str, str, float]], restrict: int = 0
) -> SimilarityScore:
    """Spearman's and Pearson's correlation of cosine with the judged score, as gensim's ``evaluate_word_pairs``.

    Not numbers where fewer than two pairs are known, or all cosines or all scores are the same.
    """
    lexicon = Lexicon(vectors, restrict)
    rows = [(lexicon.places((first, second)), score) for first, second, score in judgements]
    known = [(places, score) for places, score in rows if places is not None]
    if len(known) < 2:
        return SimilarityScore(float("nan"), float("nan"), len(known), len(rows))
    ids = lexicon.ids[np.array([places for places, _ in known])]
    scores = np.array([score for _, score in known])
    cosines = pair_cosines(vectors.matrix, ids[:, 0], ids[:, 1])
    if not np.ptp(scores) or not np.ptp(cosines):
        return SimilarityScore(float("nan"), float("nan"), len(known), len(rows))
    spearman = float(stats.spearmanr(scores, cosines).statistic)
    return SimilarityScore(spearman, float(stats.pearsonr(scores, cosines).statistic), len(known), len(rows))


def pair_cosines(matrix: Floats, first: Longs, second: Longs) -> Floats:
    """Cosines of pairs of rows, one for one, rounded as gensim's ``similarity`` rounds them: 2 us a pair.

    Rows are scaled in double precision and multiplied in single. A word with itself so has 1, or the number next to it;
    pairs that are all the same word, of which some files hold dozens, have ranks by it.
    """
    left, right = (_unit(matrix[ids]) for ids in (first, second))
    return np.array([np.dot(one, other) for one, other in zip(left, right, strict=True)], dtype=np.float32)


def _unit(rows: Floats) -> Floats:
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide * (1 / np.where(lengths > 0, lengths, 1)), dtype=np.float32)


def score_analogies(
    vectors: WordVectors, analogies: Sequence[Analogy], method: Method | str = Method.add, restrict: int = 0
) -> list[SectionScore]:
    """Questions answered right, a score a section in the file's order: as gensim's ``evaluate_word_analogies``.

    The answer is the best of the ``restrict`` most frequent words (0: all) but the three given (Mikolov et al. 2013),
    by :func:`pmi_spark.vectors.analogy.rank_analogies`, which says what a question costs. gensim has no evaluation by
    multiplication (3CosMul); here its answers are those of gensim's ``most_similar_cosmul``.
    """
    lexicon = Lexicon(vectors, restrict)
    asked = [lexicon.places(analogy[1:]) for analogy in analogies]
    known = np.array([places for places in asked if places is not None], dtype=np.int64).reshape(-1, 4)
    right = iter(_answered(vectors, lexicon, known, method).tolist())
    sections: dict[str, SectionScore] = {}
    for analogy, places in zip(analogies, asked, strict=True):
        so_far = sections.get(analogy.section, SectionScore(analogy.section, 0, 0, 0))
        is_right = next(right) if places is not None else False
        sections[analogy.section] = SectionScore(
            analogy.section,
            so_far.right + is_right,
            so_far.questions_known + (places is not None),
            so_far.questions_all + 1,
        )
    return list(sections.values())


def _answered(vectors: WordVectors, lexicon: Lexicon, known: Longs, method: Method | str) -> npt.NDArray[np.bool_]:
    """Which questions (places of four words each) are answered right."""
    if not len(known):
        return np.empty(0, dtype=bool)
    unit = _unit_slices(vectors.matrix, lexicon.ids)
    first, second, third, fourth = known.T
    top = ANSWERS_LOOKED_AT if lexicon.has_variants else 1
    answers = rank_analogies(unit, first, second, third, method, top).ids
    # Where fewer words are there than answers looked at, -1 is no word.
    answers = np.where(answers < 0, -1, lexicon.stands_for[answers])
    given = (answers[:, :, None] == known[:, None, :3]).any(axis=2) | (answers < 0)
    best = np.argmin(given, axis=1)
    return np.asarray(answers[np.arange(len(known)), best] == fourth)


def _unit_slices(matrix: Floats, ids: Longs) -> Floats:
    """Some rows scaled to length 1, 2^14 at a time: 4 d bytes a row."""
    unit = np.empty((len(ids), matrix.shape[1]), dtype=np.float32)
    for start in range(0, len(ids), 1 << 14):
        part = slice(start, start + (1 << 14))
        unit[part] = _unit(matrix[ids[part]])
    return unit


def add_sections(name: str, sections: Sequence[SectionScore]) -> SectionScore:
    """All questions of some sections as one.

    >>> add_sections("all", [SectionScore("a", 1, 2, 4), SectionScore("b", 3, 3, 3)])
    SectionScore(section='all', right=4, questions_known=5, questions_all=7)
    """
    counts = (section[1:] for section in sections)
    right, known, everything = map(sum, zip(*counts, strict=True)) if sections else (0, 0, 0)
    return SectionScore(name, right, known, everything)

"""A word as the run would have written it, and the words spelt most like one that is unknown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pmi_spark.config import TokensConfig
from pmi_spark.corpus.normalization import TextNormalizer
from pmi_spark.corpus.word_filters import WordFilter
from pmi_spark.vectors.words import Words

# Candidates of a distance that are looked at: far more than are shown, and few enough to sort.
_CANDIDATES = 1000


def fold_word(word: str, tokens: TokensConfig) -> str:
    """One word with the run's compatibility forms, simplified Chinese, small letters and zeros; it is not cut.

    >>> fold_word("Ｐaris", TokensConfig(normalize="nfkc")), fold_word("Paris", TokensConfig(lower=False))
    ('paris', 'Paris')
    """
    normalized = TextNormalizer(tokens.normalize, tokens.chinese)(pa.array([word], pa.string()))
    return str(WordFilter(lower=tokens.lower, digits=tokens.digits).fold(normalized)[0].as_py())


def nearest_spellings(words: Words, word_counts: npt.NDArray[np.integer], wanted: str, count: int = 5) -> list[str]:
    """Words that one or two slips of the finger turn into ``wanted``: one for up to three letters, none for one.

    A slip inserts, leaves out or changes a letter or swaps two neighbours (optimal string alignment). Fewer slips come
    first, of as many the longer common beginning, then the more frequent word. Half a second for a million words.

    >>> nearest_spellings(Words(pa.array(["over", "river", "rivers", "sea"])), np.array([9, 5, 3, 1]), "rivr", 2)
    ['river', 'rivers']
    """
    slips = 0 if len(wanted) < 2 else 1 if len(wanted) < 4 else 2
    lengths = np.asarray(pc.utf8_length(words.array))
    alike = np.flatnonzero(np.abs(lengths - len(wanted)) <= slips) if slips else np.empty(0, np.int64)
    near = words.take(alike)
    found = process.extract(wanted, near, scorer=OSA.distance, score_cutoff=slips, limit=_CANDIDATES)
    ranked = sorted(
        (distance, -_common_beginning(word, wanted), -int(word_counts[alike[place]]), word)
        for word, distance, place in found
    )
    return [word for *_, word in ranked[:count]]


def _common_beginning(left: str, right: str) -> int:
    """How many characters two words have in common from the first on."""
    pairs = zip(left, right, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))

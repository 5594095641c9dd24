"""Words -> the words that count: folded, and without those that are too short, too long or stop words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pmi_spark.corpus.normalization import TextNormalizer

LETTER_OR_DIGIT = r"[\p{L}\p{N}]"


class WordLists(NamedTuple):
    """A list of words a text, and how many words were over-long: dropped or cut, as configured."""

    lists: pa.Array
    over_long: int


@dataclass(frozen=True)
class WordFilter:
    """What becomes of a word once it is cut: a function of the word alone, hence computed once a distinct word.

    In this order: small letters, digits to 0, the length, the number of letters, the stop words.
    """

    lower: bool = False
    digits: str = "keep"
    minimum_letters: int = 0
    maximum_length: int = 0
    long_tokens: str = "drop"
    stop_words: frozenset[str] = frozenset()

    def __call__(self, lists: pa.Array) -> WordLists:
        """Lists of words -> lists of words. Takes as long as cutting English; small letters alone, next to nothing.

        >>> keep = WordFilter(digits="zero", maximum_length=5, stop_words=frozenset(["the"]))
        >>> keep(pa.array([["the", "Titanic", "sank", "1912"], ["the"]])).lists.to_pylist()
        [['sank', '0000'], []]
        >>> keep(pa.array([["the", "Titanic", "sank", "1912"], ["the"]])).over_long
        1
        """
        if self == WordFilter():
            return WordLists(lists, 0)
        words = lists.flatten()
        offsets = np.asarray(lists.offsets) - lists.offsets[0].as_py()
        if self == WordFilter(lower=True):
            return WordLists(_lists_of(pc.utf8_lower(words), offsets), 0)
        encoded = words.dictionary_encode()
        codes = np.asarray(encoded.indices)
        distinct, kept, is_long = self._judge(encoded.dictionary)
        keeps = kept[codes]
        kept_before = np.concatenate([[0], np.cumsum(keeps)])
        over_long = int(np.count_nonzero(is_long[codes]))
        return WordLists(_lists_of(distinct.take(pa.array(codes[keeps])), kept_before[offsets]), over_long)

    def _judge(self, words: pa.Array) -> tuple[pa.Array, np.ndarray, np.ndarray]:
        """Distinct words -> what they become, which are kept, which were over-long."""
        words = self.fold(words)
        is_long = np.zeros(len(words), dtype=bool)
        if self.maximum_length:
            is_long = np.asarray(pc.greater(pc.utf8_length(words), self.maximum_length))
            if self.long_tokens == "cut":
                words = pc.utf8_slice_codeunits(words, 0, self.maximum_length)
        kept = ~is_long if self.long_tokens == "drop" else np.ones(len(words), dtype=bool)
        if self.minimum_letters:
            letters = pc.count_substring_regex(words, LETTER_OR_DIGIT)
            kept = kept & np.asarray(pc.greater_equal(letters, self.minimum_letters))
        if self.stop_words:
            kept = kept & ~np.asarray(pc.is_in(words, value_set=pa.array(sorted(self.stop_words), words.type)))
        return words, kept, is_long

    def fold(self, words: pa.Array) -> pa.Array:
        """Words with small letters and 0 for each digit, as configured."""
        words = pc.utf8_lower(words) if self.lower else words
        return pc.replace_substring_regex(words, r"\p{Nd}", "0") if self.digits == "zero" else words

    def with_stop_words(self, words: Iterable[str], normalizer: TextNormalizer) -> WordFilter:
        """The same filter with stop words, written as the texts' words will be; blank lines are none.

        Both apostrophes are meant, since some tokenizers keep the typographic one.

        >>> sorted(WordFilter(lower=True).with_stop_words(["The", "", "Don\u2019t"], TextNormalizer()).stop_words)
        ["don't", 'don\u2019t', 'the']
        """
        stripped = [word.strip().removeprefix("\ufeff") for word in words]
        folded = self.fold(normalizer(pa.array([word for word in stripped if word], type=pa.string()))).to_pylist()
        return replace(self, stop_words=frozenset([*folded, *(word.replace("\u2019", "'") for word in folded)]))


def _lists_of(words: pa.Array, offsets: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), words)

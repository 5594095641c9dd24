"""Neighbouring words: which stand side by side, how often, and their joining into one. Pure numpy and Arrow.

A link is two words of a document with nothing between them, or nothing but connectors ("bank of the west"). Words are
codes into a dictionary all the way; strings are touched once a dictionary, not once an occurrence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ids = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

WORD_BITS = 31
WORD_MASK = (1 << WORD_BITS) - 1
# Finding links takes about 40 bytes a word: 40 MB a piece. Documents are not cut, so a longer one is a piece alone.
WORDS_PER_PIECE = 1 << 20
# Another machine's logarithm may differ in the 16th digit; at 12 it decides alike.
NPMI_DIGITS = 12


@dataclass(frozen=True)
class JoinRule:
    """How a phrase is spelled, and which words may stand inside one but not at its ends.

    The connectors between two words are one number, a digit each, the first of them the highest: 0 stands for none.

    >>> rule = JoinRule("_", ("of", "the"))
    >>> rule.spell_between(0b01_10)
    '_of_the_'
    >>> rule.longest_between
    31
    """

    delimiter: str
    connectors: tuple[str, ...] = ()

    @property
    def digit_bits(self) -> int:
        return len(self.connectors).bit_length()

    @property
    def longest_between(self) -> int:
        """How many connectors in a row the number has room for: 12 of 16-31 different ones."""
        return (63 // self.digit_bits) if self.connectors else 0

    def spell_between(self, between: int) -> str:
        """What stands between the two words in the spelling of their phrase."""
        words = []
        while between:
            words.append(self.connectors[(between & ((1 << self.digit_bits) - 1)) - 1])
            between >>= self.digit_bits
        return self.delimiter.join(["", *reversed(words), ""]) if words else self.delimiter

    def parse_between(self, spelled: str) -> int:
        """The number of what stands between the two words; ValueError when it is no row of connectors.

        >>> rule = JoinRule("_", ("of", "the"))
        >>> [rule.parse_between(rule.spell_between(between)) for between in (0, 0b01_10, 0b10)]
        [0, 6, 2]
        """
        between, rest = 0, spelled
        while rest != self.delimiter:
            fitting = [word for word in self.connectors if rest.startswith(f"{self.delimiter}{word}{self.delimiter}")]
            if not fitting:
                raise ValueError(f"{spelled!r} is no row of connectors")
            longest = max(fitting, key=len)
            between = between << self.digit_bits | self.connectors.index(longest) + 1
            rest = rest[len(self.delimiter) + len(longest) :]
        return between

    def connector_of_code(self, dictionary: pa.Array) -> Ids:
        """For each word of a dictionary the digit of the connector it is, 0 for other words."""
        found = pc.index_in(dictionary, pa.array(self.connectors, pa.string())).fill_null(-1)
        return np.asarray(found) + np.int32(1)


class Stream(NamedTuple):
    """Documents end to end: codes of their words, and where each document begins (documents + 1 places)."""

    codes: Ids
    offsets: Ids

    @classmethod
    def of(cls, lists: pa.ListArray) -> Stream:
        """Lists of dictionary-encoded words."""
        offsets = np.asarray(lists.offsets)
        return cls(np.asarray(lists.flatten().indices), offsets - offsets[0])

    @classmethod
    def concatenate(cls, streams: Sequence[Stream]) -> Stream:
        """Streams of one dictionary as one."""
        lengths = np.concatenate([np.zeros(1, np.int32), *(np.diff(stream.offsets) for stream in streams)])
        codes = np.concatenate([np.empty(0, np.int32), *(stream.codes for stream in streams)])
        return cls(codes, np.cumsum(lengths, dtype=np.int32))

    def pieces(self, words: int = WORDS_PER_PIECE) -> Iterator[Stream]:
        """The same documents in streams of about so many words.

        >>> stream = Stream(np.arange(6, dtype=np.int32), np.array([0, 2, 3, 6], dtype=np.int32))
        >>> [piece.codes.tolist() for piece in stream.pieces(2)]
        [[0, 1], [2, 3, 4, 5]]
        """
        last = len(self.offsets) - 1
        marks = np.searchsorted(self.offsets, np.arange(0, len(self.codes), words))
        for start, stop in pairwise(np.unique([0, *marks.tolist(), last]).tolist()):
            places = self.offsets[start : stop + 1]
            yield Stream(self.codes[places[0] : places[-1]], places - places[0])


class Links(NamedTuple):
    """The links of a stream in order: places of either word, and the connectors between them as JoinRule's number."""

    left: Ids
    right: Ids
    betweens: Longs


def find_links(stream: Stream, connector_of_code: Ids, rule: JoinRule) -> Links:
    """Every link of every document. Words with more than ``rule.longest_between`` connectors between them have none.

    >>> stream = Stream(np.array([0, 1, 2, 0, 2], dtype=np.int32), np.array([0, 3, 5], dtype=np.int32))
    >>> find_links(stream, np.zeros(3, np.int32), JoinRule("_")).left.tolist()
    [0, 1, 3]
    >>> find_links(stream, np.array([0, 1, 0], dtype=np.int32), JoinRule("_", ("of",)))
    Links(left=array([0, 3], dtype=int32), right=array([2, 4], dtype=int32), betweens=array([1, 0]))
    """
    lengths = np.diff(stream.offsets)
    document = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    if not rule.connectors:
        left = np.flatnonzero(document[1:] == document[:-1]).astype(np.int32)
        return Links(left, left + np.int32(1), np.broadcast_to(np.int64(0), left.shape))
    digits = connector_of_code[stream.codes]
    places = np.flatnonzero(digits == 0).astype(np.int32)
    left, right = places[:-1], places[1:]
    linked = (document[left] == document[right]) & (right - left - 1 <= rule.longest_between)
    left, right = left[linked], right[linked]
    betweens = np.zeros(len(left), dtype=np.int64)
    for step in range(1, int((right - left).max(initial=1))):
        inside = np.flatnonzero(right - left > step)
        betweens[inside] = betweens[inside] << rule.digit_bits | digits[left[inside] + step]
    return Links(left, right, betweens)


def pack_links(stream: Stream, links: Links, id_of_code: Ids) -> tuple[Longs, Longs]:
    """Links whose words both have an id (others -1) -> (first id * 2^31 + second id, betweens), one for one."""
    firsts, seconds = id_of_code[stream.codes[links.left]], id_of_code[stream.codes[links.right]]
    known = (firsts >= 0) & (seconds >= 0)
    return firsts[known].astype(np.int64) << WORD_BITS | seconds[known], links.betweens[known]


def unpack_pairs(pairs: Longs) -> tuple[Longs, Longs]:
    """The first and second ids of packed pairs.

    >>> unpack_pairs(np.array([(3 << 31) + 5]))
    (array([3]), array([5]))
    """
    return pairs >> WORD_BITS, pairs & WORD_MASK


def count_links(pairs: Longs, betweens: Longs) -> tuple[Longs, Longs, Longs]:
    """Packed links -> the distinct (pairs, betweens) and how often each occurs. 20 ns a link without connectors.

    >>> count_links(np.array([7, 3, 7, 7, 7, 7]), np.array([0, 0, 0, 2, 1, 2]))
    (array([3, 7, 7, 7]), array([0, 0, 1, 2]), array([1, 2, 1, 2]))
    """
    apart = betweens != 0
    near = np.sort(pairs[~apart])
    order = np.lexsort((betweens[apart], pairs[apart]))
    far, far_betweens = pairs[apart][order], betweens[apart][order]
    near_starts = np.flatnonzero(np.diff(near, prepend=-1))
    far_starts = np.flatnonzero(np.diff(far, prepend=-1) | np.diff(far_betweens, prepend=-1))
    counts = [np.diff(near_starts, append=len(near)), np.diff(far_starts, append=len(far))]
    distinct_betweens = np.concatenate((np.zeros(len(near_starts), np.int64), far_betweens[far_starts]))
    return np.concatenate((near[near_starts], far[far_starts])), distinct_betweens, np.concatenate(counts)


def npmi(pair_counts: Longs, first_counts: Longs, second_counts: Longs, total: int) -> Doubles:
    """Normalised pointwise mutual information (Bouma 2009), to 12 digits: 1 for words that only occur together.

        npmi(a, b) = ln(P(a b) / (P(a) P(b))) / -ln P(a b)

    P(a b) is the number of links over ``total``, the number of words, as P(a) is of words: gensim's definition. A text
    has fewer links than words, so the divisor is never 0.

    >>> npmi(np.array([2, 2]), np.array([2, 4]), np.array([2, 8]), 16)
    array([1., 0.])
    """
    p_pair = pair_counts / total
    expected = (first_counts / total) * (second_counts / total)
    # Adding 0 makes of a negative zero, which has other bytes, a plain one.
    return np.asarray(np.round(np.log(p_pair / expected) / -np.log(p_pair), NPMI_DIGITS) + 0.0)


@dataclass(frozen=True)
class PhraseTable:
    """The phrases of one pass as the workers need them: about 50 bytes a phrase.

    Phrase k joins ``first_words[firsts[k]]``, the connectors ``betweens[k]`` and ``second_words[seconds[k]]``.
    """

    first_words: pa.Array
    second_words: pa.Array
    firsts: Ids
    seconds: Ids
    betweens: Longs
    phrases: pa.Array

    @classmethod
    def of(cls, first: pa.Array, second: pa.Array, betweens: Longs, rule: JoinRule) -> PhraseTable:
        """A table from its phrases' words, one for one.

        >>> first, second = pa.array(["new", "out"]), pa.array(["york", "africa"])
        >>> PhraseTable.of(first, second, np.array([0, 1]), JoinRule("_", ("of",))).phrases.to_pylist()
        ['new_york', 'out_of_africa']
        """
        first, second = first.dictionary_encode(), second.dictionary_encode()
        distinct, place = np.unique(betweens, return_inverse=True)
        spelled = pa.array([rule.spell_between(between) for between in distinct.tolist()], pa.string())
        phrases = pc.binary_join_element_wise(
            first.dictionary_decode(), spelled.take(place), second.dictionary_decode(), ""
        )
        codes = np.asarray(first.indices), np.asarray(second.indices)
        return cls(first.dictionary, second.dictionary, *codes, betweens, phrases)

    def __len__(self) -> int:
        return len(self.firsts)


class Joiner:
    """The phrases of some passes made ready for one dictionary: joins streams of its codes.

    ``words`` is the dictionary with the phrases that may arise added to it, which the joined streams refer to.
    """

    def __init__(self, dictionary: pa.Array, tables: Sequence[PhraseTable], rule: JoinRule) -> None:
        self._rule = rule
        self._passes = []
        for table in tables:
            joins = _Joins(dictionary, table, rule)
            self._passes.append(joins)
            dictionary = joins.words
        self.words: pa.Array = dictionary

    def join(self, stream: Stream) -> tuple[Stream, Longs]:
        """The stream after every pass, and how many phrases each pass made of two words."""
        made = np.zeros(len(self._passes), dtype=np.int64)
        for number, joins in enumerate(self._passes):
            stream, made[number] = joins.join(stream)
        return stream, made


class _Joins:
    """One pass's phrases by the codes of one dictionary."""

    def __init__(self, dictionary: pa.Array, table: PhraseTable, rule: JoinRule) -> None:
        self._rule = rule
        self._connector_of_code = rule.connector_of_code(dictionary)
        self._first_of_code = _places(dictionary, table.first_words)
        self._second_of_code = _places(dictionary, table.second_words)
        # Two steps: the pair, then the pair with what stands between, each a search in sorted numbers.
        pairs = table.firsts.astype(np.int64) << WORD_BITS | table.seconds
        self._pairs, pair_places = np.unique(pairs, return_inverse=True)
        self._betweens, between_places = np.unique(table.betweens, return_inverse=True)
        keys = pair_places * len(self._betweens) + between_places
        order = np.argsort(keys)
        self._keys = keys[order]
        # A phrase may be spelled like a word that is there, or like another phrase: it is then the same word.
        spelled = pc.unique(table.phrases)
        new = spelled.filter(pc.is_null(pc.index_in(spelled, dictionary)))
        self.words = pa.concat_arrays([dictionary, new])
        self._code_of_phrase = _places(table.phrases, self.words)[order]

    def join(self, stream: Stream) -> tuple[Stream, int]:
        links = find_links(stream, self._connector_of_code, self._rule)
        chosen, phrases = self._look_up(stream, links)
        taken = take_alternate(links.left[chosen], links.right[chosen])
        left, right = links.left[chosen[taken]], links.right[chosen[taken]]
        codes = stream.codes.copy()
        codes[left] = self._code_of_phrase[phrases[taken]]
        kept = np.ones(len(codes), dtype=bool)
        for step in range(1, int((right - left).max(initial=0)) + 1):
            kept[left[right - left >= step] + step] = False
        offsets = stream.offsets - np.searchsorted(np.flatnonzero(~kept), stream.offsets)
        return Stream(codes[kept], offsets.astype(np.int32)), len(left)

    def _look_up(self, stream: Stream, links: Links) -> tuple[Longs, Longs]:
        """(the links that are phrases, which phrase each is)."""
        firsts = self._first_of_code[stream.codes[links.left]]
        chosen = np.flatnonzero(firsts >= 0)
        seconds = self._second_of_code[stream.codes[links.right[chosen]]]
        chosen, seconds = chosen[seconds >= 0], seconds[seconds >= 0]
        pairs = _search(self._pairs, firsts[chosen].astype(np.int64) << WORD_BITS | seconds)
        chosen, pairs = chosen[pairs >= 0], pairs[pairs >= 0]
        betweens = _search(self._betweens, links.betweens[chosen])
        chosen, pairs, betweens = (values[betweens >= 0] for values in (chosen, pairs, betweens))
        phrases = _search(self._keys, pairs * len(self._betweens) + betweens)
        return chosen[phrases >= 0], phrases[phrases >= 0]


def take_alternate(left: npt.NDArray[np.integer], right: npt.NDArray[np.integer]) -> Longs:
    """Of links in order those that are joined: from left to right, none that shares a word with one taken before.

    In a chain, where each link begins with the word the last one ended with, that is every other one.

    >>> take_alternate(np.array([0, 1, 2, 5]), np.array([1, 2, 3, 6])).tolist()
    [0, 2, 3]
    """
    places = np.arange(len(left))
    begins = np.ones(len(left), dtype=bool)
    begins[1:] = left[1:] != right[:-1]
    chain_starts = np.maximum.accumulate(np.where(begins, places, 0))
    return np.flatnonzero((places - chain_starts) % 2 == 0)


def _places(words: pa.Array, among: pa.Array) -> Ids:
    """Where each of ``words`` stands among others, -1 for those that do not."""
    return np.asarray(pc.index_in(words, among).fill_null(-1))


def _search(ascending: Longs, wanted: Longs) -> Longs:
    """Where each wanted number stands, -1 for those that do not."""
    if not len(ascending):
        return np.full(len(wanted), -1)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[places] == wanted, places, -1)

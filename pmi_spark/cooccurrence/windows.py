"""Word ids -> the pairs inside each window. Pure numpy; integers throughout.

A *stream* is what a task has read: the ids of several documents end to end, and for each position the end of its
document. A gap is an id of -1: it takes up room in the window and meets nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pmi_spark.errors import ConfigurationError

Ids = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

GAP = -1
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
WORDS_PER_SLICE = 1 << 14
LARGEST_SUM = 2**63 - 1


class Weighting(NamedTuple):
    """Distance weights as whole numbers: a pair at distance d adds ``units[d - 1]`` in units of 1 / ``denominator``."""

    units: tuple[int, ...]
    denominator: int


def distance_weights(weighting: str, window: int) -> Weighting:
    """Whole-number weights of the distances 1..window over one denominator, so that sums are exact.

    flat: every pair in the window counts 1. linear: (window + 1 - d) / window, what word2vec's random window shrinking
    gives on average (Levy, Goldberg, Dagan 2015). harmonic: 1 / d, as GloVe (Pennington et al. 2014).

    >>> distance_weights("flat", 3)
    Weighting(units=(1, 1, 1), denominator=1)
    >>> distance_weights("linear", 3)
    Weighting(units=(3, 2, 1), denominator=3)
    >>> distance_weights("harmonic", 4)
    Weighting(units=(12, 6, 4, 3), denominator=12)
    """
    distances = range(1, window + 1)
    if weighting == "flat":
        return Weighting((1,) * window, 1)
    if weighting == "linear":
        return Weighting(tuple(window + 1 - d for d in distances), window)
    if window > 20:
        raise ConfigurationError(
            f"pairs.weighting is harmonic and pairs.window is {window}",
            cure="1/d over one whole denominator fits 64 bits up to window 20; take linear weights or a smaller window",
        )
    denominator = math.lcm(*distances)
    return Weighting(tuple(denominator // d for d in distances), denominator)


def check_sums_fit(word_total: int, weights: Weighting) -> None:
    """ConfigurationError unless the sum over all pairs is sure to stay below 2^63.

    Every occurrence meets at most one word at each distance to either side, so the table's sum, counted from both
    ends, is at most 2 * words * sum(units). At window 5, linear: 30 units a word, room for 3 * 10^17 words.

    >>> check_sums_fit(10**17, distance_weights("linear", 5))
    """
    bound = 2 * word_total * sum(weights.units)
    if bound > LARGEST_SUM:
        raise ConfigurationError(
            f"{word_total} words with these distance weights could sum to {bound}, beyond 2^63",
            cure="take linear or flat weights, or a smaller window",
        )


def mix_bits(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A 64-bit hash whose output bits each depend on every input bit: splitmix64's finalizer (Steele et al. 2014).

    >>> mix_bits(np.array([0, 1], dtype=np.uint64))
    array([                  0, 6238072747940578789], dtype=uint64)
    """
    mixed = values >> np.uint64(30)
    for multiplier, shift in ((0xBF58476D1CE4E5B9, 27), (0x94D049BB133111EB, 31)):
        mixed ^= values
        mixed *= np.uint64(multiplier)
        values = mixed
        mixed = values >> np.uint64(shift)
    mixed ^= values
    return mixed


def keep_thresholds(frequencies: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.uint64]:
    """For each word the hash value below which an occurrence is kept: 2^64 * min(1, sqrt(t / f)).

    f is the word's share of all counted words (Mikolov et al. 2013 use 1 - sqrt(t / f) as the chance to *drop*). A word
    of a given vocabulary that does not occur would be kept.

    >>> keep_thresholds(np.array([0.8, 0.2]), threshold=0.2) == np.array([2**63, 2**64 - 1], dtype=np.uint64)
    array([ True,  True])
    """
    with np.errstate(divide="ignore"):
        probability = np.minimum(1.0, np.sqrt(threshold / frequencies))
    # 2^53 steps are exact in a double; the largest, 2^64, is clipped to keep every hash value.
    steps = np.floor(probability * 2.0**53).astype(np.uint64)
    full = steps >= np.uint64(2**53)
    return np.where(full, np.uint64(2**64 - 1), steps << np.uint64(11))


def hash_documents(document_ids: Longs) -> npt.NDArray[np.uint64]:
    """What a document brings to the chances of its words: its id, mixed."""
    with np.errstate(over="ignore"):
        return mix_bits(document_ids.astype(np.uint64) + GOLDEN)


def subsample(
    ids: Ids, document_hashes: npt.NDArray[np.uint64], positions: Longs, thresholds: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Which occurrences stay: decided by a hash of (document, position), so by nothing that changes from run to run.

    ``positions`` count from 0 inside each document, before anything is dropped. Gaps stay gaps.

    Worked by hand: with thresholds of 2^64 - 1 all stay, with 0 none do.

    >>> ids = np.array([0, 1], dtype=np.int32)
    >>> thresholds = np.array([2**64 - 1, 0], dtype=np.uint64)
    >>> subsample(ids, hash_documents(np.array([7, 7])), np.array([0, 1]), thresholds)
    array([ True, False])
    """
    chances = positions.astype(np.uint64)
    chances *= GOLDEN
    chances += document_hashes
    return np.asarray(mix_bits(chances) <= thresholds[np.maximum(ids, 0)])


def subsample_stream(
    ids: Ids, document_ids: Longs, lengths: Longs, thresholds: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """:func:`subsample` of whole documents end to end, in slices whose 64-bit temporaries stay in cache: 10 ns a word.

    >>> thresholds = np.array([2**64 - 1, 0], dtype=np.uint64)
    >>> subsample_stream(np.array([0, 1, 1], dtype=np.int32), np.array([7, 8]), np.array([2, 1]), thresholds)
    array([ True, False, False])
    """
    ends = np.cumsum(lengths)
    starts = ends - lengths
    hashes = hash_documents(document_ids)
    keep = np.empty(len(ids), dtype=np.bool_)
    for start in range(0, len(ids), WORDS_PER_SLICE):
        stop = min(start + WORDS_PER_SLICE, len(ids))
        touched = slice(np.searchsorted(ends, start, side="right"), np.searchsorted(starts, stop))
        shares = np.minimum(ends[touched], stop) - np.maximum(starts[touched], start)
        positions = np.arange(start, stop) - np.repeat(starts[touched], shares)
        keep[start:stop] = subsample(ids[start:stop], np.repeat(hashes[touched], shares), positions, thresholds)
    return keep


def window_pairs(
    ids: Ids, document_ends: Longs, window: int, lefts: int | None = None
) -> Iterator[tuple[int, Ids, Ids]]:
    """For each distance d = 1..window the pairs (smaller id, larger id) of words d apart in one document.

    ``document_ends[k]`` is the position just past the document of position k. ``lefts`` limits the left word of a pair
    to the first positions, so that a long stream can be cut into pieces that overlap by ``window``. Pairs of a word
    with itself and pairs with a gap are left out. Cost: about six passes over the stream a distance.

    The document "0 1 0 2" at window 2: distance 1 gives (0,1), (0,1), (0,2); distance 2 gives (1,2), for (0,0)
    is left out.

    >>> for d, low, high in window_pairs(np.array([0, 1, 0, 2], dtype=np.int32), np.full(4, 4), window=2):
    ...     print(d, low.tolist(), high.tolist())
    1 [0, 0, 0] [1, 1, 2]
    2 [1] [2]
    """
    lefts = len(ids) if lefts is None else lefts
    positions = np.arange(len(ids))
    for distance in range(1, min(window, len(ids) - 1) + 1):
        count = min(lefts, len(ids) - distance)
        left, right = ids[:count], ids[distance : distance + count]
        inside = positions[distance : distance + count] < document_ends[:count]
        meets = inside & (left != right) & (left != GAP) & (right != GAP)
        left, right = left[meets], right[meets]
        yield distance, np.minimum(left, right), np.maximum(left, right)


def count_pairs_plain(
    documents: list[list[int]],
    window: int,
    weights: Weighting,
    keep: Callable[[int, int], bool] = lambda d, k: True,
    minimum_units: int = 1,
) -> dict[tuple[int, int], int]:
    """The plain twin of the whole stage: {(low, high): count in units} of documents given as ids, -1 for a gap.

    ``keep(document number, position)`` may turn further words away; they are dropped before the window is laid.

    Worked by hand, window 2, units 2 at distance 1 and 1 at distance 2: 0 and 1 are neighbours twice, 0 and 2 once,
    1 and 2 stand two apart; 0 meets itself at distance 2, which is left out.

    >>> linear = distance_weights("linear", 2)
    >>> count_pairs_plain([[0, 1, 0, 2]], 2, linear)
    {(0, 1): 4, (0, 2): 2, (1, 2): 1}

    Cut into two documents, 1 and the second 0 no longer meet, nor do 1 and 2:

    >>> count_pairs_plain([[0, 1], [0, 2]], 2, linear)
    {(0, 1): 2, (0, 2): 2}

    An unknown word in the middle leaves a gap, and 0 and 1 are two apart; dropped, they are neighbours:

    >>> count_pairs_plain([[0, -1, 1]], 2, linear), count_pairs_plain([[0, 1]], 2, linear)
    ({(0, 1): 1}, {(0, 1): 2})

    The first 0 turned away by subsampling, 1 and 0 meet once; pairs under two units left out:

    >>> count_pairs_plain([[0, 1, 0, 2]], 2, linear, keep=lambda document, position: position != 0)
    {(0, 1): 2, (0, 2): 2, (1, 2): 1}
    >>> count_pairs_plain([[0, 1, 0, 2]], 2, linear, minimum_units=2)
    {(0, 1): 4, (0, 2): 2}
    """
    counts: dict[tuple[int, int], int] = {}
    for number, document in enumerate(documents):
        words = [word for place, word in enumerate(document) if word == GAP or keep(number, place)]
        for place, word in enumerate(words):
            for distance in range(1, min(window, len(words) - 1 - place) + 1):
                other = words[place + distance]
                if GAP not in (word, other) and word != other:
                    pair = (min(word, other), max(word, other))
                    counts[pair] = counts.get(pair, 0) + weights.units[distance - 1]
    return {pair: units for pair, units in sorted(counts.items()) if units >= minimum_units}


def document_ends(lengths: Longs) -> Longs:
    """For each position of a stream the end of its document, from the documents' lengths.

    >>> document_ends(np.array([2, 0, 1]))
    array([2, 2, 3])
    """
    return np.repeat(np.cumsum(lengths), lengths)


def drop_positions(keep: npt.NDArray[np.bool_], lengths: Longs) -> Longs:
    """Lengths of the documents after the positions not in ``keep`` are dropped.

    >>> drop_positions(np.array([True, False, True]), np.array([2, 0, 1]))
    array([1, 0, 1])
    """
    kept_before = np.concatenate(([0], np.cumsum(keep)))
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    return np.asarray(kept_before[bounds[1:]] - kept_before[bounds[:-1]])

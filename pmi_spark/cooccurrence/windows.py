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
    """A 64-bit hash whose output bits each depend on every input bit: splitmix64's finalizer (Steele et al. 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def keep_thresholds(word_counts: Longs, threshold: float) -> npt.NDArray[np.uint64]:
    """For each word the hash value below which an occurrence is kept: 2^64 * min(1, sqrt(t / f)).

    f is the word's share of all counted words (Mikolov et al. 2013 use 1 - sqrt(t / f) as the chance to *drop*).

    >>> keep_thresholds(np.array([4, 1]), threshold=0.2) == np.array([2**63, 2**64 - 1], dtype=np.uint64)
    array([ True,  True])
    """
    frequency = word_counts / word_counts.sum()
    probability = np.minimum(1.0, np.sqrt(threshold / frequency))
    # 2^53 steps are exact in a double; the largest, 2^64, is clipped to keep every hash value.
    steps = np.floor(probability * 2.0**53).astype(np.uint64)
    full = steps >= np.uint64(2**53)
    return np.where(full, np.uint64(2**64 - 1), steps << np.uint64(11))


def subsample(
    ids: Ids, document_ids: Longs, positions: Longs, thresholds: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Which occurrences stay: decided by a hash of (document, position), so by nothing that changes from run to run.

    ``positions`` count from 0 inside each document, before anything is dropped. Gaps stay gaps.

    Worked by hand: with thresholds of 2^64 - 1 all stay, with 0 none do.

    >>> ids = np.array([0, 1], dtype=np.int32)
    >>> thresholds = np.array([2**64 - 1, 0], dtype=np.uint64)
    >>> subsample(ids, np.array([7, 7]), np.array([0, 1]), thresholds)
    array([ True, False])
    """
    with np.errstate(over="ignore"):
        golden = np.uint64(0x9E3779B97F4A7C15)
        document_hash = mix_bits(document_ids.astype(np.uint64) + golden)
        chances = mix_bits(document_hash + positions.astype(np.uint64) * golden)
    return np.asarray(chances <= thresholds[np.maximum(ids, 0)])


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
    documents: list[list[int]], window: int, weights: Weighting, keep: Callable[[int, int], bool] = lambda d, k: True
) -> dict[tuple[int, int], int]:
    """The plain twin of the whole stage: {(low, high): count in units} of documents given as ids, -1 for a gap.

    ``keep(document number, position)`` may turn further words away; they are dropped before the window is laid.

    >>> count_pairs_plain([[0, 1, 0, 2]], 2, distance_weights("linear", 2))
    {(0, 1): 4, (0, 2): 2, (1, 2): 1}
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
    return dict(sorted(counts.items()))


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

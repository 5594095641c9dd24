from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.cooccurrence import windows
from pmi_spark.cooccurrence.windows import (
    GAP,
    WORDS_PER_SLICE,
    Weighting,
    check_sums_fit,
    count_pairs_plain,
    distance_weights,
    document_ends,
    drop_positions,
    hash_documents,
    keep_thresholds,
    mix_bits,
    subsample,
    subsample_stream,
    window_pairs,
)
from pmi_spark.errors import ConfigurationError

WEIGHTINGS = st.sampled_from(["flat", "linear", "harmonic"])
WINDOWS = st.integers(1, 8)
KEEP_ALL = np.uint64(2**64 - 1)


def documents_of(lowest_id: int, longest: int = 15) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(st.integers(lowest_id, 5), max_size=longest), max_size=5)


def as_stream(documents: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([word for document in documents for word in document], dtype=np.int32)
    return ids, document_ends(np.array([len(document) for document in documents], dtype=np.int64))


def tally(meetings: Iterable[tuple[int, np.ndarray, np.ndarray]], weights: Weighting) -> dict[tuple[int, int], int]:
    counts: Counter[tuple[int, int]] = Counter()
    for distance, low, high in meetings:
        for pair in zip(low.tolist(), high.tolist(), strict=True):
            counts[pair] += weights.units[distance - 1]
    return dict(sorted(counts.items()))


@given(documents_of(lowest_id=0), WINDOWS, WEIGHTINGS)
def test_window_pairs_summed_by_key_equal_the_plain_twin(documents, window, weighting):
    weights = distance_weights(weighting, window)
    found = tally(window_pairs(*as_stream(documents), window), weights)
    assert found == count_pairs_plain(documents, window, weights)


@given(documents_of(lowest_id=GAP), WINDOWS, WEIGHTINGS)
def test_gaps_take_up_room_and_meet_nobody(documents, window, weighting):
    weights = distance_weights(weighting, window)
    found = tally(window_pairs(*as_stream(documents), window), weights)
    assert found == count_pairs_plain(documents, window, weights)
    assert all(GAP not in pair for pair in found)


@given(documents_of(lowest_id=GAP, longest=30), WINDOWS, st.integers(1, 12))
def test_a_stream_cut_into_overlapping_pieces_counts_each_meeting_once(documents, window, length):
    weights = distance_weights("linear", window)
    ids, ends = as_stream(documents)
    summed: Counter[tuple[int, int]] = Counter()
    for start in range(0, len(ids), length):
        piece = slice(start, start + length + window)
        summed.update(tally(window_pairs(ids[piece], ends[piece] - start, window, lefts=length), weights))
    assert dict(summed) == count_pairs_plain(documents, window, weights)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), WINDOWS)
def test_windows_never_cross_documents(lengths, window):
    # Each document has ids of its own, so a pair with ids of two documents would have crossed.
    documents = [[10 * number + place % 3 for place in range(length)] for number, length in enumerate(lengths)]
    for _, low, high in window_pairs(*as_stream(documents), window):
        assert (low // 10 == high // 10).all()


@given(documents_of(lowest_id=GAP), WINDOWS)
def test_the_smaller_id_stands_first_and_a_word_never_meets_itself(documents, window):
    for _, low, high in window_pairs(*as_stream(documents), window):
        assert (low < high).all()


def test_distances_are_reported_as_they_are():
    found = {
        d: list(zip(low.tolist(), high.tolist(), strict=True))
        for d, low, high in window_pairs(np.array([3, 1, 2], dtype=np.int32), np.full(3, 3), window=5)
    }
    assert {d: pairs for d, pairs in found.items() if pairs} == {1: [(1, 3), (1, 2)], 2: [(2, 3)]}


@pytest.mark.parametrize("documents", [[], [[]], [[], []], [[4]], [[4], [5]]])
def test_too_little_text_for_a_pair_gives_none(documents):
    assert tally(window_pairs(*as_stream(documents), 5), distance_weights("flat", 5)) == {}


@given(st.integers(1, 20), WEIGHTINGS)
def test_units_over_the_denominator_are_the_weights_exactly(window, weighting):
    weights = distance_weights(weighting, window)
    for distance in range(1, window + 1):
        unit = weights.units[distance - 1]
        # Whole numbers on both sides: unit / denominator = weight, without a rounding.
        if weighting == "harmonic":
            assert unit * distance == weights.denominator
        elif weighting == "linear":
            assert unit * window == (window + 1 - distance) * weights.denominator
        else:
            assert unit == weights.denominator


def test_harmonic_weights_stop_at_window_20():
    assert distance_weights("harmonic", 20).denominator == 232_792_560
    with pytest.raises(ConfigurationError, match=r"harmonic and pairs\.window is 21"):
        distance_weights("harmonic", 21)


def test_sums_may_reach_the_largest_long_and_no_further():
    # The bound is 2 * words * units, hence even: 2^63 - 2 is the largest that a long holds.
    check_sums_fit(2**62 - 1, distance_weights("flat", 1))
    with pytest.raises(ConfigurationError, match=str(2**63)):
        check_sums_fit(2**62, distance_weights("flat", 1))


@pytest.mark.parametrize(("weighting", "window"), [("flat", 7), ("linear", 5), ("harmonic", 20)])
def test_the_bound_counts_every_unit_to_both_sides(weighting, window):
    weights = distance_weights(weighting, window)
    most = (2**63 - 1) // (2 * sum(weights.units))
    check_sums_fit(most, weights)
    with pytest.raises(ConfigurationError, match=f"{most + 1} words"):
        check_sums_fit(most + 1, weights)


@given(documents_of(lowest_id=0), WINDOWS, WEIGHTINGS)
def test_no_table_exceeds_the_bound(documents, window, weighting):
    weights = distance_weights(weighting, window)
    total = 2 * sum(count_pairs_plain(documents, window, weights).values())
    assert total <= 2 * sum(map(len, documents)) * sum(weights.units)


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
def test_a_threshold_of_1_keeps_every_occurrence(word_counts):
    assert (keep_thresholds(np.array(word_counts) / sum(word_counts), 1.0) == KEEP_ALL).all()


def test_words_no_more_frequent_than_the_threshold_are_always_kept():
    thresholds = keep_thresholds(np.array([0.7, 0.2, 0.1]), 0.2)
    assert thresholds[0] < KEEP_ALL
    assert (thresholds[1:] == KEEP_ALL).all()


@pytest.mark.parametrize("threshold", [1e-4, 0.01, 0.3])
def test_the_share_kept_is_the_root_of_threshold_over_frequency(threshold):
    sample = 200_000
    thresholds = keep_thresholds(np.array([0.9, 0.1]), threshold)
    ids = np.zeros(sample, dtype=np.int32)
    documents = np.repeat(np.random.default_rng(1).integers(-(2**63), 2**63 - 1, sample // 100), 100)
    positions = np.tile(np.arange(100), sample // 100)
    expected = min(1.0, (threshold / 0.9) ** 0.5)
    deviation = (expected * (1 - expected) / sample) ** 0.5
    kept = subsample(ids, hash_documents(documents), positions, thresholds)
    assert abs(kept.mean() - expected) < 5 * deviation


def test_consecutive_documents_and_positions_keep_their_own_share():
    """Structured identities (0, 1, 2, ...) must hash as evenly as random ones, in every document and at every place."""
    thresholds = np.array([2**63], dtype=np.uint64)
    documents, positions = np.repeat(np.arange(500), 400), np.tile(np.arange(400), 500)
    kept = subsample(np.zeros(200_000, dtype=np.int32), hash_documents(documents), positions, thresholds)
    kept = kept.reshape(500, 400)
    assert abs(kept.mean(axis=1) - 0.5).max() < 6 * 0.5 / 20
    assert abs(kept.mean(axis=0) - 0.5).max() < 6 * 0.5 / 500**0.5


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**6)), max_size=30))
def test_keeping_depends_on_the_word_document_and_position_alone(occurrences):
    thresholds = np.array([2**62, 2**63, 3 * 2**62, 2**64 - 1], dtype=np.uint64)
    ids = np.array([word for word, _, _ in occurrences], dtype=np.int32)
    hashes = hash_documents(np.array([document for _, document, _ in occurrences], dtype=np.int64))
    positions = np.array([position for _, _, position in occurrences], dtype=np.int64)
    together = subsample(ids, hashes, positions, thresholds)
    alone = [subsample(ids[k : k + 1], hashes[k : k + 1], positions[k : k + 1], thresholds)[0] for k in range(len(ids))]
    assert together.tolist() == alone


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 2))
def test_what_a_threshold_keeps_a_higher_one_keeps_too(document, threshold):
    positions, hashes = np.arange(50), hash_documents(np.full(50, document))
    ids = np.zeros(50, dtype=np.int32)
    kept = subsample(ids, hashes, positions, np.array([threshold], dtype=np.uint64))
    kept_higher = subsample(ids, hashes, positions, np.array([threshold + 1], dtype=np.uint64))
    assert (kept <= kept_higher).all()


def mix_bits_plain(value: int) -> int:
    """splitmix64's finalizer in whole numbers."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def chance_plain(document: int, position: int) -> int:
    """What an occurrence draws: it stays where this is no larger than its word's threshold."""
    golden = 0x9E3779B97F4A7C15
    return mix_bits_plain((mix_bits_plain((document + golden) % 2**64) + position * golden) % 2**64)


def unsigned(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


@pytest.mark.parametrize(
    ("value", "mixed"),
    [
        (0, 0),
        (1, 6238072747940578789),
        (2, 15839785061582574730),
        (2**63, 2720858781877447050),
        (2**64 - 1, 13029008266876403067),
        # The first number of splitmix64 from seed 0, as its reference code prints it.
        (0x9E3779B97F4A7C15, 0xE220A8397B1DCDAF),
    ],
)
def test_mixed_bits_never_change(value, mixed):
    assert mix_bits_plain(value) == mixed
    assert mix_bits(unsigned(value)).tolist() == [mixed]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_mix_bits_equals_its_plain_twin_and_leaves_its_argument_alone(values):
    given_values = unsigned(*values)
    assert mix_bits(given_values).tolist() == [mix_bits_plain(value) for value in values]
    assert given_values.tolist() == values


@pytest.mark.parametrize(
    ("document", "position", "chance"),
    [
        (0, 0, 5197578548964807871),
        (0, 1, 12035550249420947055),
        (7, 0, 8409816773569330625),
        (-1, 5, 9441308842891191896),
        (-9223372036854775808, 3, 402004357438789838),
        (9223372036854775807, 1000000, 17616224446053918038),
        (1234567890123456789, 1099511627776, 16214355748858607558),
    ],
)
def test_chances_never_change(document, position, chance):
    """Else a corpus would be subsampled otherwise than before, and no run could be repeated."""
    assert chance_plain(document, position) == chance
    at, below = unsigned(chance), unsigned(chance - 1)
    hashes = hash_documents(np.array([document]))
    assert subsample(np.zeros(1, dtype=np.int32), hashes, np.array([position]), at).tolist() == [True]
    assert subsample(np.zeros(1, dtype=np.int32), hashes, np.array([position]), below).tolist() == [False]


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62))
def test_chances_equal_their_plain_twin(document, position):
    chance = chance_plain(document, position)
    hashes = np.repeat(hash_documents(np.array([document])), 2)
    thresholds = unsigned(chance, max(chance - 1, 0))
    kept = subsample(np.array([0, 1], dtype=np.int32), hashes, np.array([position, position]), thresholds)
    assert kept.tolist() == [True, chance == 0]


STREAMS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.lists(st.integers(GAP, 3), max_size=12)), max_size=8)


def subsample_one_by_one(stream: list[tuple[int, list[int]]], thresholds: np.ndarray) -> list[bool]:
    return [
        chance_plain(number, place) <= int(thresholds[max(word, 0)])
        for number, words in stream
        for place, word in enumerate(words)
    ]


def subsample_whole(stream: list[tuple[int, list[int]]], thresholds: np.ndarray) -> list[bool]:
    ids = np.array([word for _, words in stream for word in words], dtype=np.int32)
    numbers = np.array([number for number, _ in stream], dtype=np.int64)
    lengths = np.array([len(words) for _, words in stream], dtype=np.int64)
    kept = subsample_stream(ids, numbers, lengths, thresholds)
    assert kept.dtype == np.bool_
    return kept.tolist()


@given(STREAMS, st.sampled_from([1, 2, 3, 5, WORDS_PER_SLICE]))
def test_a_stream_in_slices_is_subsampled_as_every_occurrence_by_itself(stream, words_per_slice):
    thresholds = unsigned(2**62, 2**63, 3 * 2**62, 2**64 - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WORDS_PER_SLICE", words_per_slice)
        assert subsample_whole(stream, thresholds) == subsample_one_by_one(stream, thresholds)


@pytest.mark.parametrize(
    "lengths",
    [
        [0],
        [0, 0, 0],
        [WORDS_PER_SLICE],
        [WORDS_PER_SLICE, 1],
        [0, 2 * WORDS_PER_SLICE + 7, 0, 0, WORDS_PER_SLICE - 7, 0, 3],
    ],
)
def test_documents_about_the_length_of_a_slice_are_subsampled_as_if_whole(lengths):
    stream = [(7 * number, [0] * length) for number, length in enumerate(lengths)]
    thresholds = unsigned(2**63)
    assert subsample_whole(stream, thresholds) == subsample_one_by_one(stream, thresholds)


def test_words_removed_before_the_window_is_laid_let_it_reach_further():
    weights = distance_weights("flat", 1)
    assert count_pairs_plain([[0, 1, 2]], 1, weights, keep=lambda _, place: place != 1) == {(0, 2): 1}
    assert count_pairs_plain([[0, GAP, 2]], 1, weights) == {}


@given(st.lists(st.lists(st.booleans(), max_size=8), max_size=8))
def test_drop_positions_counts_what_each_document_keeps(kept):
    flat = np.array([flag for document in kept for flag in document], dtype=bool)
    lengths = np.array([len(document) for document in kept], dtype=np.int64)
    assert drop_positions(flat, lengths).tolist() == [sum(document) for document in kept]


@given(st.lists(st.integers(0, 5), max_size=8))
def test_document_ends_stand_once_for_each_position(lengths):
    expected = [sum(lengths[: k + 1]) for k, length in enumerate(lengths) for _ in range(length)]
    assert document_ends(np.array(lengths, dtype=np.int64)).tolist() == expected

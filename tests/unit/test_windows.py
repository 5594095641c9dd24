from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.cooccurrence.windows import (
    GAP,
    Weighting,
    check_sums_fit,
    count_pairs_plain,
    distance_weights,
    document_ends,
    drop_positions,
    keep_thresholds,
    subsample,
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
    assert (keep_thresholds(np.array(word_counts), 1.0) == KEEP_ALL).all()


def test_words_no_more_frequent_than_the_threshold_are_always_kept():
    thresholds = keep_thresholds(np.array([700, 200, 100]), 0.2)
    assert thresholds[0] < KEEP_ALL
    assert (thresholds[1:] == KEEP_ALL).all()


@pytest.mark.parametrize("threshold", [1e-4, 0.01, 0.3])
def test_the_share_kept_is_the_root_of_threshold_over_frequency(threshold):
    sample = 200_000
    thresholds = keep_thresholds(np.array([9, 1]), threshold)
    ids = np.zeros(sample, dtype=np.int32)
    documents = np.repeat(np.random.default_rng(1).integers(-(2**63), 2**63 - 1, sample // 100), 100)
    positions = np.tile(np.arange(100), sample // 100)
    expected = min(1.0, (threshold / 0.9) ** 0.5)
    deviation = (expected * (1 - expected) / sample) ** 0.5
    assert abs(subsample(ids, documents, positions, thresholds).mean() - expected) < 5 * deviation


def test_consecutive_documents_and_positions_keep_their_own_share():
    """Structured identities (0, 1, 2, ...) must hash as evenly as random ones, in every document and at every place."""
    thresholds = np.array([2**63], dtype=np.uint64)
    documents, positions = np.repeat(np.arange(500), 400), np.tile(np.arange(400), 500)
    kept = subsample(np.zeros(200_000, dtype=np.int32), documents, positions, thresholds).reshape(500, 400)
    assert abs(kept.mean(axis=1) - 0.5).max() < 6 * 0.5 / 20
    assert abs(kept.mean(axis=0) - 0.5).max() < 6 * 0.5 / 500**0.5


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**6)), max_size=30))
def test_keeping_depends_on_the_word_document_and_position_alone(occurrences):
    thresholds = np.array([2**62, 2**63, 3 * 2**62, 2**64 - 1], dtype=np.uint64)
    ids = np.array([word for word, _, _ in occurrences], dtype=np.int32)
    documents = np.array([document for _, document, _ in occurrences], dtype=np.int64)
    positions = np.array([position for _, _, position in occurrences], dtype=np.int64)
    together = subsample(ids, documents, positions, thresholds)
    alone = [
        subsample(ids[k : k + 1], documents[k : k + 1], positions[k : k + 1], thresholds)[0] for k in range(len(ids))
    ]
    assert together.tolist() == alone


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 2))
def test_what_a_threshold_keeps_a_higher_one_keeps_too(document, threshold):
    positions, documents = np.arange(50), np.full(50, document)
    ids = np.zeros(50, dtype=np.int32)
    kept = subsample(ids, documents, positions, np.array([threshold], dtype=np.uint64))
    kept_higher = subsample(ids, documents, positions, np.array([threshold + 1], dtype=np.uint64))
    assert (kept <= kept_higher).all()


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

from __future__ import annotations

import pickle
from collections import Counter
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.cooccurrence import pair_block
from pmi_spark.cooccurrence.pair_block import (
    BlockLayout,
    PairBlock,
    count_meetings,
    merge_blocks,
    stack_runs,
    sum_by_key,
)
from pmi_spark.cooccurrence.windows import distance_weights
from pmi_spark.errors import ConfigurationError

CELLS = st.dictionaries(st.integers(0, 60) | st.integers(0, 2**62 - 1), st.integers(1, 2**40), max_size=40)
NO_LONGS = np.empty(0, dtype=np.int64)


def as_block(cells: dict[int, int]) -> PairBlock:
    keys = sorted(cells)
    return PairBlock(np.array(keys, dtype=np.int64), np.array([cells[key] for key in keys], dtype=np.int64))


def as_dict(block: PairBlock) -> dict[int, int]:
    assert (np.diff(block.keys) > 0).all(), "keys are sorted without repeats"
    return dict(zip(block.keys.tolist(), block.counts.tolist(), strict=True))


def summed(many: list[dict[int, int]]) -> dict[int, int]:
    total: Counter[int] = Counter()
    for cells in many:
        total.update(cells)
    return dict(total)


def cells_of(layout: BlockLayout, run: PairBlock) -> dict[tuple[int, int], int]:
    """{(word id, context id): count} of a run over the whole matrix, through split and decode."""
    found: dict[tuple[int, int], int] = {}
    for block, cells in layout.split(run):
        word_ids, context_ids = layout.decode(block, cells.keys)
        for word, context, count in zip(word_ids.tolist(), context_ids.tolist(), cells.counts.tolist(), strict=True):
            assert word % layout.blocks == block
            assert (word, context) not in found
            found[word, context] = count
    return found


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 2**50)), max_size=40))
def test_sum_by_key_equals_a_counter(cells):
    cells.sort()
    total: Counter[int] = Counter()
    for key, count in cells:
        total[key] += count
    block = sum_by_key(
        np.array([key for key, _ in cells], dtype=np.int64), np.array([count for _, count in cells], dtype=np.int64)
    )
    assert as_dict(block) == dict(total)


@given(st.lists(CELLS, min_size=1, max_size=6))
def test_merge_blocks_equals_a_counter(many):
    assert as_dict(merge_blocks([as_block(cells) for cells in many])) == summed(many)


def test_counts_are_summed_exactly_where_a_double_would_round():
    merged = merge_blocks([PairBlock([7], [2**62]), PairBlock([7], [1]), PairBlock([7], [2**62 - 2])])
    assert merged.counts.tolist() == [2**63 - 1]


@given(st.lists(CELLS, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_stacked_runs_sum_to_the_same_bytes_in_any_order_and_association(many, random):
    expected = summed(many)
    trees = [(as_block(cells),) for cells in many]
    in_order = merge_blocks(reduce(stack_runs, trees))
    random.shuffle(trees)
    while len(trees) > 1:
        left = trees.pop(random.randrange(len(trees)))
        right = trees.pop(random.randrange(len(trees)))
        trees.append(stack_runs(left, right))
    in_any_order = merge_blocks(trees[0])
    assert as_dict(in_order) == expected
    assert in_order.keys.tobytes() == in_any_order.keys.tobytes()
    assert in_order.counts.tobytes() == in_any_order.counts.tobytes()


@pytest.mark.parametrize(
    "keys", [list(range(600)), [7] * 600, [None] * 600], ids=["all new", "all the same", "all empty"]
)
def test_few_runs_remain_and_a_cell_is_copied_a_logarithm_of_times(keys):
    """600 runs one after the other: merging each into one long run would copy 180,000 cells, merging none keeps 600."""
    runs, copied = (), 0
    for key in keys:
        before = {id(run) for run in runs}
        new = as_block({} if key is None else {key: 1})
        runs = stack_runs(runs, (new,))
        copied += sum(len(run) for run in runs if run is not new and id(run) not in before)
    assert len(runs) <= 8 * 10
    assert copied <= 600 * 10
    assert sum(merge_blocks(runs).counts.tolist()) == sum(key is not None for key in keys)


@pytest.mark.parametrize("counts", [[], [1], [2**62], [1, 2**62 + 1], [255, 256], [2**31, 2**32], [2**63 - 1]])
def test_pickling_keeps_every_count(counts):
    block = PairBlock(np.arange(len(counts)) * (2**61 // max(1, len(counts))), np.array(counts, dtype=np.int64))
    restored = pickle.loads(pickle.dumps(block, protocol=5))
    assert restored.keys.dtype == restored.counts.dtype == np.int64
    assert as_dict(restored) == as_dict(block)


@given(st.dictionaries(st.integers(0, 2**62 - 1), st.integers(1, 2**63 - 1), max_size=30))
def test_pickling_is_a_round_trip(cells):
    assert as_dict(pickle.loads(pickle.dumps(as_block(cells), protocol=5))) == cells


def test_small_counts_travel_in_9_bytes_a_cell():
    block = PairBlock(np.arange(1000) * 2**51, np.full(1000, 5))
    assert len(pickle.dumps(block, protocol=5)) < 9 * 1000 + 500


@st.composite
def layouts_with_pairs(draw) -> tuple[BlockLayout, list[tuple[int, int]]]:
    # Sizes between take hundreds of MB to count in and are no different.
    size = draw(st.integers(2, 40) | st.integers(2, 10**5) | st.integers(2**25, 2**31))
    layout = BlockLayout(size, draw(st.integers(1, 70)))
    highs = draw(st.lists(st.integers(1, size - 1), max_size=12))
    return layout, [(draw(st.integers(0, high - 1)), high) for high in highs]


@given(layouts_with_pairs())
def test_split_and_decode_give_back_every_pair(drawn):
    layout, pairs = drawn
    low = np.array([pair[0] for pair in pairs], dtype=np.int32)
    high = np.array([pair[1] for pair in pairs], dtype=np.int32)
    run = count_meetings([(1, low, high)], [1], layout)
    assert cells_of(layout, run) == dict(Counter(pairs))


@given(layouts_with_pairs())
def test_keys_inside_a_block_fit_62_bits_and_sort_as_the_pairs_do(drawn):
    layout, pairs = drawn
    low = np.array([pair[0] for pair in pairs], dtype=np.int32)
    high = np.array([pair[1] for pair in pairs], dtype=np.int32)
    for block, cells in layout.split(count_meetings([(1, low, high)], [1], layout)):
        assert cells.keys.max() < 2**62
        decoded = list(zip(*(ids.tolist() for ids in layout.decode(block, cells.keys)), strict=True))
        assert decoded == sorted(decoded)


@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 1000])
def test_the_largest_ids_of_the_largest_vocabulary_come_back(blocks):
    layout = BlockLayout(2**31, blocks)
    low, high = np.array([0, 2**31 - 3, 2**31 - 2]), np.array([2**31 - 1, 2**31 - 2, 2**31 - 1])
    run = count_meetings([(1, low.astype(np.int32), high.astype(np.int32))], [1], layout)
    assert cells_of(layout, run) == dict.fromkeys(zip(low.tolist(), high.tolist(), strict=True), 1)


def test_a_vocabulary_beyond_31_bits_is_refused():
    BlockLayout(2**31, 8)
    with pytest.raises(ConfigurationError, match=str(2**31 + 1)):
        BlockLayout(2**31 + 1, 8)


@given(st.integers(1, 200), st.integers(1, 70))
def test_every_word_has_a_matrix_row_of_its_own_and_blocks_stand_together(size, blocks):
    layout = BlockLayout(size, blocks)
    rows = layout.matrix_rows(np.arange(size, dtype=np.int32))
    assert len(set(rows.tolist())) == size
    assert (rows // layout.rows_per_block).tolist() == [word % blocks for word in range(size)]


MEETINGS = st.lists(
    st.tuples(st.integers(1, 50), st.lists(st.tuples(st.integers(0, 11), st.integers(1, 12)), max_size=8)),
    max_size=12,
)


@given(MEETINGS, st.sampled_from(["flat", "linear"]), st.integers(1, 9))
def test_count_meetings_is_the_same_for_small_and_for_huge_vocabularies(drawn, weighting, blocks):
    """Small and huge vocabularies are counted in different ways, for what is fast for one would not fit the other."""
    weights = distance_weights(weighting, 50)
    expected: Counter[tuple[int, int]] = Counter()
    meetings = []
    for distance, steps in drawn:
        pairs = [(low, low + step) for low, step in steps]
        for pair in pairs:
            expected[pair] += weights.units[distance - 1]
        low = np.array([pair[0] for pair in pairs], dtype=np.int32)
        high = np.array([pair[1] for pair in pairs], dtype=np.int32)
        meetings.append((distance, low, high))
    for size in (24, 2**30):
        layout = BlockLayout(size, blocks)
        assert cells_of(layout, count_meetings(meetings, weights.units, layout)) == dict(expected), size


def test_huge_vocabularies_count_their_largest_ids():
    layout, weights = BlockLayout(2**30, 8), distance_weights("harmonic", 20)
    low, high = np.array([0, 2**30 - 2], dtype=np.int32), np.array([2**30 - 1, 2**30 - 1], dtype=np.int32)
    run = count_meetings([(20, low, high), (1, low, high)], weights.units, layout)
    unit = weights.units[0] + weights.units[19]
    assert cells_of(layout, run) == {(0, 2**30 - 1): unit, (2**30 - 2, 2**30 - 1): unit}


@pytest.mark.parametrize("size", [24, 2**30])
@pytest.mark.parametrize("times", [9, 10, 1000])
def test_sums_beyond_32_bits_are_exact(size, times):
    """Units of harmonic weights are near 2^28, so ten meetings of one pair pass 2^31."""
    layout, weights = BlockLayout(size, 2), distance_weights("harmonic", 20)
    meetings = [(1, np.full(times, 3, dtype=np.int32), np.full(times, 8, dtype=np.int32))]
    run = count_meetings(meetings, weights.units, layout)
    assert cells_of(layout, run) == {(3, 8): times * weights.denominator}


@pytest.mark.parametrize("size", [1, 2, 24, 2**30, 2**31])
def test_no_meetings_make_an_empty_run(size):
    layout = BlockLayout(size, 4)
    assert len(count_meetings([], [1] * 50, layout)) == 0
    assert list(layout.split(PairBlock(NO_LONGS, NO_LONGS))) == []


def test_counting_sorts_and_the_stable_sort_merge_alike(monkeypatch):
    generator = np.random.default_rng(3)
    blocks = []
    for _ in range(5):
        keys = np.unique((generator.integers(0, 20, 400) << 31) | generator.integers(0, 30, 400))
        blocks.append(PairBlock(keys, generator.integers(1, 2**61, len(keys))))
    by_counting = merge_blocks(blocks)
    monkeypatch.setattr(pair_block, "RADIX_VOCABULARY", 0)
    by_comparison = merge_blocks(blocks)
    np.testing.assert_array_equal(by_counting.keys, by_comparison.keys)
    np.testing.assert_array_equal(by_counting.counts, by_comparison.counts)

from __future__ import annotations

import pickle
from collections import Counter
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.cooccurrence import pair_block
from pmi_spark.cooccurrence.pair_block import (
    LONGEST_STEP,
    TIER,
    BlockLayout,
    PairBlock,
    Runs,
    count_meetings,
    merge_blocks,
    stack_runs,
)
from pmi_spark.cooccurrence.windows import distance_weights
from pmi_spark.errors import ConfigurationError

Cells = dict[tuple[int, int], int]

LARGEST_ID = 2**31 - 1
LARGEST_COUNT = 2**63 - 1
IDS = st.integers(0, 60) | st.integers(0, LARGEST_ID)
CELLS = st.dictionaries(st.tuples(IDS, IDS), st.integers(1, 2**40), max_size=40)
# Few rows and columns for the cells there are: counting sorts pay.
GRID = [(row, column) for row in range(4) for column in range(5)]
DENSE_CELLS = st.lists(
    st.dictionaries(st.sampled_from(GRID), st.integers(1, 300) | st.integers(1, 2**55), max_size=len(GRID)),
    min_size=1,
    max_size=6,
).map(lambda many: [dict.fromkeys(GRID, 1), *many])


def as_dict(block: PairBlock) -> Cells:
    """The cells of a block that is in order: rows ascend, none is empty, columns ascend inside a row."""
    assert np.issubdtype(block.counts.dtype, np.integer)
    rows = np.repeat(block.rows, block.sizes).tolist()
    assert len(rows) == len(block.columns) == len(block.counts) == len(block)
    assert (np.diff(block.rows) > 0).all()
    assert (np.asarray(block.sizes) > 0).all()
    cells = list(zip(rows, block.columns.tolist(), strict=True))
    assert all(before < after for before, after in pairwise(cells))
    return dict(zip(cells, block.counts.tolist(), strict=True))


def pickled(block: PairBlock) -> PairBlock:
    return pickle.loads(pickle.dumps(block, protocol=5))


def size_pickled(block: PairBlock) -> int:
    return len(pickle.dumps(block, protocol=5))


def one_row(columns: np.ndarray, count: int = 1) -> PairBlock:
    counts = np.full(len(columns), count)
    return PairBlock(np.zeros(1, dtype=np.int64), np.array([len(columns)]), columns.astype(np.int32), counts)


def row_of_steps(steps: list[int]) -> PairBlock:
    return one_row(np.cumsum(steps))


def summed(many: list[Cells]) -> Cells:
    total: Counter[tuple[int, int]] = Counter()
    for cells in many:
        total.update(cells)
    return dict(total)


def cells_of(layout: BlockLayout, run: PairBlock) -> Cells:
    """{(word id, context id): count} of a run over the whole matrix, through split and decode."""
    found: Cells = {}
    for block, cells in layout.split(run):
        assert len(as_dict(cells)) > 0
        word_ids, context_ids = layout.decode(block, cells)
        assert word_ids.dtype == context_ids.dtype == np.int32
        for word, context, count in zip(word_ids.tolist(), context_ids.tolist(), cells.counts.tolist(), strict=True):
            assert word % layout.blocks == block
            assert (word, context) not in found
            found[word, context] = count
    return found


def merge_by(route: str, blocks: list[PairBlock]) -> PairBlock:
    """merge_blocks by ``counting`` sorts or the ``stable`` sort; the other way is taken out."""
    with pytest.MonkeyPatch.context() as patch:
        if route == "stable":
            patch.setattr(pair_block, "RADIX_VOCABULARY", 0)
        patch.setattr(pair_block, "_sum_cells" if route == "stable" else "sort_cells", None)
        return merge_blocks(blocks)


def ids_of(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


@given(CELLS)
def test_a_block_of_cells_holds_them_in_order(cells):
    block = PairBlock.of(cells)
    assert as_dict(block) == cells
    assert block.columns.dtype == np.int32
    assert repr(block) == f"PairBlock({dict(sorted(cells.items()))})"


@given(st.lists(CELLS, min_size=1, max_size=6))
def test_merge_blocks_equals_a_counter(many):
    assert as_dict(merge_blocks([PairBlock.of(cells) for cells in many])) == summed(many)


@given(DENSE_CELLS, st.lists(st.booleans(), min_size=7, max_size=7))
def test_counting_sorts_and_the_stable_sort_merge_alike(many, travelled):
    blocks = [
        pickled(PairBlock.of(cells)) if far else PairBlock.of(cells)
        for cells, far in zip(many, travelled, strict=False)
    ]
    by_counting, by_comparison = merge_by("counting", blocks), merge_by("stable", blocks)
    assert as_dict(by_counting) == as_dict(by_comparison) == summed(many)
    for name in ("rows", "sizes", "columns", "counts"):
        np.testing.assert_array_equal(getattr(by_counting, name), getattr(by_comparison, name))
    assert by_counting.columns.dtype == by_comparison.columns.dtype == np.int32


@pytest.mark.parametrize("route", ["counting", "stable"])
@pytest.mark.parametrize(
    "counts",
    [
        [2**31 - 1, 1],
        [2**31, 2**31 - 1, 7],
        [2**32 - 1, 2**32 - 1],
        [2**53, 1, 1],
        [2**62, 1, 2**62 - 2],
        [2**62, 2**62 - 1],
        [LARGEST_COUNT, 0],
        [255, 255],
        [2**16 - 1, 2**16 - 1],
    ],
)
@pytest.mark.parametrize("travelled", [False, True], ids=["fresh", "pickled"])
def test_counts_are_summed_exactly_where_narrow_integers_or_a_double_would_fail(route, counts, travelled):
    blocks = [PairBlock.of({(0, 1): count}) for count in counts]
    # Cells without a count make the row long enough for the counting sorts and add nothing.
    blocks.append(one_row(np.arange(8), count=0))
    merged = merge_by(route, [pickled(block) for block in blocks] if travelled else blocks)
    assert as_dict(merged)[0, 1] == sum(counts)


@pytest.mark.parametrize("route", ["counting", "stable"])
@pytest.mark.parametrize("total", [2**31 - 1, 2**31, 2**31 + 1, 2**53 + 1, LARGEST_COUNT])
def test_a_total_over_many_cells_needs_no_wider_cell_than_its_largest(route, total):
    first, second = total // 2, total - total // 2 - 8
    blocks = [PairBlock.of({(0, 0): first}), PairBlock.of({(0, 7): second}), one_row(np.arange(8))]
    expected = {(0, column): 1 for column in range(8)}
    expected[0, 0] += first
    expected[0, 7] += second
    assert sum(expected.values()) == total
    assert as_dict(merge_by(route, blocks)) == expected


def test_merging_empty_blocks_gives_an_empty_block():
    for blocks in ([PairBlock.of({})], [PairBlock.of({})] * 3, [pickled(PairBlock.of({}))] * 2):
        assert as_dict(merge_blocks(blocks)) == {}
    assert as_dict(merge_blocks([PairBlock.of({}), PairBlock.of({(3, 4): 5}), PairBlock.of({})])) == {(3, 4): 5}


@given(st.lists(CELLS, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_stacked_runs_hold_the_same_cells_in_any_order_and_association(many, random):
    trees: list[Runs] = [(PairBlock.of(cells),) for cells in many]
    in_order = merge_blocks(reduce(stack_runs, trees))
    random.shuffle(trees)
    while len(trees) > 1:
        left = trees.pop(random.randrange(len(trees)))
        right = trees.pop(random.randrange(len(trees)))
        trees.append(stack_runs(left, right))
    in_any_order = merge_blocks(trees[0])
    assert as_dict(in_order) == as_dict(in_any_order) == summed(many)


@given(st.lists(st.integers(0, 40), max_size=40), st.lists(st.integers(0, 40), max_size=40))
def test_fewer_runs_than_a_tier_remain_of_any_size(left, right):
    """Sizes within a factor of TIER are one tier: 0 to 7, 8 to 63."""
    runs = stack_runs(*(tuple(one_row(np.arange(size)) for size in sizes) for sizes in (left, right)))
    assert sum(len(run) < TIER for run in runs) < TIER
    assert sum(TIER <= len(run) < TIER**2 for run in runs) < TIER
    assert sum(run.counts.sum() for run in runs) == sum(left) + sum(right)


@pytest.mark.parametrize(
    "columns", [list(range(600)), [7] * 600, [None] * 600], ids=["all new", "all the same", "all empty"]
)
def test_few_runs_remain_and_a_cell_is_copied_a_logarithm_of_times(columns):
    """600 runs one after the other: merging each into one long run would copy 180,000 cells, merging none keeps 600."""
    runs: Runs = ()
    copied = 0
    for column in columns:
        before = {id(run) for run in runs}
        new = PairBlock.of({} if column is None else {(5, column): 1})
        runs = stack_runs(runs, (new,))
        copied += sum(len(run) for run in runs if run is not new and id(run) not in before)
    assert len(runs) <= (TIER - 1) * 4
    assert copied <= 600 * 4
    assert merge_blocks(runs).counts.sum() == sum(column is not None for column in columns)


@pytest.mark.parametrize(
    "counts", [[], [1], [2**62], [1, 2**62 + 1], [255, 256], [65535, 65536], [2**31, 2**32], [LARGEST_COUNT]]
)
def test_pickling_keeps_every_count(counts):
    cells = {(place // 2, place): count for place, count in enumerate(counts)}
    assert as_dict(pickled(PairBlock.of(cells))) == cells


@given(st.dictionaries(st.tuples(IDS, IDS), st.integers(1, LARGEST_COUNT), max_size=60))
def test_pickling_is_a_round_trip(cells):
    restored = pickled(PairBlock.of(cells))
    assert as_dict(restored) == cells
    assert restored.rows.dtype == restored.sizes.dtype == np.int64
    assert restored.columns.dtype == np.int32
    assert as_dict(pickled(restored)) == cells


STEPS = st.integers(1, 3) | st.integers(65_533, 65_538) | st.integers(1, 2**20)


@given(st.lists(st.lists(STEPS, min_size=1, max_size=20), min_size=1, max_size=8))
def test_pickling_keeps_rows_of_short_and_of_long_steps(rows):
    cells = {(row, int(column)): 1 for row, steps in enumerate(rows) for column in np.cumsum(steps)}
    assert as_dict(pickled(PairBlock.of(cells))) == cells


@pytest.mark.parametrize("gap", [65_534, 65_535, 65_536, 65_537, 2**31 - 41])
@pytest.mark.parametrize("place", [0, 1, 20, 39], ids=["first of the row", "second", "inside", "last"])
def test_a_gap_about_the_longest_2_byte_step_comes_back(gap, place):
    steps = [1] * 40
    steps[place] = gap
    block = row_of_steps(steps)
    assert int(block.columns[-1]) == gap + 39
    two_rows = PairBlock(np.array([0, 9]), np.array([40, 40]), np.tile(block.columns, 2), np.ones(80, dtype=np.int64))
    for each in (block, two_rows):
        assert as_dict(pickled(each)) == as_dict(each)


def test_the_longest_step_takes_2_bytes_and_the_next_one_6_more():
    """A long step stands beside the 2-byte ones: its place and its length."""
    short, long = row_of_steps([LONGEST_STEP] * 2 + [1] * 98), row_of_steps([LONGEST_STEP + 1] * 2 + [1] * 98)
    assert size_pickled(long) - size_pickled(short) == 2 * 8


@pytest.mark.parametrize(
    ("long_steps", "least", "most"),
    [(0, 2.0, 2.2), (100, 2.8, 3.0), (250, 4.0, 4.2), (251, 4.0, 4.2), (600, 4.0, 4.2), (1000, 4.0, 4.2)],
)
def test_no_mixture_of_long_steps_takes_more_than_4_bytes_a_column(long_steps, least, most):
    steps = np.ones(10_000, dtype=np.int64)
    steps[np.linspace(0, len(steps) - 1, 10 * long_steps, dtype=np.int64)] = 2 * LONGEST_STEP
    block = row_of_steps(steps.tolist())
    assert as_dict(pickled(block)) == as_dict(block)
    size_of_counts = 1
    assert least <= size_pickled(block) / len(block) - size_of_counts <= most


@pytest.mark.parametrize(("count", "width"), [(1, 1), (255, 1), (256, 2), (65_536, 4), (2**32, 8), (LARGEST_COUNT, 8)])
def test_dense_cells_travel_in_2_bytes_and_the_width_of_the_largest_count(count, width):
    counts = np.ones(10_000, dtype=np.int64)
    counts[0] = count
    block = PairBlock(np.arange(100), np.full(100, 100), np.tile(np.arange(100, dtype=np.int32) * 600, 100), counts)
    assert as_dict(pickled(block)) == as_dict(block)
    assert size_pickled(block) <= (2 + width) * len(block) + 1500


@st.composite
def layouts_with_pairs(draw) -> tuple[BlockLayout, list[tuple[int, int]]]:
    # Sizes between take hundreds of MB to count in and are no different.
    size = draw(st.integers(2, 40) | st.integers(2, 10**5) | st.integers(2**24 + 1, 2**31))
    layout = BlockLayout(size, draw(st.integers(1, 70)))
    highs = draw(st.lists(st.integers(1, size - 1), max_size=12))
    return layout, [(draw(st.integers(0, high - 1)), high) for high in highs]


@given(layouts_with_pairs())
def test_split_and_decode_give_back_every_pair(drawn):
    layout, pairs = drawn
    low, high = ids_of([pair[0] for pair in pairs]), ids_of([pair[1] for pair in pairs])
    run = count_meetings([(1, low, high)], [1], layout)
    assert len(as_dict(run)) == len(set(pairs))
    assert cells_of(layout, run) == dict(Counter(pairs))


@given(layouts_with_pairs())
def test_cells_inside_a_block_sort_as_the_pairs_do_and_have_the_blocks_own_rows(drawn):
    layout, pairs = drawn
    low, high = ids_of([pair[0] for pair in pairs]), ids_of([pair[1] for pair in pairs])
    numbers = []
    for block, cells in layout.split(count_meetings([(1, low, high)], [1], layout)):
        assert 0 <= cells.rows.min() <= cells.rows.max() < layout.rows_per_block
        decoded = list(zip(*(ids.tolist() for ids in layout.decode(block, cells)), strict=True))
        assert decoded == sorted(decoded)
        numbers.append(block)
    assert numbers == sorted({pair[0] % layout.blocks for pair in pairs})


@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 1000])
def test_the_largest_ids_of_the_largest_vocabulary_come_back(blocks):
    layout = BlockLayout(2**31, blocks)
    low, high = [0, 2**31 - 3, 2**31 - 2], [2**31 - 1, 2**31 - 2, 2**31 - 1]
    run = count_meetings([(1, ids_of(low), ids_of(high))], [1], layout)
    expected = dict.fromkeys(zip(low, high, strict=True), 1)
    assert cells_of(layout, run) == expected
    for block, cells in layout.split(run):
        assert as_dict(pickled(cells)) == as_dict(cells), block


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


@given(st.integers(1, 2**31), st.integers(1, 1000), st.lists(st.floats(0, 1), max_size=10))
def test_word_ids_undo_matrix_rows(size, blocks, shares):
    layout = BlockLayout(size, blocks)
    ids = ids_of([0, size - 1, *(int(share * (size - 1)) for share in shares)])
    assert layout.word_ids(layout.matrix_rows(ids)).tolist() == ids.tolist()


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
        meetings.append((distance, ids_of([pair[0] for pair in pairs]), ids_of([pair[1] for pair in pairs])))
    for size in (24, 2**24 + 1, 2**31):
        layout = BlockLayout(size, blocks)
        run = count_meetings(meetings, weights.units, layout)
        assert len(as_dict(run)) == len(expected)
        assert cells_of(layout, run) == dict(expected), size


@pytest.mark.parametrize(("limit", "unused"), [(24, "sort_cells"), (23, "_sum_cells")])
def test_vocabularies_up_to_the_limit_are_counted_by_counting_sorts_and_larger_ones_are_not(monkeypatch, limit, unused):
    monkeypatch.setattr(pair_block, "RADIX_VOCABULARY", limit)
    monkeypatch.setattr(pair_block, unused, None)
    layout = BlockLayout(24, 5)
    run = count_meetings([(2, ids_of([0, 22, 0]), ids_of([23, 23, 1])), (1, ids_of([0]), ids_of([23]))], [2, 1], layout)
    assert cells_of(layout, run) == {(0, 1): 1, (0, 23): 3, (22, 23): 1}


@pytest.mark.parametrize("size", [2**24 + 1, 2**30, 2**31])
def test_huge_vocabularies_count_their_largest_ids(size):
    layout, weights = BlockLayout(size, 8), distance_weights("harmonic", 20)
    low, high = ids_of([0, size - 2]), ids_of([size - 1, size - 1])
    run = count_meetings([(20, low, high), (1, low, high)], weights.units, layout)
    unit = weights.units[0] + weights.units[19]
    assert cells_of(layout, run) == {(0, size - 1): unit, (size - 2, size - 1): unit}


@pytest.mark.parametrize("size", [24, 2**24 + 1, 2**31])
@pytest.mark.parametrize("times", [9, 10, 19, 1000])
def test_sums_beyond_32_bits_are_exact(size, times):
    """Units of harmonic weights are near 2^28, so ten meetings of one pair pass 2^31, nineteen 2^32."""
    layout, weights = BlockLayout(size, 2), distance_weights("harmonic", 20)
    run = count_meetings([(1, ids_of([3] * times), ids_of([8] * times))], weights.units, layout)
    assert cells_of(layout, run) == {(3, 8): times * weights.denominator}


@pytest.mark.parametrize("size", [1, 2, 24, 2**24 + 1, 2**31])
def test_no_meetings_make_an_empty_run(size):
    layout, none = BlockLayout(size, 4), ids_of([])
    for meetings in ([], [(1, none, none)], [(1, none, none), (50, none, none)]):
        run = count_meetings(meetings, [1] * 50, layout)
        assert as_dict(run) == {}
        assert list(layout.split(run)) == []


@given(CELLS, CELLS)
def test_cells_taken_off_again_leave_zeros_where_nothing_else_was(cells, others):
    block = merge_blocks([PairBlock.of(cells), PairBlock.of(others), -PairBlock.of(others)])
    found = as_dict(block)
    assert {cell: count for cell, count in found.items() if count} == cells
    assert set(found) == cells.keys() | others.keys()


@given(CELLS)
def test_negative_counts_travel_whole(cells):
    block = -PairBlock.of(cells)
    assert as_dict(pickled(block)) == {cell: -count for cell, count in cells.items()}


def test_large_counts_taken_off_do_not_wrap():
    large = PairBlock.of({(0, 1): 2**31 - 1})
    assert as_dict(merge_blocks([-large, -large, -large])) == {(0, 1): -3 * (2**31 - 1)}
    narrow = merge_blocks([PairBlock.of({(0, 1): 200}), -pickled(PairBlock.of({(0, 1): 250}))])
    assert as_dict(narrow) == {(0, 1): -50}

"""Sorted runs of pair counts and their merge: what the shuffle carries. Pure numpy and scipy.

The pair matrix is cut into blocks by rows: row i (the smaller id, so the more frequent word) belongs to block
i mod B, which gives every block its share of frequent words, and is row i // B there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pmi_spark.errors import ConfigurationError

Ids = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Counts = npt.NDArray[np.integer]

COLUMN_BITS = 31
COLUMN_MASK = (1 << COLUMN_BITS) - 1
LARGEST_VOCABULARY = 1 << COLUMN_BITS
LONGEST_STEP = (1 << 16) - 1
# Up to here the counting sorts' pointers, 12 bytes a word, take less than a worker's spare room.
RADIX_VOCABULARY = 1 << 24


@dataclass(frozen=True, eq=False)
class PairBlock:
    """Cells of one block, row by row: a sparse matrix without its empty rows. 4 bytes a cell and the counts' width.

    ``rows`` ascend; ``sizes`` says how many cells each has; ``columns`` ascend inside a row; ``counts`` stand beside
    them, in any width of integer.
    """

    rows: Longs
    sizes: Longs
    columns: Ids
    counts: Counts

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        cells = zip(np.repeat(self.rows, self.sizes).tolist(), self.columns.tolist(), self.counts.tolist(), strict=True)
        return f"PairBlock({ {(row, column): count for row, column, count in cells} })"

    def __reduce__(self) -> tuple[object, ...]:
        # What the shuffle carries: steps from column to column, 2 bytes each while few are longer than that, and
        # counts, mostly 1 byte.
        steps = _steps(self.columns, self.sizes)
        long = np.flatnonzero(steps > LONGEST_STEP)
        short: npt.NDArray[np.integer] = steps.astype(np.uint16)
        if 4 * len(long) > len(steps):
            short, long = steps, long[:0]
        shape = _narrowest(self.rows), _narrowest(self.sizes)
        return _unpack, (*shape, short, long.astype(np.int32), steps[long], _narrowest(self.counts))

    def __neg__(self) -> PairBlock:
        """The same cells, to be taken off."""
        return replace(self, counts=-self.counts.astype(_sum_type(_absolute_sum(self.counts))))

    @classmethod
    def of(cls, cells: dict[tuple[int, int], int]) -> PairBlock:
        """A block from {(row, column): count}.

        >>> PairBlock.of({(1, 2): 5, (0, 3): 1})
        PairBlock({(0, 3): 1, (1, 2): 5})
        """
        table = np.array([(*cell, count) for cell, count in cells.items()], dtype=np.int64).reshape(-1, 3)
        return sort_cells(table[:, 0], table[:, 1], table[:, 2])


def _steps(columns: Ids, sizes: Longs) -> Ids:
    """Each column's distance from the one before it in its row; the row's first from 0."""
    steps = np.diff(columns, prepend=np.int32(0))
    starts = np.cumsum(sizes) - sizes
    steps[starts] = columns[starts]
    return steps


def _unpack(rows: Counts, sizes: Counts, short: Counts, long: Ids, long_steps: Ids, counts: Counts) -> PairBlock:
    steps = short.astype(np.int32)
    steps[long] = long_steps
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    # Sums run on over the rows, modulo 2^32; what stood before a row is taken off again.
    sums = np.cumsum(steps, dtype=np.int32)
    sums -= np.repeat(sums[starts] - steps[starts], sizes)
    return PairBlock(rows.astype(np.int64), sizes.astype(np.int64), sums, counts)


def _narrowest(values: Counts) -> Counts:
    """The values in as few bytes as hold them; signed where one is negative.

    >>> _narrowest(np.array([3, 300])).dtype, _narrowest(np.array([-3, 300])).dtype
    (dtype('uint16'), dtype('int16'))
    """
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low >= 0:
        return values.astype(np.min_scalar_type(high))
    return values.astype(np.min_scalar_type(min(low, -high - 1)))


def merge_blocks(blocks: Sequence[PairBlock]) -> PairBlock:
    """Sum any number of blocks: 15 ns a cell by counting sorts, 45 by a stable sort of the runs where those don't pay.

    Integer addition is exact and commutative, so any merge order gives the same cells. Counts may be negative, to be
    taken off others; a cell whose counts cancel stays, with a count of 0. The sum of all counts' absolute values must
    be below 2^63, which :func:`pmi_spark.cooccurrence.windows.check_sums_fit` sees to.

    >>> merge_blocks([PairBlock.of({(0, 3): 2, (1, 9): 1}), PairBlock.of({(1, 9): 4})])
    PairBlock({(0, 3): 2, (1, 9): 5})
    """
    if len(blocks) == 1:
        return blocks[0]
    width = _sum_type(sum(_absolute_sum(block.counts) for block in blocks))
    rows = np.concatenate([np.repeat(block.rows, block.sizes) for block in blocks])
    columns = np.concatenate([block.columns for block in blocks])
    counts = np.concatenate([block.counts for block in blocks], dtype=width)
    shape = (int(rows.max(initial=0)) + 1, int(columns.max(initial=0)) + 1)
    if sum(shape) <= min(len(columns), RADIX_VOCABULARY):
        return _sum_cells(rows.astype(np.int32), columns.astype(np.int32), counts, shape)
    return sort_cells(rows, columns, counts)


def _sum_type(total: int) -> type[np.signedinteger]:
    """Holds every sum of counts whose absolute values sum to no more than this."""
    return np.int32 if total < 2**31 else np.int64


def _absolute_sum(counts: Counts) -> int:
    positive = counts if counts.min(initial=0) >= 0 else np.abs(counts, dtype=np.int64)
    return int(positive.sum(dtype=np.int64))


def _sum_cells(rows: Ids, columns: Ids, counts: Counts, shape: tuple[int, int]) -> PairBlock:
    """Cells in any order, repeats allowed -> a PairBlock, without a comparison.

    Two stable counting sorts, by column and then by row, put them in order; scipy's format conversions are those
    sorts, in C++. They keep a pointer a row and a column, so they pay where there are more cells than those.
    """
    table = sparse.coo_array((counts, (rows, columns)), shape=shape)
    # Without this scipy would sum repeats before each conversion; they are summed once, at the end.
    table.has_canonical_format = True
    table = table.tocsc().tocsr()
    table.has_sorted_indices = True
    table.has_canonical_format = False
    table.sum_duplicates()
    sizes = np.diff(table.indptr)
    filled = np.flatnonzero(sizes)
    return PairBlock(filled, sizes[filled], table.indices, table.data)


def sort_cells(rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], counts: Counts) -> PairBlock:
    """Cells in any order, repeats allowed -> a PairBlock, by sorting keys row * 2^31 + column (62 bits).

    Memory follows the cells alone. Cells in order without repeats, as a table's file has them, are taken as they are.
    """
    if len(columns) == 0:
        return PairBlock(_NO_LONGS, _NO_LONGS, _NO_IDS, counts)
    keys = (rows.astype(np.int64) << COLUMN_BITS) | columns.astype(np.int64)
    if not (keys[1:] > keys[:-1]).all():
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = _run_starts(keys)
        counts = np.add.reduceat(counts[order], starts, dtype=counts.dtype)
        keys = keys[starts]
    ordered_rows = keys >> COLUMN_BITS
    starts = _run_starts(ordered_rows)
    sizes = np.diff(starts, append=len(keys))
    return PairBlock(ordered_rows[starts], sizes, (keys & COLUMN_MASK).astype(np.int32), counts)


def _run_starts(ordered: Longs) -> Longs:
    """Where each run of equal values begins.

    >>> _run_starts(np.array([4, 4, 7, 9, 9])).tolist()
    [0, 2, 3]
    """
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


Runs = tuple[PairBlock, ...]

# Runs of like size (within a factor of TIER) are merged when there are this many of them.
TIER = 8


def stack_runs(left: Runs, right: Runs) -> Runs:
    """reduceByKey's combiner: gather runs, merging TIER of similar size at once.

    As in a log-structured merge tree (O'Neil et al. 1996), with tiers: a cell is copied log_8 n times, where merging
    every new run into one long one would copy it n times. At most TIER - 1 runs of each tier remain.

    >>> one = PairBlock.of({(0, 1): 1})
    >>> stack_runs((one,) * 7, (one,))
    (PairBlock({(0, 1): 8}),)
    """
    tiers: dict[int, list[PairBlock]] = {}
    for run in left + right:
        tiers.setdefault(_tier(run), []).append(run)
    for tier in range(max(tiers, default=0) + 1):
        if len(tiers.get(tier, ())) >= TIER:
            merged = merge_blocks(tiers.pop(tier))
            # Where all cells met again the merged run stays in its tier, but alone there.
            tiers.setdefault(_tier(merged), []).append(merged)
    return tuple(run for tier in sorted(tiers) for run in tiers[tier])


def _tier(run: PairBlock) -> int:
    return (len(run).bit_length() - 1) // (TIER.bit_length() - 1) if len(run) else 0


@dataclass(frozen=True)
class BlockLayout:
    """How the pair matrix of a vocabulary is cut into row blocks.

    >>> layout = BlockLayout(vocabulary_size=5, blocks=2)
    >>> layout.rows_per_block
    3
    """

    vocabulary_size: int
    blocks: int

    def __post_init__(self) -> None:
        if self.vocabulary_size > LARGEST_VOCABULARY:
            raise ConfigurationError(
                f"the vocabulary has {self.vocabulary_size} words, beyond 2^31", cure="raise vocabulary.minimum_count"
            )

    @property
    def rows_per_block(self) -> int:
        return -(-self.vocabulary_size // self.blocks)

    def matrix_rows(self, ids: Ids) -> Longs:
        """Rows of the whole matrix for word ids: those of one block stand together.

        >>> BlockLayout(5, 2).matrix_rows(np.arange(5)).tolist()
        [0, 3, 1, 4, 2]
        """
        block_numbers, rows = ids % self.blocks, ids // self.blocks
        return block_numbers.astype(np.int64) * self.rows_per_block + rows

    def word_ids(self, matrix_rows: Longs) -> Longs:
        """The inverse of :meth:`matrix_rows`.

        >>> BlockLayout(5, 2).word_ids(np.array([0, 3, 1, 4, 2])).tolist()
        [0, 1, 2, 3, 4]
        """
        block_numbers, rows = np.divmod(matrix_rows, self.rows_per_block)
        return np.asarray(rows * self.blocks + block_numbers)

    def split(self, run: PairBlock) -> Iterator[tuple[int, PairBlock]]:
        """A run over the whole matrix -> (block number, its cells in the block's own rows), empty blocks left out."""
        bases = np.arange(self.blocks + 1) * self.rows_per_block
        bounds = np.searchsorted(run.rows, bases)
        cells = np.concatenate(([0], np.cumsum(run.sizes, dtype=np.int64)))[bounds]
        for block, (rows, ends) in enumerate(zip(pairwise(bounds.tolist()), pairwise(cells.tolist()), strict=True)):
            if ends[1] > ends[0]:
                inside, part = slice(*rows), slice(*ends)
                yield (
                    block,
                    PairBlock(run.rows[inside] - bases[block], run.sizes[inside], run.columns[part], run.counts[part]),
                )

    def decode(self, block: int, cells: PairBlock) -> tuple[Ids, Ids]:
        """Cells of one block -> (word ids, context ids).

        >>> BlockLayout(100, 4).decode(2, PairBlock.of({(1, 9): 5}))
        (array([6], dtype=int32), array([9], dtype=int32))
        """
        word_ids = (cells.rows.astype(np.int64) * self.blocks + block).astype(np.int32)
        return np.repeat(word_ids, cells.sizes), cells.columns.astype(np.int32, copy=False)


def count_meetings(meetings: Iterable[tuple[int, Ids, Ids]], units: Sequence[int], layout: BlockLayout) -> PairBlock:
    """(distance, low ids, high ids) of a piece of text -> one run over the whole matrix.

    By counting sorts 20 ns a meeting, where sorting packed 64-bit keys takes 90 (8 M meetings). For vocabularies beyond
    RADIX_VOCABULARY keys are sorted all the same. Memory: about 32 bytes a meeting.
    """
    found = list(meetings)
    sizes = [len(low) for _, low, _ in found]
    unit_of_meeting = np.array([units[d - 1] for d, _, _ in found], dtype=_sum_type(sum(sizes) * max(units)))
    counts = np.repeat(unit_of_meeting, sizes)
    columns = np.concatenate([_NO_IDS, *(high for _, _, high in found)])
    if layout.vocabulary_size > RADIX_VOCABULARY:
        lows = np.concatenate([_NO_IDS, *(low for _, low, _ in found)])
        return sort_cells(layout.matrix_rows(lows), columns, counts)
    row_of_word = layout.matrix_rows(np.arange(layout.vocabulary_size, dtype=np.int32)).astype(np.int32)
    rows = np.concatenate([_NO_IDS, *(row_of_word[low] for _, low, _ in found)])
    return _sum_cells(rows, columns, counts, (layout.rows_per_block * layout.blocks, layout.vocabulary_size))


_NO_IDS = np.empty(0, dtype=np.int32)
_NO_LONGS = np.empty(0, dtype=np.int64)
